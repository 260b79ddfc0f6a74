"""Whatever bytes an API answers with: records, rejects, or one of our errors; never another exception, nor much memory.

Bodies are anything, or good ones that were cut, swapped and spliced, in every format, packed or not. More of them than
the gate has time for: `SYNCLINE_TEST_EXAMPLES=100 pytest tests/property/test_decoding_of_anything.py`.
"""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import zipfile
import zlib
from functools import cache
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.model.errors import Bug, SynclineError
from syncline.sdk.http import Response
from tests.examples import examples
from tests.rest_streams import FunctionTransport, instance, read, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.sdk.source import Instance

EXAMPLES = examples(150)

FIELDS = {
    "id": "{type: integer}",
    "price": "{type: number}",
    "active": "{type: boolean}",
    "name": "{type: string}",
    "at": "{type: string}",
    "tags": "{type: array, items: {type: string}}",
    "home": "{type: object, properties: {city: {type: string}, floor: {type: integer}}}",
    "more": "{type: any}",
}
#: Columns of the tables; other formats have all fields.
COLUMNS = {"csv": ("id", "price", "active", "name", "at"), "latin": ("id", "name", "price")}
#: How a stream reads each format, and a good answer of it.
FORMATS = {
    "json": (
        "{decode: json, records: 'data[]', key: [id], cursor: {field: at, type: timestamp}}",
        (
            '{"data": [{"id": 1, "price": 1.10, "active": true, "name": "Ä\\u00e4\\ud83d\\ude00", "tags": ["a", null], '
            '"home": {"city": "B", "floor": 2}, "more": [1e300, -0], "at": "2026-01-01T00:00:00Z"}, '
            '{"id": 9007199254740993, "price": -1E-7, "more": {"a": {}}}], "next": null}'
        ),
    ),
    "jsonl": (
        "{decode: jsonl, key: [id]}",
        '{"id": 1, "price": 1.10, "tags": []}\n\n{"id": 2, "name": "\\u0000", "home": {"floor": "x"}}\r\n{"id": 3}\n',
    ),
    "csv": (
        '{decode: csv, csv: {delimiter: ";"}}',
        'id;price;active;name;at\r\n1;1.10;true;"a ""b"";\nc";\r\n2;;false;Ä;\n3;x;;"d";\n',
    ),
    "latin": (
        "{decode: csv, csv: {encoding: windows-1252, header: false, columns: [id, name, price]}}",
        "1,M\u00fcller,1.5\n2,,\n",
    ),
    "xml": (
        '{decode: xml, records: "feed.entry[]", flatten: _, fields: {rename: {"@id": id}}}',
        (
            '<?xml version="1.0" encoding="UTF-8"?><f:feed xmlns:f="urn:f"><!-- c --><entry id="1"><name>A &amp; &#x41;'
            "</name><price>1.1</price><tags>x</tags><tags>y</tags></entry><entry id='2'><![CDATA[<]]></entry></f:feed>"
        ),
    ),
}
MEDIA = ("", "application/json", "application/json; charset=utf-16", "text/csv", "text/html", "application/xml", "a;;=")
#: Bytes that parsers look at.
_SPECIAL = [
    *(bytes([b]) for b in b'\x00\r\n"\\{}[]<>&;,:\xff\xfe\x1f\x8b'),
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"NaN",
    b"1e999999999",
    b"9" * 400,
    b"[" * 3000,
    b"<a>" * 300,
    b"<!DOCTYPE a>",
    b"&x;",
    b"&#0;",
    b"PK\x03\x04",
]


@cache
def made(form: str, typed: bool) -> Instance:
    """A connector whose stream is in a format, with a schema or without one."""
    stream = {"get": "/items", **yaml.safe_load(FORMATS[form][0])}
    if typed:
        properties = {name: yaml.safe_load(FIELDS[name]) for name in COLUMNS.get(form, FIELDS)}
        stream["schema"] = {"required": ["id"], "properties": properties}
    return instance(yaml.safe_dump({"streams": {"items": stream}}))


