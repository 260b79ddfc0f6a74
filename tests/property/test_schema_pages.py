"""A page that is decoded by its schema at once gives what the careful way gives: the same records, or the same error.

More pages than the gate has time for: `SYNCLINE_TEST_EXAMPLES=100 pytest tests/property/test_schema_pages.py`.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.connectors.rest.exchange.formats import Body, JsonPages
from syncline.connectors.rest.exchange.formats import json as careful
from syncline.kinds.record import RecordSchema, logical_schema
from syncline.model.errors import SynclineError
from syncline.sdk.formats.json_records import RecordDecoder
from syncline.sdk.formats.schema_pages import SchemaPages
from tests.examples import examples
from tests.property.test_decoding_of_anything import spliced

EXAMPLES = examples(300)
SCHEMA = logical_schema(
    RecordSchema.model_validate(
        {
            "properties": {
                "id": {"type": "integer"},
                "price": {"type": "number"},
                "active": {"type": "boolean"},
                "name": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "home": {"type": "object", "properties": {"city": {"type": "string"}, "rent": {"type": "number"}}},
                "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}},
                "more": {"type": "any"},
            },
            "required": ("id",),
        }
    )
)
PATHS = {"data[]": ("data",), "result.items": ("result", "items"), "@": ()}
TEXT = st.text(max_size=6) | st.sampled_from(['"', '\\"', "\u2028", "é", "😀", "a:b"])
NUMBER = st.integers(-(2**70), 2**70) | st.decimals(allow_nan=False, allow_infinity=False, places=3)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner)
)


def maybe(values):
    return st.none() | values


RECORD = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**63), 2**63 - 1),
        "price": maybe(NUMBER),
        "active": maybe(st.booleans()),
        "name": maybe(TEXT),
        "tags": maybe(st.lists(maybe(TEXT), max_size=2)),
        "home": maybe(st.fixed_dictionaries({"city": maybe(TEXT), "rent": maybe(NUMBER)})),
        "lines": maybe(st.lists(maybe(st.fixed_dictionaries({"n": maybe(NUMBER)})), max_size=2)),
        "more": ANY,
    }
)


def written(value, chance, spaces, *, ascii_only, twice=False):
    """JSON text with every digit, in the manner of one server or another; `twice`: some names stand twice."""

    def text(value):
        match value:
            case dict():
                items = list(value.items())
                chance.shuffle(items)
                if twice and items and chance.random() < 0.2:
                    items.append((items[0][0], chance.choice([None, 1, "x", items[-1][1]])))
                inside = [f"{text(name)}{spaces}:{spaces}{text(one)}" for name, one in items]
                return "{" + f"{spaces},".join(inside) + "}"
            case list():
                return "[" + f",{spaces}".join(map(text, value)) + "]"
            case Decimal():
                return str(value)
            case str():
                plain = json.dumps(value, ensure_ascii=ascii_only)
                return plain.replace('\\"', "\\u0022") if chance.random() < 0.1 else plain
            case _:
                return json.dumps(value)

    return text(value)


def enveloped(records, path, beside):
    document = records
    for name in reversed(path):
        document = {name: document, **beside}
    return document


def told(decoder, records):
    """The rows of records, and what their digests are of."""
    return decoder.frame(records).rows(), [decoder.encode(record) for record in records]


def outcome(decoder, parse, body):
    """What becomes of a body: records, with the rejects and what is beside them, or the code of the error."""
    try:
        content = parse(Body(body))
        if content.page is None:
            found = decoder.decode(content.body)
            return told(decoder, found.good), [(b.index, b.field) for b in found.bad], False
    except SynclineError as error:
        return error.code
    return told(decoder, content.page.records), [], True


def primed(records, beside):
    """A decoder, and the quick way for it, which has seen one good page."""
    decoder = RecordDecoder(SCHEMA, records)
    pages = SchemaPages(decoder, first=0)
    good = dict.fromkeys(reversed(SCHEMA.names)) | {"id": 1}  # the API's own order
    pages.learn(enveloped([good], PATHS[records], beside))
    return decoder, JsonPages(pages)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(RECORD, max_size=4),
    st.sampled_from(sorted(PATHS)),
    st.dictionaries(st.sampled_from(["next", "total", "meta"]), ANY),
    st.randoms(use_true_random=False),
    st.sampled_from(["", " ", "\n"]),
    st.booleans(),
    st.booleans(),
)
def test_a_page_in_any_writing_is_read_as_the_careful_way_reads_it(records, path, beside, chance, spaces, plain, twice):
    """Order, spaces, escapes, names that stand twice anywhere: records and errors are those of the careful way."""
    decoder, quick = primed(path, beside)
    body = written(enveloped(records, PATHS[path], beside), chance, spaces, ascii_only=plain, twice=twice).encode()
    usual = outcome(decoder, careful, body)
    found = outcome(decoder, quick, body)
    assert found[:2] == usual[:2]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=2), st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_damaged_page_is_refused_as_the_careful_way_refuses_it(records, chance, edits):
    """Bytes cut out, doubled, moved and replaced: never a record, nor an error, that the careful way wouldn't give."""
    decoder, quick = primed("data[]", {"next": None})
    body = written({"data": records, "next": "c2"}, chance, "", ascii_only=False).encode()
    body = spliced(body, chance, edits)
    usual = outcome(decoder, careful, body)
    assert outcome(decoder, quick, body)[:2] == usual[:2]


