"""Batches through bound mappings: which rows are good, what rejects say, and what protection leaves."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from syncline.mapping.columns import bind
from syncline.mapping.compile import compile_mapping
from syncline.mapping.records import Misplaced, frame_of, frame_of_json
from syncline.model.errors import Invalid
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.frame import source_frame_schema, target_frame_schema
from tests.unit.mapping.manifests import apply, columns, compiled, manifest, rejected, schema, through


def wall(*parts: Any) -> dt.datetime:
    """A time without a zone."""
    return dt.datetime(*parts)  # noqa: DTZ001 - without one on purpose


JSON, STRING, NUMBER, INTEGER = map(DataType, ("json", "string", "number", "integer"))


def test_good_rows_rejects_and_skipped_add_up_and_name_source_rows():
    """Rows keep their number in the source, through `where` and through rejects."""
    mapped = apply(
        "where: keep == 'y'\nfields: [{to: n, from: n, type: integer}]",
        schema(keep="string", n="string"),
        keep=["y", "n", "y", "y", None, "y"],
        n=["1", "2", "x", "4", "5", None],
    )

    assert mapped.frame["n"].to_list() == [1, 4, None]
    assert mapped.rows.to_list() == [0, 3, 5]
    assert [(r.row, r.field, r.rule, r.value, r.message) for r in mapped.rejects] == [
        (2, "n", "type", "x", "n is not an integer")
    ]
    assert mapped.skipped == 2


def test_a_clean_batch_has_no_row_list():
    """When every row is good, `rows` is None and nothing was filtered."""
    mapped = apply("fields: [{to: n, from: n, type: integer}]", schema(n="string"), n=["1", "2"])

    assert (mapped.rows, mapped.rejects, mapped.skipped) == (None, (), 0)


def test_the_first_field_in_order_is_the_one_named():
    """Of several breaches the first field of the mapping is the reject's, and of each field its first rule is told."""
    mapped = apply(
        "fields: [{to: b, from: b, type: integer, check: {max: 5, enum: [1]}}, {to: a, from: a, required: true}]",
        schema(a="string", b="string"),
        a=[None, None, "x", "x"],
        b=["x", "1", "9", "2"],
    )

    assert [(r.field, r.rule, r.value) for r in mapped.rejects] == [
        ("b", "type", "x"),
        ("a", "required", ""),
        ("b", "max", "9"),
        ("b", "enum", "2"),
    ]
    assert [[(reason.field, reason.rule) for reason in r.also] for r in mapped.rejects] == [
        [("a", "required")],
        [],
        [],
        [],
    ]


@pytest.mark.parametrize("height", [0, 1])
def test_empty_batches_and_constants_keep_the_schema(height):
    """A batch without rows, or a mapping without sources, has exactly the target's columns and the batch's height."""
    bound = columns(
        "fields: [{to: k, const: 1.50, type: 'decimal(5,2)'}, {to: x, from: \"'x'\"}, {to: d, from: v, type: date}]",
        schema(v="string"),
    )
    mapped = bound.apply(pl.DataFrame({"v": ["2024-02-29"] * height}, schema={"v": pl.String}))

    assert dict(mapped.frame.schema) == target_frame_schema(bound.target)
    assert mapped.frame.rows() == [(Decimal("1.50"), "x", dt.date(2024, 2, 29))] * height


def test_a_batch_of_nothing_but_bad_rows():
    """All rows may be rejects."""
    mapped = apply("fields: [{to: n, from: n, type: integer}]", schema(n="string"), n=["a"] * 5)

    assert mapped.frame.height == 0
    assert [r.row for r in mapped.rejects] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("entries", [1, 8, 9, 40])
def test_a_lookup_of_any_length_gives_what_it_says(entries):
    """Few entries are compared with one by one, many are joined: nulls and misses are the same for both."""
    table = {str(n): None if n == 3 else n * 10 for n in range(entries)}
    found = through(["0", str(entries - 1), "3", "x", None], "string", lookup=table, default=-1, type="integer")
    last, third = table[str(entries - 1)], table.get("3")
    assert found == [0, last, -1 if third is None else third, -1, -1]


