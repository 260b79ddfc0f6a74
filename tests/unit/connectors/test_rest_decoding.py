"""Answers in JSON Lines, CSV and XML, packed or not, and records reshaped: exact values, or one clear error."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import time
import zipfile
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Again, Invalid, SynclineError
from syncline.sdk.http import Response
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

SCHEMA = """
    schema:
      properties:
        id: {type: integer}
        price: {type: number}
        active: {type: boolean}
        name: {type: string}
"""


def stream(text, schema=SCHEMA):
    return "streams:\n  items:\n    get: /items\n" + "".join(f"    {line}\n" for line in text.splitlines()) + schema


def batch_of(text, body, schema=SCHEMA, config=None, **headers):
    """The one batch of a stream whose only answer is `body`."""
    response = Response(200, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    transport = FunctionTransport(lambda _: response)
    [batch] = read(source(instance(stream(text, schema), config=config), transport=transport))
    return batch


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


# --- formats


def test_csv_becomes_values_of_the_schema():
    """Texts of CSV become integers, numbers with their digits, and booleans; places are lines; a bad value is one reject."""
    body = b'id,name,price,active\r\n9007199254740993,"Ada, ""A""",1.10,true\n2,,-0.5e3,\nx,y,1,true\n4,z,1'
    batch = batch_of("decode: csv", body, content_type="text/csv")
    assert rows([batch]) == [
        {"id": 9007199254740993, "price": "1.10", "active": True, "name": 'Ada, "A"'},
        {"id": 2, "price": "-0.5e3", "active": None, "name": None},
    ]
    assert batch.places([0, 1]) == ["GET /items#2", "GET /items#3"]
    assert [(bad.place, bad.field) for bad in batch.malformed] == [("GET /items#4", "id"), ("GET /items#5", "")]


def test_csv_in_a_dialect():
    """Delimiter, encoding, nulls and missing header are as declared."""
    body = "1;Müller;1,5\n2;-;\n".encode("windows-1252")
    declared = 'decode: csv\ncsv: {delimiter: ";", encoding: windows-1252, header: false, columns: [id, name, price], nulls: ["-"]}'
    schema = "    schema: {properties: {id: {type: integer}, name: {type: string}}}"
    assert [row["name"] for row in rows([batch_of(declared, body, schema)])] == ["Müller", None]


def test_json_lines_are_records():
    """Each line is a record; one that is none is set aside with its line, empty lines are nothing."""
    body = b'{"id": 1, "price": 1.10}\n\n[2]\r\n{"id": 3, "id": 4}\n{"id": 5}\n'
    batch = batch_of("decode: jsonl", body)
    assert [(row["id"], row["price"]) for row in rows([batch])] == [(1, "1.10"), (5, None)]
    assert [bad.place for bad in batch.malformed] == ["GET /items#3", "GET /items#4"]
    assert batch.places([1]) == ["GET /items#5"]


def test_xml_elements_are_records():
    """Elements at the path of `records` are records: attributes, text and lists as the schema declares them."""
    body = b"""<?xml version="1.0"?>
    <f:feed xmlns:f="urn:f"><meta/><entry id="1"><name lang="de">A</name><price> 1.10 </price><tag>x</tag></entry>
    <entry id="2"><name>B</name><active>false</active><tag>x</tag><tag>y</tag></entry></f:feed>"""
    schema = """
    fields: {rename: {"@id": id}}
    schema:
      properties:
        id: {type: integer}
        name: {type: string}
        price: {type: number}
        active: {type: boolean}
        tag: {type: array, items: {type: string}}
"""
    batch = batch_of("decode: xml\nrecords: feed.entry[]", body, schema, content_type="application/xml")
    assert rows([batch]) == [
        {"id": 1, "name": "A", "price": "1.10", "active": None, "tag": ["x"]},
        {"id": 2, "name": "B", "price": None, "active": False, "tag": ["x", "y"]},
    ]


@pytest.mark.parametrize("entries", [b"<entry><id>7</id></entry>", b""])
def test_one_element_or_none_is_a_list_too(entries):
    """A page of XML with one record, or with none, is a page of records all the same."""
    batch = read_all("decode: xml\nrecords: feed.entry[]", b"<feed>" + entries + b"</feed>")
    assert [row["id"] for row in rows(batch)] == ([7] if entries else [])


