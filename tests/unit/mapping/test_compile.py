"""What a mapping's author is told: each finding, its code, its place and what to write instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from syncline.mapping.compile import compile_mapping
from syncline.model.codes import CODES
from syncline.model.schema import DataType, Field, Schema
from tests.unit.mapping.manifests import compiled, manifest

STRING, INTEGER, JSON = DataType("string"), DataType("integer"), DataType("json")
SOURCE = Schema(
    (
        Field("id", INTEGER),
        Field("email", STRING, data_class="pii.email"),
        Field("amount", DataType("number")),
        Field("active", DataType("boolean")),
        Field("day", DataType("date")),
        Field("owner", JSON, data_class="pii", fields=(Field("name", STRING), Field("age", INTEGER))),
        Field("lines", JSON, repeated=True, fields=(Field("sku", STRING), Field("qty", INTEGER))),
        Field("tags", STRING, repeated=True),
        Field("anything", JSON),
    )
)

FINDINGS = [
    ("{to: t, from: emial}", "SYN303", "from", "the source has no field 'emial'", "email"),
    ("{to: t, from: owner.nmae}", "SYN303", "from+6", "owner has no field 'nmae'", "name"),
    ("{to: t, from: 'upper(emial)'}", "SYN303", "from+6", "the source has no field 'emial'", "email"),
    ("{to: t, from: email.domain}", "SYN303", "from+6", "email is text and has no fields", ""),
    ("{to: t, from: anything.x}", "SYN303", "from+9", "anything is JSON of no declared shape, so that 'x' can't be found in it", ""),
    ("{to: t, from: lines.sku}", "SYN304", "from+6", "lines is a list, so that 'sku' has to be asked of its elements", ""),
    ("{to: t, from: 'owner[0]'}", "SYN304", "from", "owner is an object, not a list", ""),
    ("{to: t, from: 'a b'}", "SYN301", "from+2", "not a JMESPath expression: 'b' is not expected here", ""),
    ("{to: t, from: 'a.'}", "SYN301", "from+1", "not a JMESPath expression: it ends too early", ""),
    ("{to: t, from: '{a: email}'}", "SYN302", "from", "building an object can't be turned into columns", ""),
    ("{to: t, from: 'owner.*'}", "SYN302", "from", "values of unknown keys (*) can't be turned into columns", ""),
    ("{to: t, from: 'sort_by(lines, &sku)'}", "SYN302", "from+15", "an expression reference (&) can't be turned into columns", ""),
    ("{to: t, from: 'lines[::2]'}", "SYN302", "from+5", "a slice with step 2 can't be turned into columns", ""),
    ("{to: t, from: uper(email)}", "SYN305", "from", "there is no function 'uper'", "upper"),
    ("{to: t, from: upper(id)}", "SYN305", "from+6", "upper needs text as its text, and id is an integer", ""),
    ("{to: t, from: 'upper(email, id)'}", "SYN305", "from", "upper takes 1 argument, not 2", ""),
    ("{to: t, from: 'split(email, email)'}", "SYN305", "from+13", "separator of split must be written as a literal", ""),
    ("{to: t, from: 'split(email, `null`)'}", "SYN305", "from+13", "separator of split can't be null", ""),
    ("{to: t, from: \"pad_left(email, `5`, 'ab')\"}", "SYN305", "from+21", "fill of pad_left has to be one character", ""),
    ("{to: t, from: 'substring(email, `0`, `-1`)'}", "SYN305", "from+22", "length of substring is -1, and has to be 0 to 65535", ""),
    ("{to: t, from: 'tags[99999999999]'}", "SYN302", "from+4", "an index beyond 1,000,000,000 has no use", ""),
    ("{to: t, from: 'join(email, tags)'}", "SYN305", "from+5", "glue of join must be written as a literal", ""),
    ("{to: t, from: \"join(', ', lines)\"}", "SYN305", "from+11", "join needs a list of texts as its texts, and lines is a list of object", ""),
    ("{to: t, from: 'email || id'}", "SYN304", "from", "text and an integer have no common type", ""),
    ("{to: t, from: 'id == email', type: boolean}", "SYN304", "from+6", "an integer never equals text", ""),
    ("{to: t, from: 'email > `5`', type: boolean}", "SYN304", "from", "email is text, and JMESPath orders numbers only", ""),
    ("{to: t, from: 'tags == tags', type: boolean}", "SYN304", "from", "a list of text can't be compared", ""),
    ("{to: t, from: active, type: date}", "SYN306", "type", "a boolean can't become date: no value of the one is a value of the other", ""),
    ("{to: t, from: lines}", "SYN306", "", "a list of object can't become string: lists and objects have no single value", ""),
    ("{to: t, from: amount, type: timestamp}", "SYN306", "type", "a number can't become timestamp: numbers are times only with format: epoch or epoch_ms", ""),
    ("{to: t, from: day, type: timestamp, zone: UTC}", "SYN306", "type", "a date can't become timestamp: one holds what the other doesn't", ""),
    ("{to: t, from: tags, lookup: {a: b}}", "SYN306", "lookup", "a list of text has no lookup", ""),
    ("{to: t, from: email, type: date, format: '%d/%m'}", "SYN307", "format", "format '%d/%m' states no whole date", ""),
    ("{to: t, from: email, type: date, format: '%Y-%m-%d %Q'}", "SYN307", "format", "%Q is not a known code", ""),
    ("{to: t, from: email, type: date, format: '%Y-%m-%d %H'}", "SYN307", "format", "states a time, which a date would lose", ""),
    ("{to: t, from: email, type: date, format: '%Y-%m-%d %M'}", "SYN307", "format", "%M says nothing without %H", ""),
    ("{to: t, from: email, type: timestamp, format: '%Y-%m-%d'}", "SYN307", "format", "states no offset from UTC", ""),
    ("{to: t, from: email, format: '%Y'}", "SYN307", "format", "format is about dates and times, and t is string", ""),
    ("{to: t, from: email, type: timestamp, zone: Europe/Berln}", "SYN307", "zone", "there is no time zone 'Europe/Berln'", ""),
    ("{to: t, from: email, type: timestamp, zone: ../../etc/passwd}", "SYN307", "zone", "there is no time zone", ""),
    ("{to: t, from: email, type: date, zone: UTC}", "SYN307", "zone", "zone is about timestamps, and t is date", ""),
    ("{to: t, from: id, type: integer, check: {pattern: a}}", "SYN308", "check.pattern", "check of t: pattern is about text, and the field is integer", ""),
    ("{to: t, from: email, check: {pattern: '(?=a)'}}", "SYN308", "check.pattern", "check of t: is no RE2 pattern: invalid perl operator: (?=", ""),
    ("{to: t, from: email, check: {min: 5}}", "SYN308", "check.min", "check of t: min is about numbers, dates and times, and the field is string", ""),
    ("{to: t, from: id, type: integer, check: {max: 1.5}}", "SYN308", "check.max", "check of t: 1.5 is not an integer", ""),
    ("{to: t}", "SYN309", "", "t has no source", ""),
    ("{to: t, from: id, const: 1, type: integer}", "SYN309", "", "t has from and const", ""),
    ("{to: t, from: id, type: integer, default: many}", "SYN312", "default", "default: 'many' is not an integer", ""),
    ("{to: t, from: email, type: date, default: '2023-02-29'}", "SYN312", "default", "default: '2023-02-29' names a day that isn't in the calendar", ""),
    ("{to: t, from: email, lookup: {a: 1.5}, type: 'decimal(3,1)'}", "", "", "", ""),
    ("{to: t, const: [1], type: integer}", "SYN312", "const", "const is a list, and the field is integer", ""),
    ("{to: t, const: 12.345, type: 'decimal(5,2)'}", "SYN312", "const", "const: 12.345 has 3 fraction digits, and decimal(5,2) holds 2", ""),
    ("{to: t, template: 'plain'}", "SYN313", "template", "this template holds no {{ expression }}", ""),
    ("{to: t, template: '{{ email'}", "SYN313", "template", "this {{ is not closed by }}", ""),
    ("{to: t, template: 'a {% if x %}'}", "SYN313", "template+2", "{% has no meaning here", ""),
    ("{to: t, template: 'Dear {{ emial }}'}", "SYN303", "template+8", "the source has no field 'emial'", "email"),
    ("{to: t, template: '{{ tags }}'}", "SYN304", "template+3", "tags is a list of text, which has no place in a text", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), [("Kunden-Nr", True), ("E Mail", True), ("a == ", False), ("'a' b", False)])
def test_a_header_that_is_no_identifier_is_to_be_quoted(text, meant):
    """Who writes a column's name as it stands is shown how it is written; who writes an expression isn't."""
    (found,) = compiled(f'fields:\n- {{to: t, from: "{text}"}}\n', SOURCE).diagnostics

    assert found.code == "SYN301"
    assert (f"from: '\"{text}\"'" in found.help) == meant


@pytest.mark.parametrize(("field", "code", "part", "message", "suggestion"), [f for f in FINDINGS if f[1]])
def test_each_mistake_has_its_code_place_and_suggestion(field, code, part, message, suggestion):
    """A wrong field gives exactly one finding, which stands where the mistake is."""
    text = f"fields:\n- {field}\n"
    found = compiled(text, SOURCE).diagnostics

    assert [(d.code, d.suggestion) for d in found] == [(code, suggestion)], found
    assert message in found[0].message
    where = part.partition("+")[0]
    offset = int(part.partition("+")[2] or 0)
    place = manifest(text).place_of("spec", "fields", 0, *(where.split(".") if where else ()))
    line = text.splitlines()[place.line - 1]
    quote = 1 if offset and line[place.column - 1] in "'\"" else 0
    assert (found[0].place.line, found[0].place.column) == (place.line, place.column + offset + quote)
    if suggestion:  # it can be written there
        assert repr(line[found[0].place.column - 1 : found[0].place.end_column - 1]) in message
    assert found[0].code in CODES


def test_all_findings_come_at_once():
    """Every wrong field of a mapping is reported, in the order of the file."""
    found = compiled(
        "fields:\n- {to: a, from: nope}\n- {to: a, from: id, type: date}\nkey: [b]\nwhere: 'x y'\n", SOURCE
    )

    assert [d.code for d in found.diagnostics] == ["SYN303", "SYN310", "SYN306", "SYN311", "SYN301"]


def test_a_key_is_required_and_can_not_be_dropped():
    """A field of the key is never null in the target, and a dropped one can't be a key."""
    assert not compiled("key: [id]\nfields: [{to: id, from: id, type: integer}]").target.fields[0].nullable
    found = compiled("key: [id]\nfields: [{to: id, from: id, type: integer, protect: drop}]")
    assert [d.message for d in found.diagnostics] == ["the key has id, which is dropped"]