def test_lookup_misses_are_rejects_unless_there_is_a_default():
    """A value without an entry is never null: it takes the default, or is a reject."""
    table = {"A": "active", "C": None}
    assert through(["A", "C", None], "string", lookup=table) == ["active", None, None]
    assert through(["A", "X"], "string", lookup=table)[1] == "!t has no entry for it in its lookup"
    assert through(["A", "X", "C", None], "string", lookup=table, default="none") == ["active", "none", "none", "none"]
    assert through([1, 3], "integer", lookup={"1": "high"}, default="low") == ["high", "low"]
    assert through([True, False], "boolean", lookup={"true": 1, "false": 0}, type="int32") == [1, 0]


def test_defaults_replace_null_and_nothing_else():
    """A value that doesn't fit is a reject, not the default."""
    assert through([None, "7"], "string", type="integer", default=5) == [5, 7]
    assert rejected(through(["x"], "string", type="integer", default=5)[0])
    assert through([None], "string", type="timestamp", default="2024-01-01T00:00:00+02:00") == [
        dt.datetime(2023, 12, 31, 22, tzinfo=dt.UTC)
    ]
    assert through([None], "string", type="decimal(14,2)", default=0) == [Decimal("0.00")]


CHECKS = [
    ({"format": "email"}, ["a@b.co", "o'bri@x-y.example.com", "müller@example.de", "a+b@c.d", "info@müller.de", "josé@sociedad.españa", "用户@例子.公司", "उपयोगकर्ता@उदाहरण.भारत", "a@xn--mller-kva.de", "a@col·legi.cat", "a@नामक\u200dष.भारत", "a@" + "ü" * 63 + ".de", "x" * 64 + "@b.de", "a@b." + "d" * 63], ["x" * 65 + "@b.de", "a@b." + "d" * 64, "a@b", "info@-müller.de", "info@müller-.de", "info@mü ller.de", "a@☃.net", "a@müller", "a@mül_ler.de", "a@²b.de", "a@\u0301b.de", "a@b·.cat", "a@例子。公司", "a@" + "ü" * 64 + ".de", "a b@c.de", "@b.de", "a@b..de", "a@-b.de", "a@b.de "]),
    ({"format": "url"}, ["https://a.b/c?d#e", "ftp://x"], ["a.b", "https://", "http://a b"]),
    ({"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "g23e4567-e89b-12d3-a456-426614174000"]),
    ({"format": "hostname"}, ["a", "a-b.c1"], ["-a", "a..b", "a_b", "a.b."]),
    ({"format": "ipv4"}, ["0.0.0.1", "255.255.255.255"], ["256.1.1.1", "1.1.1", "01.1.1.1", "1.1.1.1 "]),
    ({"format": "ipv6"}, ["::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4"], [":::", "1:2:3:4:5:6:7", "12345::", "1::2::3", "1:2:3:4:5:6:7:8:9", "::256.1.1.1"]),
    ({"format": "phone"}, ["+49 30 1234567", "+1 (555) 123-4567", "030/1234567"], ["12", "+", "call me", "+1234567890123456"]),
    ({"format": "country"}, ["DE", "US"], ["de", "XX", "DEU"]),
    ({"format": "currency"}, ["EUR"], ["eur", "EU", "ABC"]),
    ({"minLength": 2, "maxLength": 3}, ["ab", "äöü"], ["a", "abcd", ""]),
    ({"pattern": "a|ab"}, ["a", "ab"], ["abc", "b", "", "a\n"]),
    ({"pattern": r"\d+"}, ["12"], ["١٢", "1a"]),
    ({"enum": ["a", "b"]}, ["a", "b"], ["c", "A"]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "good", "bad"), CHECKS)
def test_checks_accept_and_reject(check, good, bad):
    """Each check accepts what it is for, rejects the rest, and lets null pass."""
    assert through([*good, None], "string", check=check) == [*good, None]
    assert all(map(rejected, through(bad, "string", check=check))), through(bad, "string", check=check)


def test_format_checks_agree_with_the_standard_library():
    """IPv6 and IPv4 addresses are what `ipaddress` says they are."""
    import ipaddress
    import itertools

    parts = ["", "0", "ffff", "1", ":", "::", "1.2.3.4", "g"]
    texts = sorted({":".join(c) for n in range(2, 6) for c in itertools.product(parts, repeat=n)})[::7]
    for version in (4, 6):
        results = through(texts, "string", check={"format": f"ipv{version}"})
        for text, result in zip(texts, results, strict=True):
            try:
                expected = ipaddress.ip_address(text).version == version
            except ValueError:
                expected = False
            assert rejected(result) is not expected, text


def test_bounds_are_typed():
    """Bounds of decimals, dates and instants are compared as such, not as text."""
    assert through(["9.99", "10.00"], "string", type="decimal(5,2)", check={"min": 10})[1] == Decimal("10.00")
    assert rejected(through(["2023-12-31"], "string", type="date", check={"min": "2024-01-01"})[0])
    assert through(["31/12/2024"], "string", type="date", format="%d/%m/%Y", check={"max": "2024-12-31"}) == [
        dt.date(2024, 12, 31)
    ]
    assert rejected(
        through(["2024-01-01T00:00:00+01:00"], "string", type="timestamp", check={"min": "2024-01-01T00:00:00Z"})[0]
    )


def test_hashes_are_keyed_and_stable():
    """A hash is the HMAC-SHA-256 of the canonical text under the tenant's key; null stays null, and joins still work."""
    bound = columns(
        "fields: [{to: a, from: a, protect: {hash: tenant}}, {to: b, from: b, type: integer, protect: {hash: tenant}}]",
        schema(a="string", b="integer"),
        b"key",
    )
    frame = bound.apply(pl.DataFrame({"a": ["7", "x", None, "x"], "b": [7, None, 8, 9]})).frame
    expected = hmac.new(b"key", b"7", hashlib.sha256).hexdigest()

    assert frame["a"][0] == frame["b"][0] == expected
    assert frame["a"][1] == frame["a"][3] != expected
    assert (frame["a"][2], frame["b"][1]) == (None, None)


def test_masks_show_what_they_keep_and_not_how_long_it_was():
    """A mask shows at most half of a value: the last characters of a long one, nothing of a short one."""
    values = ["4111111111111111", "12345678", "1234567", "123", None, ""]
    assert through(values, "string", protect={"mask": {"keep": 4}}) == [
        "***1111",
        "***5678",
        "***",
        "***",
        None,
        "***",
    ]
    assert through(["secret"], "string", protect="mask") == ["***"]


def test_dropped_fields_are_checked_and_not_written():
    """A dropped field leaves no column, and its checks still hold."""
    mapped = apply(
        "fields: [{to: a, from: a}, {to: b, from: b, protect: drop, check: {maxLength: 1}}]",
        schema(a="string", b="string"),
        a=["1", "2"],
        b=["x", "xx"],
    )

    assert mapped.frame.columns == ["a"]
    assert [r.field for r in mapped.rejects] == ["b"]


def test_binding_names_missing_columns_and_missing_keys():
    """What a real source lacks is found before the first batch."""
    with pytest.raises(Invalid) as caught:
        bind(compiled("fields: [{to: a, from: emial}]"), schema(email="string"), None)
    assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].suggestion) == ("SYN303", "email")
    with pytest.raises(Invalid, match="protects fields with a key"):
        bind(compiled("fields: [{to: a, from: a, protect: {hash: tenant}}]"), schema(a="string"), None)
    with pytest.raises(Invalid, match="a boolean can't become date"):
        bind(compiled("fields: [{to: a, from: a, type: date}]"), schema(a="boolean"), None)