@pytest.mark.parametrize(
    ("body", "ids"), [(b"{}", []), (b'{"items": null}', []), (b'{"items": []}', []), (b'{"items": [{"id": 7}]}', [7])]
)
def test_an_api_may_leave_an_empty_list_out(body, ids):
    """Declared so, an answer without its list is an empty page."""
    assert [row["id"] for row in rows(read_all('records: "items || `[]`"', body))] == ids


def read_all(text, body, **headers):
    transport = FunctionTransport(lambda _: Response(200, headers, body))
    return read(source(instance(stream(text)), transport=transport))


def test_xml_without_its_list_is_an_error():
    """XML that has no element where the records are is no empty page."""
    with pytest.raises(Invalid) as caught:
        read_all("decode: xml\nrecords: feed.entry[]", b"<fault><text>try later</text></fault>")
    assert caught.value.code == "SYN413"


def test_files_of_an_archive_are_read_in_order():
    """All files of a zip archive are read, whatever their format; numbers of records go on."""
    body = zipped(
        [("b.csv", "id,price,active,name\n1,,,\n"), ("sub/", ""), ("a.csv", "id,name,price,active\n2,,,\nx,,,\n")]
    )
    batch = batch_of("decode: csv\ncompression: zip", body)
    assert [row["id"] for row in rows([batch])] == [1, 2]
    assert batch.places([0, 1]) == ["GET /items#2", "GET /items#4"]
    assert [bad.place for bad in batch.malformed] == ["GET /items#5"]
    documents = zipped([("1.json", '{"data": [{"id": 1}]}'), ("2.json", '{"data": [{"id": 2}, {"id": "x"}]}')])
    batch = batch_of("records: data[]", documents)
    assert [row["id"] for row in rows([batch])] == [1, 2]
    assert [bad.place for bad in batch.malformed] == ["GET /items#3"]


@pytest.mark.parametrize("decode", ["json", "jsonl", "csv"])
def test_an_archive_without_files_has_no_records(decode):
    """An archive in which there is nothing, or only a folder, gives no record, and is no damage."""
    for files in ([], [("folder/", "")]):
        assert rows(read_all(f"decode: {decode}\ncompression: zip", zipped(files))) == []


def test_gzip_is_found_by_its_first_bytes():
    """A gzip file that is served as it is, without Content-Encoding, is unpacked; `none` leaves it."""
    body = gzip.compress(b'{"id": 1}\n') + gzip.compress(b'{"id": 2}\n')
    assert [row["id"] for row in rows([batch_of("decode: jsonl", body)])] == [1, 2]
    with pytest.raises(Invalid):
        batch_of("decode: jsonl\ncompression: none", body)


def test_zstd_is_found_by_its_first_bytes():
    """So is zstd, of one frame or several; a cut or altered one is refused whole, and so is one that is none."""
    body = b"".join(pa.compress(f'{{"id": {n}}}\n'.encode(), codec="zstd", asbytes=True) for n in (1, 2))
    assert [row["id"] for row in rows([batch_of("decode: jsonl", body)])] == [1, 2]
    for damaged in (body[:-1], body[:5], body + b"more", b"PK"):
        with pytest.raises(Again) as caught:
            batch_of("decode: jsonl\ncompression: zstd", damaged)
        assert caught.value.code == "SYN411"


# --- exactness

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.adjusted()) < 300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), NUMBERS, TEXTS), min_size=1, max_size=5))
def test_every_decoder_keeps_every_digit(records):
    """Integers of 64 bits, decimals and texts come out of JSON, JSON Lines and CSV as they went in."""
    documents = [
        b'{"id": %d, "price": %b, "name": %b}' % (id_, format(price, "f").encode(), json.dumps(name).encode())
        for id_, price, name in records
    ]
    written = io.StringIO(newline="")
    import csv

    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "price", "name", "active"])
    writer.writerows([id_, format(price, "f"), name, ""] for id_, price, name in records)
    bodies = {
        "decode: json": b"[" + b",".join(documents) + b"]",
        "decode: jsonl": b"\n".join(documents) + b"\n",
        "decode: csv": written.getvalue().encode(),
        'fields: {add: {other: "name"}}\nfilter: "id != `0.5`"': b"[" + b",".join(documents) + b"]",
    }
    for declared, body in bodies.items():
        found = [(row["id"], Decimal(row["price"]), row["name"]) for row in rows([batch_of(declared, body)])]
        assert found == [(id_, Decimal(format(price, "f")), name) for id_, price, name in records], declared


