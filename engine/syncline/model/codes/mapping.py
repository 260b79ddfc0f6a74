"""Codes of findings about mappings and expressions (SYN3xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN301",
        "expression cannot be read",
        "The text is not a JMESPath expression, or is nested too deeply.",
        "Compare it with the JMESPath specification: texts are quoted as 'text', numbers as `1`.",
        bad="from: name == Alice",
        good="from: name == 'Alice'",
    ),
    Code(
        "SYN302",
        "expression has no column form",
        "Mappings are compiled to expressions over whole columns, and this part of JMESPath has no such form.",
        "Write one target field for each value that is wanted, with the fields named.",
        bad="from: '{a: first, b: last}'",
        good="from: join(' ', [first, last])",
    ),
    Code(
        "SYN303",
        "unknown source field",
        "The expression names a field that the schema of the source doesn't have. It would be null for every record.",
        "Take the suggestion, or add the field to the stream's schema.",
        bad="from: emial",
        good="from: email",
    ),
    Code(
        "SYN304",
        "types do not fit",
        "Values are used together, or in a way, that their types don't allow: a comparison that is never true, or"
        " fields of something that has none.",
        "Convert one of them, or ask an element of the list.",
        bad="where: amount > '100'",
        good="where: to_number(amount) > `100`",
    ),
    Code(
        "SYN305",
        "unknown function or wrong arguments",
        "There is no function of that name, or it is called with the wrong number or types of arguments.",
        "Call it as its signature says.",
        bad="from: upcase(country)",
        good="from: upper(country)",
    ),
    Code(
        "SYN306",
        "impossible cast",
        "No value of the source's type is a value of the declared type, so that every record would be rejected.",
        "Declare the type that the source has, or translate it with a lookup.",
        bad="{to: born, from: is_active, type: date}",
        good="{to: active, from: is_active, type: boolean}",
    ),
    Code(
        "SYN307",
        "wrong format or zone",
        "The format of a date or time can't be read, doesn't state everything that the type needs, states more than it"
        " holds, or names a zone that doesn't exist.",
        "Use iso8601, epoch, epoch_ms or strptime codes, and IANA names of zones.",
        bad='{to: seen, from: seen, type: timestamp, format: "%d/%m/%Y %H:%M"}',
        good='{to: seen, from: seen, type: timestamp, format: "%d/%m/%Y %H:%M", zone: Europe/Berlin}',
    ),
    Code(
        "SYN308",
        "check has no meaning",
        "A check doesn't fit the type of its field, or its pattern is not RE2.",
        "Bounds are for numbers, dates and times; format, pattern and lengths for text.",
        bad="{to: age, from: age, type: integer, check: {pattern: '[0-9]+'}}",
        good="{to: age, from: age, type: integer, check: {min: 0}}",
    ),
    Code(
        "SYN309",
        "field without one source",
        "A target field needs exactly one of from, const and template.",
        "Keep the one that is meant.",
        bad="{to: country, from: country, const: DE}",
        good="{to: country, from: country, default: DE}",
    ),
    Code(
        "SYN310",
        "target field twice",
        "Two fields of a mapping write the same target field.",
        "Keep one, or make one of both with not_null(a, b).",
    ),
    Code(
        "SYN311",
        "key is not written",
        "The key of a mapping names a field that the mapping doesn't write, or drops.",
        "Add the field, or name another key.",
    ),
    Code(
        "SYN312",
        "constant does not fit its field",
        "A const, default or lookup value is no value of the field's type.",
        "Write it as the type needs it; dates and times as ISO 8601.",
        bad="{to: score, from: score, type: integer, default: unknown}",
        good="{to: score, from: score, type: integer, default: 0}",
    ),
    Code(
        "SYN313",
        "template cannot be read",
        "Templates of mappings are text with {{ expression }} parts and nothing else.",
        "Write filters as functions, and conditions as a && b || c.",
        bad='template: "{{ name | upper }}"',
        good='template: "{{ upper(name) }}"',
    ),
    Code(
        "SYN314",
        "mapping test failed",
        "A record of the mapping's own tests does not become what the test says.",
        "Change the mapping, or the test, whichever is wrong.",
    ),
    Code(
        "SYN315",
        "mapping test cannot run",
        "A test doesn't say what it expects, expects a field that the mapping doesn't write, or its record doesn't fit"
        " the source's schema.",
        "Give exactly one of expect, reject and skip, and a record as the source would send it.",
    ),
    Code(
        "SYN317",
        "no key to protect with",
        "A field is protected by a hash, a token or encryption in its format, and the tenant has no key for that.",
        "Name the key in the tenant's spec.",
    ),
)