NESTED = Schema(
    (
        Field("id", NUMBER),
        Field("o", JSON, fields=(Field("price", NUMBER), Field("raw", JSON), Field("text", STRING))),
        Field("l", JSON, repeated=True, fields=(Field("n", NUMBER),)),
        Field("t", DataType("timestamp")),
        Field("any", JSON),
    )
)
RECORDS = [
    '{"id":12345678901234567890.123456789,"o":{"price":1.10,"raw":{"k":[1,2.50]},"text":"a\\"\\n\\u0001é"},"l":[{"n":1e5},{"n":null}],"t":"2024-01-01T00:00:00.000001Z","any":"x"}',
    '{"id":null,"o":null,"l":null,"t":null,"any":null}',
    '{"id":-0,"o":{"price":null,"raw":null,"text":""},"l":[],"t":null,"any":1.0}',
]  # fmt: skip


def test_records_of_rejects_keep_every_digit_and_come_back():
    """A record written for a reject parses to the same numbers, and makes the same frame again."""
    bound = columns({"fields": [{"to": "a", "from": "id", "type": "string"}]}, NESTED)
    frame = frame_of_json(RECORDS, NESTED)
    texts = bound.record_json(frame, [0, 1, 2])

    for text, original in zip(texts, RECORDS, strict=True):
        assert json.loads(text, parse_float=Decimal) == json.loads(original, parse_float=Decimal)
    assert frame_of_json(texts, NESTED).equals(frame)
    assert "12345678901234567890.123456789" in texts[0]


