"""Records out of JSON: every digit kept, nothing coerced, bad records apart; compared with Python's own parser."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import INTEGER, DataType, Field, Schema
from syncline.sdk.formats.json_document import check_document, excerpt
from syncline.sdk.formats.json_records import RecordDecoder, untyped_schema
from syncline.sdk.frame import source_frame_schema


def field(name, kind, **more):
    return Field(name, DataType(kind), **more)


SCHEMA = Schema(
    (
        field("id", "integer"),
        field("name", "string"),
        field("ok", "boolean"),
        field("amount", "number"),
        field("extra", "json"),
        field(
            "who",
            "json",
            fields=(field("mail", "string"), field("score", "number"), field("tags", "string", repeated=True)),
        ),
        field("lines", "json", fields=(field("sku", "string"), field("price", "number")), repeated=True),
        field("prices", "number", repeated=True),
    )
)


def decode(body, schema=SCHEMA, records="@"):
    decoder = RecordDecoder(schema, records)
    page = decoder.decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    return decoder.frame(page.good), page


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(), c, max_size=3),
)
TEXT = st.text(max_size=8)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.none() | st.integers(-(2**63), 2**63 - 1),
            "name": st.none() | TEXT,
            "ok": st.none() | st.booleans(),
            "amount": st.none() | NUMBERS,
            "who": st.none()
            | st.fixed_dictionaries(
                {},
                optional={
                    "mail": st.none() | TEXT,
                    "score": NUMBERS,
                    "tags": st.none() | st.lists(st.none() | TEXT, max_size=3),
                },
            ),
            "lines": st.none()
            | st.lists(
                st.none() | st.fixed_dictionaries({"sku": TEXT}, optional={"price": st.none() | NUMBERS}), max_size=3
            ),
            "prices": st.none() | st.lists(st.none() | NUMBERS, max_size=3),
            "unknown": JSON_VALUES,
        },
    ),
    max_size=6,
)


def written(value):
    """JSON of a value with exact numbers."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value)


def expected(value, name=""):
    """A record as its columns hold it."""
    number = name in {"amount", "score", "price", "prices"}
    match value:
        case None | bool():
            return value
        case list():
            return [expected(item, name) for item in value]
        case dict():
            names = {"who": ("mail", "score", "tags"), "lines": ("sku", "price")}[name]
            return {n: expected(value.get(n), n) for n in names}
        case _:
            return str(value) if number else value


@given(RECORDS)
def test_records_keep_every_value(records):
    """Integers, digits, texts, nested objects and lists come out exactly as they stand in the JSON."""
    frame, page = decode(written(records).encode())
    assert page.bad == ()
    assert frame.schema == source_frame_schema(SCHEMA)
    wanted = [{n: expected(r.get(n), n) for n in SCHEMA.names} for r in records]
    assert frame.to_dicts() == wanted


@pytest.mark.parametrize("count", [1, 2, 511, 512, 513, 1500])
def test_few_records_and_many_keep_every_value(count):
    """However many records there are, each column has its own values: those of few are made as one, and cut."""
    records = [
        {
            "id": at,
            "name": f"n{at}",
            "ok": at % 3 == 0,
            "amount": Decimal(at) / 100,
            "who": None
            if at % 5 == 1
            else {"mail": f"m{at}@example.com", "score": Decimal(at), "tags": ["a", f"t{at}"]},
            "lines": [{"sku": f"s{at}.{n}", "price": Decimal(n)} for n in range(at % 4)],
            "prices": None if at % 7 == 2 else [Decimal(at), Decimal(1)],
        }
        for at in range(count)
    ]
    frame, page = decode(written(records).encode())
    assert page.bad == ()
    assert frame.schema == source_frame_schema(SCHEMA)
    assert frame.to_dicts() == [{n: expected(r.get(n), n) for n in SCHEMA.names} for r in records]