FULL = b'"price":1.10,"active":true,"name":"A","tags":[],"home":{"city":"B","rent":2},"lines":null,"more":%s'


def page(more, extra=b"", start=b'"id":1'):
    return b'{"data":[{' + start + b"," + FULL % more + extra + b'}],"next":"c2"}'


@pytest.mark.parametrize("more", [b"null", b'{"a":{"b":[1,"x"]}}', b"-1.50", b'"\\u00e4"'])
def test_a_page_that_is_as_its_schema_says_goes_the_quick_way(more):
    """The quick way is taken at all, so that the tests above compare something."""
    decoder, quick = primed("data[]", {"next": None})
    (rows, _), _, quickly = outcome(decoder, quick, page(more))
    assert quickly
    assert rows[0][1] == "1.10"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (page(b"null", b',"id":2'), "SYN412"),
        (page(b'{"a":1,"a":2}'), "SYN412"),
        (page(b"null").replace(b'"rent":2', b'"rent":2,"rent":2'), "SYN412"),
        (page(b"null").replace(b'"next":', b'"next":1,"next":'), "SYN412"),
        (page(b"null").replace(b"1.10", b"1e400"), "SYN412"),
        (page(b'"\xff"'), "SYN411"),
        (page(b"[" * 300 + b"]" * 300), "SYN412"),
        (page(b"null").replace(b'"c2"', b"[" * 300 + b"]" * 300), "SYN412"),
        (page(b"null")[:-1], "SYN411"),
    ],
)
def test_what_has_no_one_meaning_is_refused(body, code):
    """Names that stand twice at each depth, numbers and nesting beyond bounds, bytes that aren't UTF-8, a cut page."""
    decoder, quick = primed("data[]", {"next": None})
    assert outcome(decoder, quick, body) == outcome(decoder, careful, body) == code


@pytest.mark.parametrize(
    "change",
    [
        (b'"name":"A",', b""),
        (b'"name":"A"', b'"other":1,"name":"A"'),
        (b'"id":1', b'"id":"1"'),
        (b'"c2"', b'"c2","x":1'),
    ],
)
def test_other_pages_go_the_careful_way(change):
    """A field less or more, one of another type, another name beside the records: not for the quick way."""
    decoder, quick = primed("data[]", {"next": None})
    found = outcome(decoder, quick, page(b"null").replace(*change))
    assert found[2] is False
    assert found[:2] == outcome(decoder, careful, page(b"null").replace(*change))[:2]


def test_a_listing_whose_pages_are_never_so_is_soon_left_alone():
    """After some pages that were none, none is tried any more, whatever comes."""
    decoder, quick = primed("data[]", {"next": None})
    odd = re.sub(b'"name":"A",', b"", page(b"null"))
    for _ in range(20):
        assert outcome(decoder, quick, odd)[2] is False
    assert outcome(decoder, quick, page(b"null"))[2] is False