def test_unknown_sources_allow_all_fields():
    """Without a declared schema every path is allowed, and what is read is recorded."""
    found = compiled("where: a.b\nfields: [{to: t, from: 'lines[].sku | [0]'}, {to: u, from: 'upper(c)'}]")

    assert found.diagnostics == ()
    assert found.reads == ("a.b", "lines.sku", "c")


def test_classes_are_inherited_and_declared_ones_added():
    """Lineage records the classes of the source field and of the target, with the protection between."""
    found = compiled(
        """
        fields:
        - {to: mail, from: lower(email), protect: {hash: tenant}}
        - {to: public, from: email, class: public}
        - {to: name, template: "{{ owner.name }} {{ id }}"}
        - {to: gone, from: email, protect: drop}
        - {to: end, from: email, protect: {mask: {keep: 4}}}
        - {to: everything, from: "@", type: json}
        """,
        SOURCE,
    )
    flows = [(f.source, f.source_class, f.target, f.target_class, f.protection) for f in found.flows]

    assert flows[:6] == [
        ("email", "pii.email", "mail", "pii.email", "hash"),
        ("email", "pii.email", "public", "pii.email, public", ""),
        ("owner.name", "pii", "name", "pii", ""),
        ("id", "", "name", "pii", ""),
        ("email", "pii.email", "gone", "pii.email", "drop"),
        ("email", "pii.email", "end", "pii.email", "mask"),
    ]
    assert [f[0] for f in flows[6:]] == list(SOURCE.names)
    assert {f[3] for f in flows[6:]} == {"pii, pii.email"}
    first = found.target.fields[0]
    assert (first.name, str(first.type), first.data_class) == ("mail", "string", "pii.email")
    assert "gone" not in found.target.names