@pytest.mark.parametrize(
    "digits", ["0", "-0", "-0.0", "1.10", "12345678901234.123456789", "1e5", "1E-400", "0.1000", "9" * 40, "-1.5e+10"]
)
def test_numbers_keep_their_digits(digits):
    """A number is the text of its digits: no float is made of it."""
    frame, _ = decode(f'[{{"amount": {digits}, "prices": [{digits}]}}]'.encode())
    assert frame["amount"].to_list() == [digits]
    assert frame["prices"].to_list() == [[digits]]


def test_json_fields_keep_their_text():
    """A field without a declared shape is its JSON text."""
    frame, _ = decode(b'[{"extra": {"a":  1.0}}, {"extra": "x"}, {"extra": null}, {}]')
    assert frame["extra"].to_list() == ['{"a":  1.0}', '"x"', None, None]


@pytest.mark.parametrize(
    ("record", "path"),
    [
        ({"id": "1"}, "id"),
        ({"id": 1.0}, "id"),
        ({"id": 2**63}, "id"),
        ({"id": True}, "id"),
        ({"name": 1}, "name"),
        ({"ok": 1}, "ok"),
        ({"ok": "true"}, "ok"),
        ({"amount": "1"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": [1]}, "amount"),
        ({"who": []}, "who"),
        ({"who": {"mail": 5}}, "who.mail"),
        ({"who": {"score": "5"}}, "who.score"),
        ({"who": {"tags": "a"}}, "who.tags"),
        ({"who": {"tags": [1]}}, "who.tags[0]"),
        ({"lines": {"sku": "a"}}, "lines"),
        ({"lines": [{"sku": 1}]}, "lines[0].sku"),
        ({"lines": [{"price": "1"}]}, "lines[...].price"),
        ({"prices": ["1"]}, "prices"),
        ([], ""),
        (None, ""),
        ("text", ""),
    ],
)
def test_a_wrong_type_sets_the_record_aside(record, path):
    """A value of another type makes its record malformed, with its path; the records beside it are kept."""
    frame, page = decode([{"id": 1}, record, {"id": 3}])
    assert frame["id"].to_list() == [1, 3]
    assert list(page.rows) == [0, 2]
    [bad] = page.bad
    assert (bad.index, bad.field) == (1, path)
    assert json.loads(bad.raw) == record


@pytest.mark.parametrize("kind", ["string", "number", "json", "integer"])
def test_required_fields(kind):
    """A field that may not be null makes a record malformed when it is null or missing."""
    schema = Schema((field("id", kind, nullable=False), field("x", "string")))
    good = {"string": "a"}.get(kind, 1)
    _, page = decode([{"id": good}, {"id": None}, {"x": "a"}], schema)
    assert [bad.index for bad in page.bad] == [1, 2]
    assert {bad.field for bad in page.bad} == {"id"}


@pytest.mark.parametrize(
    ("records", "body"),
    [
        ("@", [{"id": 1}, {"id": 2}]),
        ("[]", [{"id": 1}, {"id": 2}]),
        ("data", {"data": [{"id": 1}, {"id": 2}]}),
        ("data[]", {"data": [{"id": 1}, {"id": 2}], "n": {}}),
        ("data[*]", {"data": [{"id": 1}, {"id": 2}]}),
        ("a.b.items", {"a": {"b": {"items": [{"id": 1}, {"id": 2}]}}}),
        ('"odata.value"', {"odata.value": [{"id": 1}, {"id": 2}]}),
        ("items[*].node", {"items": [{"node": {"id": 1}}, {"node": {"id": 2}}]}),
        ("items[].a.b", {"items": [{"a": {"b": {"id": 1}}}, {"a": {"b": {"id": 2}}}]}),
        ("items[?id > `0`]", {"items": [{"id": 1}, {"id": 0}, {"id": 2}]}),
        ("items | [].{id: key}", {"items": [{"key": 1}, {"key": 2}]}),
        ("values(@)", {"x": {"id": 1}, "y": {"id": 2}}),
    ],
)
def test_records_are_found(records, body):
    """Simple paths and any other JMESPath expression lead to the same records."""
    frame, _ = decode(body, records=records)
    assert frame["id"].to_list() == [1, 2]


def test_other_expressions_keep_digits():
    """An expression that the fast path can't select gives exact numbers all the same."""
    frame, _ = decode(b'{"i": [{"id": 9223372036854775807, "amount": 1.10}]}', records="i[?amount > `1`]")
    assert frame.select("id", "amount").row(0) == (9223372036854775807, "1.10")


@pytest.mark.parametrize("records", ["data", "data[]", "data[?id]", "data[].node"])
def test_no_list_is_no_empty_page(records):
    """An answer without the list is refused; an empty list, or null where one is allowed, is no records."""
    with pytest.raises(Invalid) as caught:
        decode({"error": "x"}, records=records)
    assert caught.value.code == "SYN413"
    assert decode({"data": []}, records=records)[0].height == 0


def test_one_object_is_one_record():
    """An endpoint that gives one object is a listing of one."""
    assert decode({"id": 7})[0]["id"].to_list() == [7]
    assert decode({"data": {"id": 7}}, records="data")[0]["id"].to_list() == [7]


def test_without_a_schema_fields_are_json_text():
    """Without a declared schema the used fields are read, each as JSON text."""
    schema = untyped_schema(("id", "who.mail", "lines[].sku", '"odd name".x', "who.name"))
    assert schema.names == ("id", "who", "lines", "odd name")
    frame, _ = decode(b'[{"id": 1.0, "who": {"mail": "x"}, "odd name": "a"}]', schema)
    assert frame.to_dicts() == [{"id": "1.0", "who": '{"mail": "x"}', "lines": None, "odd name": '"a"'}]
    assert all(kind == pl.String for kind in frame.dtypes)


@given(st.recursive(JSON_VALUES, lambda c: st.lists(c, max_size=3)), st.integers(0, 3))
def test_every_document_passes_its_check(value, indent):
    """No well-formed document is refused, however it is written."""
    body = json.dumps(value, indent=indent or None, ensure_ascii=indent == 1).encode()
    try:
        value_again = json.loads(body)
    except ValueError:
        return
    assert check_document(body)[0] == body
    assert value_again == value


@given(st.dictionaries(st.text(), st.text() | st.integers(0, 9), min_size=1, max_size=4), st.data())
def test_every_double_name_is_found(fields, data):
    """A name that stands twice is found wherever it is, however it and its neighbours are escaped or spaced."""
    pairs = list(fields.items())
    name = data.draw(st.sampled_from(sorted(fields)))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (name, data.draw(st.text() | st.integers(0, 9))))
    colon = data.draw(st.sampled_from([":", " :", ": ", "\n:"]))

    def text(value):
        if not isinstance(value, str):
            return str(value)
        return "".join(
            data.draw(st.sampled_from([json.dumps(c)[1:-1], f"\\u{ord(c):04x}"]))
            if ord(c) < 0x10000 and not 0xD800 <= ord(c) < 0xE000
            else c
            for c in value
        ).join('""')

    inner = "{" + ",".join(text(k) + colon + text(v) for k, v in pairs) + "}"
    with pytest.raises(SynclineError) as caught:
        check_document(f'{{"a": [{inner}]}}'.encode())
    assert caught.value.code == "SYN412"


def test_an_excerpt_is_harmless():
    """What is quoted of an answer has no control or direction characters, no secret, and at most 120 characters."""
    text = excerpt(
        ("<b>\x1b[31m\u202e\x00 " + "x" * 110 + "secret" + "y" * 500).encode(), lambda t: t.replace("secret", "***")
    )
    assert text.isprintable()
    assert "sec" not in text
    assert len(text) <= 121


def test_an_object_where_a_list_is_declared_is_refused():
    """`data[]` asks for a list: an object there is an error, not a page with a record of nulls."""
    decoder = RecordDecoder(Schema((Field("id", INTEGER),)), "data[]")

    with pytest.raises(Invalid) as caught:
        decoder.decode(b'{"data": {"error": "out of order"}}')

    assert caught.value.code == "SYN413"


def test_a_path_without_brackets_may_name_one_record():
    """`data` takes an object as its only record."""
    decoder = RecordDecoder(Schema((Field("id", INTEGER),)), "data")

    assert decoder.decode(b'{"data": {"id": 7}}').count == 1
