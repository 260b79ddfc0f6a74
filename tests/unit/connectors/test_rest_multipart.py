"""Forms with files (RFC 7578), as a server's own parser reads them: sent for streams, for writes, again after failures."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from syncline.connectors.rest.exchange import multipart
from syncline.connectors.rest.writing.destination import RestDestination
from syncline.kinds.write import Writes, doubtful
from syncline.model.errors import Again, Invalid
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Target
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.ledger import MemoryLedger
from tests.api_server import Asked, Reply, api_server
from tests.rest_streams import FakeClock, instance, read, rows, source

SCHEMA = Schema(
    (
        Field("id", DataType("integer")),
        Field("note", DataType("string")),
        Field("price", DataType.parse("decimal(38,18)")),
        Field("photo", DataType("binary")),
        Field("file", DataType("string")),
    ),
    ("id",),
)
#: Every byte, line ends and what looks like a boundary among them.
BYTES = bytes(range(256)) + b'\r\n--x\r\nContent-Disposition: form-data; name="id"\r\n\r\n7\r\n--x--\r\n'
WRITE = """
    write:
      id: body.ref
      create:
        post: /items
        headers: {Idempotency-Key: "{{ idempotency_key }}"}
        multipart:
        - {name: note, text: "{{ record.note }}"}
        - {name: meta, json: {price: "{{ record.price }}", all: "{{ record }}", of: "{{ config.site }}"}}
        - {name: "files[]", base64: "{{ record.photo }}", filename: "{{ record.file }}", contentType: image/png}
        - {name: "files[]", text: "{{ record.note }}", filename: note.txt}
"""


@dataclass
class Seen:
    """A part as a parser gives it: a field's text or a file's bytes, with name and type."""

    name: str
    content: Any
    filename: str = ""
    content_type: str = ""


def parsed(asked: Asked) -> list[Seen]:
    """The parts of a request, by Werkzeug's parser."""
    kind, options = parse_options_header(asked.headers["content-type"])
    assert kind == "multipart/form-data"
    stream = io.BytesIO(asked.body)
    _, form, files = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO(), silent=False).parse(
        stream, kind, len(asked.body), options
    )
    texts = [Seen(name, value) for name, values in form.lists() for value in values]
    return texts + [
        Seen(name, file.stream.read(), file.filename or "", file.content_type or "")
        for name, found in files.lists()
        for file in found
    ]


@dataclass
class Uploads:
    """A server that keeps what was uploaded; it answers the first `failing` requests with 503 after their effect."""

    failing: int = 0
    kept: dict[str, list[Seen]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        self.kept.setdefault(asked.headers.get("idempotency-key", str(len(self.kept))), parsed(asked))
        if self.failing:
            self.failing -= 1
            return Reply({"error": "busy"}, 503)
        return Reply({"ref": len(self.kept)}, 201)


def sent(api: Any, *values: tuple[Any, ...], declared: str = WRITE, schema: Schema = SCHEMA) -> Any:
    """What became of rows that were written to a server."""
    with api_server(api) as server:
        text = f"http: {{retry: {{attempts: 3}}}}\nstreams:\n  items:\n    get: /items\n{declared}"
        made = instance(text, url=server.url, ledger=MemoryLedger(), config={"site": "é"})
        destination = RestDestination(made, clock=FakeClock(), chance=lambda: 0.0)
        writer = destination.open(Target("acme/Sync/items", "run1", "items", schema, "append"))
        try:
            return writer.send(pl.DataFrame(values, schema=target_frame_schema(schema), orient="row")), server.asked
        finally:
            destination.close()


def test_a_record_is_sent_as_fields_and_files():
    """A server's parser finds each part with its name, file name and type; bytes and digits are as they were."""
    api = Uploads()
    note, name = "ü\r\n--x\r\nend", 'a "b"\n/ü.png'
    exact = Decimal("12345678901234567890.123456789012345678")
    sent(api, (1, note, exact, BYTES, name))
    [seen] = api.kept.values()

    meta = next(part for part in seen if part.name == "meta")
    assert '"price":12345678901234567890.123456789012345678' in meta.content
    assert json.loads(meta.content)["of"] == "é"
    assert json.loads(meta.content)["all"]["id"] == 1
    assert [part for part in seen if part.name != "meta"] == [
        Seen("note", note),
        Seen("files[]", BYTES, 'a "b"%0A/ü.png', "image/png"),
        Seen("files[]", note.encode(), "note.txt", "text/plain; charset=utf-8"),
    ]


def test_what_is_null_is_left_out():
    """A null column sends no empty field and no empty file."""
    api = Uploads()
    sent(api, (1, None, None, None, "photo.png"))
    [seen] = api.kept.values()
    assert [part.name for part in seen] == ["meta"]


def test_large_files_are_sent_whole():
    """A file may be longer than a template's text: here five megabytes of a column."""
    api = Uploads()
    large = BYTES * 20_000
    sent(api, (1, None, None, large, "large.bin"))
    [seen] = api.kept.values()
    assert next(part for part in seen if part.filename).content == large


def test_an_attempt_sends_the_same_bytes():
    """After failures the same body goes out, boundary included, under the same idempotency key: one effect."""
    api = Uploads(failing=2)
    result, asked = sent(api, (1, "n", None, BYTES, "a.png"))

    assert result.written.inserted == 1
    assert len(asked) == 3
    assert len(api.kept) == 1
    assert len({(a.body, a.headers["content-type"], a.headers["idempotency-key"]) for a in asked}) == 1


def test_a_later_run_sends_the_same_bytes():
    """A body depends on nothing but the record: a request after a kill is equal to the one before."""
    first, second = Uploads(), Uploads()
    _, [one] = sent(first, (1, "n", None, BYTES, "a.png"))
    _, [two] = sent(second, (1, "n", None, BYTES, "a.png"))
    assert (one.body, one.headers["content-type"]) == (two.body, two.headers["content-type"])


TEXT = WRITE.replace("{{ record.photo }}", "{{ record.note }}")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((1, "not base64", None, None, "a"), "isn't base64"),
        ((1, base64.b64encode(b"x").decode(), None, None, "a\x00b"), "control characters"),
        ((1, base64.b64encode(b"x" * 3000).decode(), None, None, "a"), "at most 4,096"),
    ],
)
def test_what_cannot_be_sent_is_refused_alone(row, why, monkeypatch):
    """A record whose form can't be made is refused with the reason; nothing of it is sent, and the others are."""
    monkeypatch.setattr(multipart, "MAX_BODY", 4096)
    api = Uploads()
    good = (2, base64.b64encode(b"fine").decode(), None, None, "fine")
    result, asked = sent(api, row, good, declared=TEXT)

    assert [refusal.row for refusal in result.refused] == [0]
    assert why in result.refused[0].message
    assert (result.written.inserted, len(asked)) == (1, 1)