XML_TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
).filter(lambda text: not text.isspace())


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), NUMBERS, XML_TEXTS), min_size=1, max_size=5))
def test_xml_keeps_every_digit(records):
    """Integers of 64 bits, decimals and texts come out of XML as they went in."""
    from xml.sax.saxutils import escape

    entries = "".join(
        f"<e><id>{id_}</id><price>{price:f}</price><name>{escape(name)}</name></e>" for id_, price, name in records
    )
    [batch] = read_all("decode: xml\nrecords: r.e[]", f"<r>{entries}</r>".encode())
    found = [(row["id"], Decimal(row["price"]), row["name"]) for row in rows([batch])]
    assert found == [(id_, Decimal(f"{price:f}"), name) for id_, price, name in records]


# --- what is refused


@pytest.mark.parametrize(
    ("declared", "body", "error", "code", "words"),
    [
        ("decode: csv", b"<!DOCTYPE html><title>Log in</title>", Invalid, "SYN410", "HTML"),
        ("decode: jsonl", b" <html>maintenance</html>", Invalid, "SYN410", "HTML"),
        ("decode: xml\nrecords: a.b[]", b"<html><b/></html>", Invalid, "SYN410", "HTML"),
        ("decode: csv", b"id,name\n1,A\n", Invalid, "SYN463", "'price', 'active'"),
        ("decode: csv", b"id,id\n1,2\n", Invalid, "SYN453", "both called 'id'"),
        ("decode: csv", b'id,price,active,name\n1,,,"cut', Again, "SYN411", "never closed"),
        ("decode: csv", "id,price".encode("utf-16"), Invalid, "SYN457", "UTF-16"),
        ("decode: jsonl", b'{"id": 1}\n{"id": 2, "na', Again, "SYN411", "ends inside line 2"),
        ("decode: jsonl", b"no json\nat all\n", Invalid, "SYN410", "no line is a record"),
        ("decode: jsonl", b'[{"id": 1}]\n', Invalid, "SYN410", "no line is a record"),
        ("decode: xml\nrecords: a.b[]", b"<a><b>", Again, "SYN411", "no element found"),
        ("decode: xml\nrecords: a.b[]", b"<a><b>\xff</b></a>", Again, "SYN411", "not well-formed"),
        ("decode: xml\nrecords: a.b[]", b"", Again, "SYN411", "no element found"),
        (
            "decode: xml\nrecords: a.b[]",
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><b>&x;</b></a>',
            Invalid,
            "SYN493",
            "document type",
        ),
        (
            "decode: xml\nrecords: a.b[]",
            b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a><b>&y;</b></a>',
            Invalid,
            "SYN493",
            "document type",
        ),
        ("decode: xml\nrecords: a.b[]", b"<a>" * 100_000, Invalid, "SYN493", "nested"),
        ("decode: json", gzip.compress(b'[{"id": 1}]', mtime=0)[:-9], Again, "SYN411", "ends early"),
        ("decode: json", gzip.compress(b'[{"id": 1}]', mtime=0) + b"tail", Again, "SYN411", "goes on"),
        ("compression: gzip", b'[{"id": 1}]', Again, "SYN411", "no gzip"),
        ("compression: zip", b'[{"id": 1}]', Again, "SYN411", "zip archive"),
        ("decode: json", zipped([("../x.json", "[]")]), Invalid, "SYN492", "leave its folder"),
        ("decode: json", zipped([("/x.json", "[]")]), Invalid, "SYN492", "leave its folder"),
        ("decode: json", zipped([("a.json", "[]")])[:-30], Again, "SYN411", "zip archive"),
        ("decode: json", zipped([("a.json", "[]")])[:-22] + zipped([]), Again, "SYN411", "list of files is empty"),
        ("decode: json", zipped([("X", "[]")]).replace(b"X", b"\0"), Again, "SYN411", "no name"),
        ("decode: json", zipped([(f"{n}.json", "[]") for n in range(1001)]), Invalid, "SYN492", "1,000 files"),
        ("decode: json", gzip.compress(b" " * 60_000_000), Invalid, "SYN492", "500 times"),
        ("decode: json", zipped([("a.json", b" " * 60_000_000)]), Invalid, "SYN492", "500 times"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,  # archives hold the time of day
)  # fmt: skip
def test_a_bad_body_is_refused_whole(declared, body, error, code, words):
    """A body that is damaged, hostile or of another format gives one error, and no record of it."""
    with pytest.raises(SynclineError) as caught:
        read_all(declared, body)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.message.startswith("GET /items: ")
    assert caught.value.message.isprintable()


def test_an_error_in_json_is_no_csv():
    """A JSON error with status 200 isn't taken for a table."""
    with pytest.raises(Invalid) as caught:
        batch_of("decode: csv", b'{"error": "busy"}', content_type="application/json")
    assert caught.value.code == "SYN410"


# --- shape


def test_records_are_filtered_and_counted():
    """Records that `filter` isn't true for are skipped and counted; the numbers of the others stay."""
    body = (
        b'[{"id": 1, "price": 1.10}, {"id": 2, "price": 1.1}, {"id": 3, "price": 0.3}, {"id": "x", "price": 1.100}, 7]'
    )
    batch = batch_of('filter: "price == `1.1`"', body)
    assert [(row["id"], row["price"]) for row in rows([batch])] == [(1, "1.10"), (2, "1.1")]
    assert (batch.skipped, batch.read) == (1, 5)
    assert [bad.place for bad in batch.malformed] == ["GET /items#4", "GET /items#5"]


def test_a_page_of_filtered_records_is_no_last_page():
    """Paging by offset counts the records that came, whatever a filter leaves of them."""

    def served(request):
        offset = int(request.url.rpartition("=")[2])
        return answer([{"id": offset + 1}, {"id": offset + 2}] if offset < 4 else [])

    text = stream('page: {offset: query.offset}\nfilter: "id == `4`"')
    transport = FunctionTransport(served)
    batches = read(source(instance(text), transport=transport))
    assert [row["id"] for row in rows(batches)] == [4]
    assert sum(batch.skipped for batch in batches) == 3
    assert len(transport.sent) == 3


def test_fields_are_added_removed_renamed_and_flattened():
    """Added values come from expressions and templates; objects become fields; digits that nothing changes stay."""
    declared = """
    flatten: _
    fields:
      add: {site: "{{ config.site }}-{{ record.id }}", total: "sum(lines[].amount)"}
      remove: [secret]
      rename: {who_mail: mail}
    schema:
      properties:
        id: {type: integer}
        site: {type: string}
        total: {type: number}
        mail: {type: string}
        who_age: {type: number}
        secret: {type: any}
"""
    body = b'[{"id": 1, "who": {"mail": "a@b.example", "age": 1.50}, "secret": 7, "lines": [{"amount": 0.10}, {"amount": 0.2}]}]'
    assert rows([batch_of("", body, declared, config={"site": "eu"})]) == [
        {"id": 1, "site": "eu-1", "total": "0.30", "mail": "a@b.example", "who_age": "1.50", "secret": None}
    ]


def test_lists_become_records():
    """Each element of an exploded list is a record with the other fields; a list without any is one with null."""
    declared = "    explode: line\n    schema: {properties: {id: {type: integer}, line: {type: object, properties: {n: {type: integer}}}}}"
    body = (
        b'[{"id": 1, "line": [{"n": 1}, {"n": 2}]}, {"id": 2, "line": []}, {"id": 3, "line": [{"n": 3}, {"n": "x"}]}]'
    )
    batch = batch_of("", body, declared)
    assert rows([batch]) == [
        {"id": 1, "line": {"n": 1}},
        {"id": 1, "line": {"n": 2}},
        {"id": 2, "line": None},
        {"id": 3, "line": {"n": 3}},
    ]
    assert [bad.place for bad in batch.malformed] == ["GET /items#3"]


def test_a_record_that_cannot_be_reshaped_is_set_aside():
    """A template without its value, and names that collide, make a reject of the record alone."""
    body = b'[{"id": 1}, {"id": 2, "name": "m", "a": {"b": 1}, "a.b": 2}, {"id": 3, "name": "n"}]'
    batch = batch_of('flatten: "."\nfields: {add: {name: "{{ record.name }}"}}', body)
    assert [row["name"] for row in rows([batch])] == ["n"]
    assert [bad.place for bad in batch.malformed] == ["GET /items#1", "GET /items#2"]
    assert "no attribute 'name'" in batch.malformed[0].message
    assert "'a.b'" in batch.malformed[1].message


@pytest.mark.parametrize(
    ("declared", "body", "error", "code", "words"),
    [
        ("decode: jsonl", b'{"id": ' + b"9" * 1_000_000 + b"}\n{}\n", None, "", "double"),
        ("decode: csv", b"id,price,active,name\n" + b"9" * 1_000_000 + b",1,,\n", None, "", "out of range"),
        ("decode: csv", b"id,price,active,name\n1," + b"9" * 1_000_000 + b",,\n", None, "", "1000 characters"),
        (
            "decode: xml\nrecords: r.e[]",
            b"<r><e><price>" + b"9" * 1_000_000 + b"</price></e></r>",
            None,
            "",
            "1000 characters",
        ),
        ('filter: "id > `1`"', b'[{"id": ' + b"9" * 1_000_000 + b"}]", Invalid, "SYN412", "double"),
        ('filter: "id > `1`"', b'[{"id": ' + b"9" * 5_000 + b"}]", Invalid, "SYN412", "double"),
        ('filter: "id > `1`"', b'[{"price": 1e-400000}]', None, "", ""),
        ("decode: jsonl", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n{}\n", None, "", "depth"),
        ("flatten: _", b'[{"a": ' + b'{"a": ' * 250 + b"1" + b"}" * 250 + b"}]", None, "", ""),
        ("decode: jsonl", b'{"name": "\\ud800"}\n{}\n', None, "", "JSON"),
        ("decode: xml\nrecords: r.e[]", b"<r><e><name>&#xD800;</name></e></r>", Again, "SYN411", "reference"),
        ("decode: xml\nrecords: r.e[]", b"<r>" + b"<e/>" * 1_000_001 + b"</r>", Invalid, "SYN493", "many"),
        ("decode: csv", b"id,price,active,name\n1,,,\xed\xa0\x80\n", None, "", "no text in utf-8"),
        ("decode: csv", b"id,price,active,name\n1,,,a\0b\n", None, "", "NUL"),
        ("decode: jsonl", b'{"id": NaN}\n{"id": -Infinity}\n{}\n', None, "", "no JSON"),
        ("decode: csv", b"id,price,active,name\n1,NaN,,\n2,Infinity,,\n", None, "", "Expected `number`"),
    ],
    ids=range(16),
)  # fmt: skip
def test_abuse_of_numbers_and_structure(declared, body, error, code, words):
    """Numbers past every bound, deep nesting, lone surrogates and NaN make a reject or one clear error, in seconds of work."""
    began = time.process_time()
    if error is None:
        batches = read_all(declared, body)
        told = [bad.message for batch in batches for bad in batch.malformed]
        assert any(words in message for message in told) or not words, told
        assert all(len(bad.raw) <= 65536 for batch in batches for bad in batch.malformed)
    else:
        with pytest.raises(error) as caught:
            read_all(declared, body)
        assert caught.value.code == code
        assert words in caught.value.message
    assert time.process_time() - began < 60


GROWTH = """
import sys
from syncline.connectors.rest.exchange.formats import Packed, json
from syncline.model.errors import SynclineError
from syncline.sdk.http import Response
from syncline.sdk.formats.inflate import Bounds
reading = Packed(json, Bounds(64 * 1024 * 1024))
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
body = sys.stdin.buffer.read()
before = peak()
try:
    reading.read(Response(200, {}, body), str)
except SynclineError as error:
    print(error.code, (peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gzip", "zstd", "zip", "members", "files"])
def test_a_bomb_grows_by_less_than_64_mib(form):
    """300 MB in 306 kB are refused while they unpack, with less than 64 MiB of memory, in one piece or in many."""
    whole = b"\0" * 300_000_000
    match form:
        case "gzip":
            body = gzip.compress(whole)
        case "zstd":
            body = pa.compress(whole, codec="zstd", asbytes=True)
        case "zip":
            body = zipped([("a.json", whole)])
        case "members":
            body = gzip.compress(whole[:1_000_000]) * 300
        case _:
            body = zipped([(f"{n}.json", whole[:1_000_000]) for n in range(300)])
    assert len(body) < 400_000
    found = subprocess.run([sys.executable, "-c", GROWTH], input=body, capture_output=True, check=True)
    code, grown = found.stdout.split()
    assert code in {b"SYN492", b"SYN407"}
    assert int(grown) <= 64