def test_whole_records_and_nested_values_become_json_text():
    """`json` fields hold the source's values with their exact digits."""
    bound = columns(
        {
            "fields": [
                {"to": "a", "from": "@", "type": "json"},
                {"to": "b", "from": "l", "type": "json"},
                {"to": "c", "from": "o.raw", "type": "json"},
            ]
        },
        NESTED,
    )
    row = bound.apply(frame_of_json(RECORDS, NESTED)).frame.row(0)

    assert json.loads(row[0], parse_float=Decimal)["id"] == Decimal("12345678901234567890.123456789")
    assert row[1:] == ('[{"n":1E+5},{"n":null}]', '{"k":[1,2.50]}')


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ('"5"', "integer", 5), ("5", "integer", 5), ("5.0", "integer", 5), ('"5.0"', "integer", "!"), ("5.5", "integer", "!"),
        ("null", "integer", None), ("true", "boolean", True), ('"true"', "boolean", True), ("1.10", "decimal(5,2)", Decimal("1.10")),
        ("9007199254740993", "integer", 9007199254740993), ("[1]", "integer", "!"), ("{}", "string", "!"), ("1.10", "string", "1.10"),
        ('"a\\u00e9\\""', "string", 'aé"'), ("1e2", "string", "1e2"), ('"2024-02-29"', "date", dt.date(2024, 2, 29)), ("20240229", "date", "!"),
        ('"x"', "json", '"x"'), ('{"a":1.0}', "json", '{"a":1.0}'), ("null", "string", None),
    ],
)  # fmt: skip
def test_mixed_json_values_are_cast_by_what_they_are(value, type_, expected):
    """A field that holds any JSON value is cast value by value, exactly or not at all."""
    result = through([value], "json", type=type_)[0]

    assert rejected(result) if expected == "!" else result == expected