def answered(form: str, body: bytes, media: str = "", *, typed: bool = True) -> int:
    """How many records and rejects an answer gives; our errors are -1. Everything else passes through."""
    headers = {"content-type": media} if media else {}
    transport = FunctionTransport(lambda _: Response(200, headers, body))
    paths = ("id", "name") if form in COLUMNS else ("id", "name", "home.city")
    error: SynclineError | None = None
    try:
        batches = read(source(made(form, typed), paths=paths, transport=transport))
    except SynclineError as caught:
        error, batches = caught, []
    if error is not None:
        assert not isinstance(error, Bug), error
        assert error.code.startswith("SYN4"), error.code
        assert error.message.isprintable()
        assert len(error.message) < 4000
        return -1
    for batch in batches:
        assert all(bad.message and len(bad.raw) <= 65_536 for bad in batch.malformed)
    return sum(batch.frame.height + len(batch.malformed) for batch in batches)


def zipped(body: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a"), body)
        archive.writestr(zipfile.ZipInfo("b"), body)
    return packed.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "zip": zipped,
    "zlib": zlib.compress,
}


def spliced(body: bytes, chance: random.Random, edits: int) -> bytes:
    """A body after some edits: pieces cut out, doubled, moved, bytes replaced, what parsers look at put in."""
    for _ in range(edits):
        low, high = sorted(chance.randrange(len(body) + 1) for _ in range(2))
        piece = body[low:high]
        at = chance.randrange(len(body) + 1)
        match chance.randrange(6):
            case 0:
                body = body[:low] + body[high:]
            case 1:
                body = body[:at] + piece + body[at:]
            case 2:
                body = body[:at] + chance.choice(_SPECIAL) + body[at:]
            case 3:
                body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
            case 4:
                body = body[:at]
            case _:
                body = body[:low] + bytes(piece[::-1]) + body[high:]
    return body


def encoded(form: str) -> bytes:
    return FORMATS[form][1].encode("windows-1252" if form == "latin" else "utf-8")


@pytest.mark.parametrize("form", FORMATS)
def test_the_good_answers_are_read(form):
    """What is spliced below is a good answer by itself, in each form: of its records some are read."""
    assert answered(form, encoded(form)) > 1
    assert answered(form, encoded(form), typed=False) > 1
    assert answered(form, gzip.compress(encoded(form))) > 1
    assert answered(form, zipped(encoded(form))) > 2


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400), st.sampled_from(MEDIA), st.sampled_from(sorted(PACKED)), st.booleans())
def test_any_bytes_are_records_or_one_of_our_errors(form, body, media, packed, typed):
    """Bytes that are nothing at all, with any Content-Type, packed or not."""
    answered(form, PACKED[packed](body), media, typed=typed)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.integers(1, 6),
    st.integers(0, 3),
    st.sampled_from(MEDIA[:2]),
    st.sampled_from(sorted(PACKED)),
    st.booleans(),
)
def test_good_answers_that_were_spliced_are_records_or_one_of_our_errors(
    form, chance, inside, outside, media, packed, typed
):
    """Good answers with edits, before they are packed and after."""
    body = PACKED[packed](spliced(encoded(form), chance, inside))
    answered(form, spliced(body, chance, outside), media, typed=typed)


CHILD = """
import random
from tests.property import test_decoding_of_anything as fuzz
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
chance = random.Random(1)
for form in fuzz.FORMATS:
    for packed in fuzz.PACKED.values():
        fuzz.answered(form, packed(fuzz.encoded(form)))
before = peak()
kinds = set()
for number in range(1500):
    form = chance.choice(list(fuzz.FORMATS))
    body = chance.choice(list(fuzz.PACKED.values()))(fuzz.spliced(fuzz.encoded(form), chance, 1 + number % 4))
    kinds.add(fuzz.answered(form, fuzz.spliced(body, chance, number % 2), typed=bool(number % 3)) >= 0)
print(len(kinds), (peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the greatest memory of a process")
def test_what_is_small_takes_little_memory():
    """1,500 spliced answers of below a few kilobytes each raise the greatest memory of a process by less than 64 MiB."""
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    kinds, grown = map(int, done.stdout.split())
    assert kinds == 2
    assert grown < 64