CONTACT = Schema(
    (
        Field(
            "contact",
            JSON,
            fields=(Field("mail", STRING, data_class="pii.email"), Field("card", JSON, inner_classes=("pci.pan",))),
        ),
        Field("people", JSON, data_class="hr", fields=(Field("name", STRING, data_class="pii.name"),), repeated=True),
        Field("code", STRING),
    )
)


@pytest.mark.parametrize(
    ("field", "classes"),
    [
        ("from: contact, type: json", ["pci.pan", "pii.email"]),
        ('from: "@", type: json', ["hr", "pci.pan", "pii.email", "pii.name"]),
        ("from: contact.mail", ["pii.email"]),
        ("from: contact.card, type: json", ["pci.pan"]),
        ("from: 'people[].name | [0]'", ["hr", "pii.name"]),
        ("from: \"people[?name == 'x'] | [0]\", type: json", ["hr", "pii.name"]),
        ("template: '{{ contact.mail }} {{ code }} {{ people[0].name }}'", ["hr", "pii.email", "pii.name"]),
        ("from: contact.mail, lookup: {a: b}", ["pii.email"]),
        ("from: contact.mail, class: public", ["pii.email", "public"]),
        ("from: code, class: internal", ["internal"]),
        ("from: code", []),
    ],
)
def test_a_target_has_the_classes_of_everything_that_it_is_made_of(field, classes):
    """Inner fields, parts of a template, conditions and the key of a lookup count; a declared class takes none away."""
    found = compiled(f"fields: [{{to: t, {field}}}]", CONTACT)

    assert {flow.classes for flow in found.flows} == {tuple(classes)}


def test_protected_numbers_are_written_as_text():
    """A hash or a mask is text, whatever the field's type was."""
    target = compiled("fields: [{to: a, from: id, type: integer, protect: {hash: tenant}}]", SOURCE).target

    assert str(target.fields[0].type) == "string"


def test_compiling_imports_no_column_library():
    """`validate` can compile mappings without paying for polars."""
    code = "import sys, syncline.mapping.compile; assert not {'polars', 'pyarrow', 'numpy'} & set(sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "text", ["(" * 400 + "a" + ")" * 400, "!" * 4000 + "a", ".".join("a" * 2000), "a" * 4096, "`" * 99, "[" * 2000]
)
def test_hostile_expressions_end_in_a_finding_or_compile(text):
    """Nesting and length never exhaust the stack."""
    found = compile_mapping(manifest({"fields": [{"to": "t", "from": text}]}), None)

    assert all(d.code in {"SYN301", "SYN302"} for d in found.diagnostics)