@pytest.mark.parametrize(
    ("value", "source", "field", "expected"),
    [
        (wall(2024, 7, 1, 12), "datetime", {"type": "timestamp", "zone": "Europe/Berlin"}, dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)),
        (wall(2024, 3, 31, 2, 30), "datetime", {"type": "timestamp", "zone": "Europe/Berlin"}, "!"),
        (dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC), "timestamp", {"type": "datetime", "zone": "Asia/Kathmandu"}, wall(2024, 7, 1, 17, 45)),
        (dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC), "timestamp", {"type": "string"}, "2024-07-01T12:00:00Z"),
        (wall(1965, 7, 1, 12, 0, 0, 5), "datetime", {"type": "string"}, "1965-07-01T12:00:00.000005"),
        (dt.date(2024, 2, 29), "date", {"type": "string"}, "2024-02-29"),
        (Decimal("1.500000"), "decimal(10,6)", {"type": "string"}, "1.500000"),
        (Decimal("2.000000"), "decimal(10,6)", {"type": "integer"}, 2),
        (5.0, "float", {"type": "integer"}, 5), (5.5, "float", {"type": "integer"}, "!"), (float("nan"), "float", {"type": "float"}, float("nan")),
        (float("nan"), "float", {"type": "decimal(5,2)"}, "!"), (float("inf"), "float", {"type": "json"}, "!"), (0.1, "float", {"type": "json"}, "0.1"), (1e300, "float", {"type": "integer"}, "!"), (0.1, "float", {"type": "decimal(3,1)"}, Decimal("0.1")),
        (2**31, "integer", {"type": "int32"}, "!"), (1, "integer", {"type": "boolean"}, True), (2, "integer", {"type": "boolean"}, "!"),
        (0, "integer", {"type": "timestamp", "format": "epoch"}, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        (-1, "integer", {"type": "timestamp", "format": "epoch_ms"}, dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=dt.UTC)),
        (10**18, "integer", {"type": "timestamp", "format": "epoch"}, "!"), (86400, "integer", {"type": "date", "format": "epoch"}, dt.date(1970, 1, 2)),
        (86401, "integer", {"type": "date", "format": "epoch"}, "!"), ("12:30", "string", {"type": "time"}, dt.time(12, 30)), ("24:00:00", "string", {"type": "time"}, "!"),
        ("23:59:60", "string", {"type": "time"}, "!"), ("2024-01-01T00:00:00Z", "string", {"type": "datetime"}, "!"), ("2024-01-01T00:00:00", "string", {"type": "timestamp"}, "!"),
        ("3 Feb 2024, 5:07 pm", "string", {"type": "datetime", "format": "%d %b %Y, %I:%M %p"}, wall(2024, 2, 3, 17, 7)),
        ("2024-060", "string", {"type": "date", "format": "%Y-%j"}, dt.date(2024, 2, 29)),
        ("01/02/24 03:04:05 +0530", "string", {"type": "timestamp", "format": "%d/%m/%y %H:%M:%S %z"}, dt.datetime(2024, 1, 31, 21, 34, 5, tzinfo=dt.UTC)),
    ],
)  # fmt: skip
def test_casts_between_typed_columns(value, source, field, expected):
    """Typed sources such as Parquet are cast by the same rules as text."""
    result = through([value], source, **field)[0]

    if expected == "!":
        assert rejected(result), result
    else:
        assert result == expected or (math.isnan(result) and math.isnan(expected))


def test_records_that_do_not_fit_the_source_are_named():
    """A record of a test that the source could not send is refused by its field."""
    for record, field in (
        ({"id": "x"}, "id"),
        ({"o": {"nope": 1}}, "o.nope"),
        ({"l": 5}, "l"),
        ({"zz": 1}, "zz"),
        ({"t": "noon"}, "t"),
    ):
        with pytest.raises(Misplaced) as caught:
            frame_of([record], NESTED)
        assert caught.value.field == field


def test_numbers_too_exact_to_compute_with_are_rejects():
    """A sum or comparison that would round is a reject of its record, not a wrong answer."""
    source = Schema((Field("l", NUMBER, repeated=True), Field("n", NUMBER)))
    frame = pl.DataFrame(
        {"l": [["0.1", "0.2"], ["0.1234567890123", "1"]], "n": ["1", "1e-20"]}, schema=source_frame_schema(source)
    )
    mapped = columns({"fields": [{"to": "s", "from": "sum(l)", "type": "decimal(20,6)"}]}, source).apply(frame)
    assert mapped.frame["s"].to_list() == [Decimal("0.300000")]
    assert [r.row for r in mapped.rejects] == [1]
    mapped = columns({"where": "n < `2`", "fields": [{"to": "n", "from": "n", "type": "string"}]}, source).apply(frame)
    assert mapped.frame["n"].to_list() == ["1"]
    assert [(r.row, r.field) for r in mapped.rejects] == [(1, "where")]