def test_a_stream_is_asked_for_by_a_form():
    """Requests of a stream fill their parts from the configuration; paging replaces or adds a part of text."""
    api_pages = {"1": [{"id": 1}], "2": []}

    def served(asked: Asked) -> Reply:
        found = {part.name: part for part in parsed(asked)}
        assert found["query"].content == '{"site":"é","n":5}'
        assert (found["list"].filename, found["list"].content) == ("ids.csv", b"id\n1\n2\n")
        return Reply(api_pages[found["page"].content])

    stream = """
streams:
  items:
    post: /search
    headers: {X-Site: a}
    multipart:
    - {name: query, json: {site: "{{ config.site }}", n: "{{ config.n }}"}}
    - {name: list, filename: "{{ config.file }}.csv", text: "id\\n1\\n2\\n", contentType: text/csv}
    page: {page: body.page}
    schema: {properties: {id: {type: integer}}}
http: {headers: {Content-Type: application/json}}
"""
    with api_server(served) as server:
        config = {"site": "é", "n": 5, "file": "ids"}
        assert rows(read(source(instance(stream, url=server.url, config=config), clock=FakeClock()))) == [{"id": 1}]


def test_a_boundary_is_never_in_a_part():
    """Content that holds the boundary which its parts would have gets another one."""
    plain = [multipart.Part("a", b"x")]
    boundary = multipart.encode(plain)[1].rpartition("=")[2]
    held = multipart.Part("b", boundary.encode())
    body, content_type = multipart.encode([*plain, held])
    assert body.count(content_type.rpartition("=")[2].encode()) == 3


@pytest.mark.parametrize("parts", ["[{name: a}]", "[{name: a, text: x, base64: eA==}]"])
def test_a_part_has_one_content(parts):
    """No content and two contents are refused before anything is sent."""
    with pytest.raises(Invalid) as caught:
        source(instance(f"streams: {{items: {{post: /x, multipart: {parts}}}}}"))
    assert caught.value.code == "SYN432"


def test_a_form_has_no_batch():
    """Several records in one form are refused before anything is sent."""
    with pytest.raises(Invalid) as caught:
        sent(Uploads(), (1, "n", None, None, "a"), declared=WRITE + "        batch: {size: 2}\n")
    assert caught.value.code == "SYN432"


@pytest.mark.parametrize(
    "body", ["multipart: [{name: k, text: '{{ idempotency_key }}'}]", "form: {k: '{{ idempotency_key }}'}"]
)
def test_an_idempotency_key_may_be_a_field(body):
    """A creation that says its idempotency key in a form is not one that may happen twice."""
    import yaml

    spec = Writes.model_validate_json(json.dumps({"create": {"post": "/x", **yaml.safe_load(body)}}))
    assert not doubtful(spec, "append")
    assert doubtful(Writes.model_validate_json('{"create": {"post": "/x", "form": {"a": "b"}}}'), "append")


def test_a_lost_answer_without_a_key_stops():
    """A form that carries no idempotency key is sent once: what became of it is not known."""
    api = Uploads(failing=1)
    with pytest.raises(Again):
        sent(
            api,
            (1, "n", None, None, "a"),
            declared=WRITE.replace('headers: {Idempotency-Key: "{{ idempotency_key }}"}', ""),
        )
    assert len(api.kept) == 1