def test_bad_data_costs_little_and_repeated_values_are_judged_once():
    """The reject of a batch names every bad row, also when all share one value."""
    mapped = apply(
        "fields: [{to: n, from: n, type: 'decimal(6,2)'}]", schema(n="string"), n=["1.234", "1e2", "5"] * 1000
    )

    assert len(mapped.rejects) == 1000
    assert set(mapped.frame["n"].to_list()) == {Decimal(100), Decimal(5)}


def test_binding_again_gives_the_same_columns():
    """A mapping compiled without a schema binds to the same result as one compiled with it."""
    spec, source = "fields: [{to: a, from: 'upper(a)'}]", schema(a="string")
    late = bind(compile_mapping(manifest(spec), None), source, None)

    assert late.apply(pl.DataFrame({"a": ["x"]})).frame.equals(
        columns(spec, source).apply(pl.DataFrame({"a": ["x"]})).frame
    )


@pytest.mark.parametrize("name", ["*", "^a.*$", "=t", "a b", "é", "t", "v.w", '"'])
def test_any_header_can_be_read(name):
    """Names of source columns are names, also where the column library has patterns."""
    source = Schema((Field("a1", STRING), Field(name, STRING), Field("a2", STRING)))
    bound = columns(
        {"fields": [{"to": "t", "from": json.dumps(name), "type": "integer"}, {"to": "u", "from": "a2"}]}, source
    )
    frame = pl.DataFrame({"a1": ["1", "1"], name: ["2", "x"], "a2": ["3", "3"]})
    mapped = bound.apply(frame)

    assert mapped.frame.rows() == [(2, "3")]
    assert [(r.row, r.value) for r in mapped.rejects] == [(1, "x")]
    assert json.loads(bound.record_json(frame, [1])[0]) == {"a1": "1", name: "x", "a2": "3"}


FUNCTIONS = [
    ("upper(v)", "straße", "STRASSE"), ("lower(v)", "ÄB", "äb"), ("trim(v)", "  a b\t", "a b"), ("trim(v, 'x')", "xxaxx", "a"),
    ("replace(v, '.', '')", "1.000.000", "1000000"), ("split(v, ' ')[0]", "Ann Lee", "Ann"), ("split(v, ' ')[-1]", "Ann Lee", "Lee"), ("split(v, ' ')[5]", "Ann", None),
    ("substring(v, `0`, `2`)", "DE12", "DE"), ("substring(v, `-2`)", "DE12", "12"), ("substring(v, `9`)", "DE12", ""), ("pad_left(v, `5`, '0')", "42", "00042"),
    ("pad_right(v, `3`, '-')", "4", "4--"), ("concat(v, '-', v)", "a", "a-a"), ("coalesce(v, 'x')", None, "x"), ("empty_to_null(v)", "  ", None), ("empty_to_null(v)", " a", " a"),
    ("join('/', reverse(split(v, '/')))", "a/b/c", "c/b/a"), ("to_string(length(v))", "äöü", "3"), ("upper(v) || 'none'", None, "none"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value", "expected"), FUNCTIONS)
def test_functions_do_what_they_say(expression, value, expected):
    """Each of our own functions on one value."""
    assert through([value], "string", **{"from": expression}) == [expected]


def test_every_function_has_a_lowering():
    """The table of functions and the table of their column forms hold the same names."""
    from syncline.mapping import functions, lower_functions

    inside_lowering = {"ceil", "floor", "sum", "to_string"}
    assert set(functions.BY_NAME) == set(lower_functions.BY_NAME) | inside_lowering
    assert len(functions.BY_NAME) == len(functions.FUNCTIONS)


def test_odd_floats_of_rejects_come_back():
    """NaN and infinities survive the JSON of a reject, though JSON has none."""
    source = Schema((Field("f", DataType("float")), Field("o", JSON, fields=(Field("f", DataType("float")),))))
    odd = [float("nan"), float("inf"), float("-inf"), -0.0, 1e300, 5e-324, None]
    frame = pl.DataFrame({"f": odd, "o": [{"f": f} for f in odd]}, schema=source_frame_schema(source))
    bound = columns("fields: [{to: a, const: x}]", source)

    assert frame_of_json(bound.record_json(frame, range(len(odd))), source).equals(frame)
