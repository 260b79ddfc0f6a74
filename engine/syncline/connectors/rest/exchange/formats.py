"""Bodies in JSON, JSON Lines and XML, packed or not: each read into content of one form. `csv_lines.py` reads CSV.

A page of HTML where data should be is refused in every format: a login or maintenance page must not pass for records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import orjson
from msgspec import Struct

from syncline.connectors.rest.exchange.answer import Rows
from syncline.connectors.rest.exchange.content import Content, Reading
from syncline.model.errors import Again, Invalid, foreign
from syncline.sdk.formats.inflate import Bounds, Compression, Entry, opened
from syncline.sdk.formats.json_document import Hide, check_document, check_names, checked_json, excerpt, json_body
from syncline.sdk.formats.json_lines import numbered_lines, sound_lines
from syncline.sdk.formats.json_records import BadRecord
from syncline.sdk.formats.xml_document import Path, xml_document

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.connectors.rest.exchange.rules import Rule
    from syncline.sdk.formats.schema_pages import SchemaPages
    from syncline.sdk.http import Response

_MAX_RAW = 64 * 1024
_HTML = re.compile(rb"\s*(?:<!doctype\s+html|<html|<head|<body|<title)", re.IGNORECASE)
#: What is asked for, by format.
ACCEPT = {
    "json": "application/json",
    "jsonl": "application/x-ndjson, application/jsonl, application/json;q=0.5, */*;q=0.1",
    "csv": "text/csv, */*;q=0.1",
    "xml": "application/xml, text/xml;q=0.9, */*;q=0.1",
}


class Body(Struct, frozen=True):
    """A file to be read: its bytes, the Content-Type where it is the answer itself, and the index of its first row."""

    data: bytes
    content_type: str = ""
    first: int = 0
    hide: Hide = str


Parse = Callable[[Body], Content]
#: Raises for an answer that is an error, although it could be read; what of it is accepted all the same, in words.
Check = Callable[["Answer", Hide], str]


@dataclass(frozen=True)
class Packed(Reading):
    """A reading that unpacks first, and parses each file of an archive."""

    parse: Parse
    bounds: Bounds
    compression: Compression = "auto"
    accept: str = ACCEPT["json"]
    rules: tuple[Rule, ...] = ()
    checks: tuple[Check, ...] = ()

    def check(self, answer: Answer, hide: Hide) -> str:
        return "; ".join(filter(None, [check(answer, hide) for check in self.checks]))

    def read(self, response: Response, hide: Hide) -> Content:
        entries = opened(response.body, self.compression, self.bounds)
        if len(entries) == 1:
            return self._entry(entries[0], response, 0, hide)
        # An archive without files has no records, which isn't the same as no content.
        parts: list[bytes | Rows] = [] if entries else [Rows((), ())]
        first = 0
        for entry in entries:
            found = self._entry(entry, response, first, hide)
            for part in found.parts or (found.body,):
                parts.append(part)
                first += part.size if isinstance(part, Rows) else 0
        return Content(response.body, None, tuple(parts))

    def _entry(self, entry: Entry, response: Response, first: int, hide: Hide) -> Content:
        packed = entry.data is not response.body
        media = "" if packed else response.headers.get("content-type", "")
        return self.parse(Body(entry.data, media, first, hide))


def refuse_others(body: Body) -> None:
    """Raises for an answer that is clearly of another format: a page of HTML, or an error in JSON."""
    media = body.content_type.partition(";")[0].strip().lower()
    html = media == "text/html" or _HTML.match(body.data) is not None
    if html or media.endswith(("/json", "+json")):
        what = "HTML" if html else "JSON"
        raise Invalid(
            f"expected records, but the answer is {what}: {foreign(excerpt(body.data, body.hide))}",
            code="SYN410",
            help="A login page, an error or a wrong URL is the usual cause. Nothing of it was used.",
        )


def json(body: Body) -> Content:
    """One JSON document."""
    return Content(*check_document(body.data, body.content_type, body.hide))


class JsonPages(Struct, frozen=True):
    """One JSON document; a page that is as its schema says is decoded in the same go."""

    pages: SchemaPages

    def __call__(self, body: Body) -> Content:
        data = json_body(body.data, body.content_type, body.hide)
        page = self.pages.read(data)
        if page is not None:
            return Content(data, page=page)
        document = checked_json(data, body.hide)
        check_names(data, document)
        self.pages.learn(document)
        return Content(data, document)


def json_lines(body: Body) -> Content:
    """JSON Lines: a line that is no record is set aside. A last one that is cut means that the answer is."""
    if _HTML.match(body.data):
        refuse_others(body)
    text = body.data.removeprefix(b"\xef\xbb\xbf")
    lines = numbered_lines(text)
    found = sound_lines(lines)
    try:
        for _, line in found.sound:
            orjson.loads(line)
    except orjson.JSONDecodeError:
        found = sound_lines(lines, alone=True)
    if lines and not found.sound:
        raise Invalid(
            f"expected JSON Lines, but no line is a record: {foreign(excerpt(text, body.hide))}",
            code="SYN410",
            help="Compare `decode` of the stream with what the API sends.",
        )
    if found.faults and found.faults[-1][0] == lines[-1][0] and not text.endswith(b"\n"):
        raise Again(
            f"the answer is damaged: it ends inside line {lines[-1][0]}",
            code="SYN411",
            help="Nothing of the page was used; the next run asks for it again.",
        )
    bad = tuple(
        BadRecord(body.first + number - 1, why, "", line[:_MAX_RAW].decode(errors="replace"))
        for number, line, why in found.faults
    )
    rows = [body.first + number - 1 for number, _ in found.sound]
    part = Rows([line for _, line in found.sound], rows, bad, size=text.count(b"\n") + 1)
    return Content(body.data, None, (part,))


class Xml(Struct, frozen=True):
    """XML; `lists` are the paths of elements that are lists however often they are there."""

    lists: tuple[Path, ...] = ()

    def __call__(self, body: Body) -> Content:
        refuse_others(body)
        document = xml_document(body.data, body.content_type, self.lists, body.hide)
        return Content(msgspec.json.encode(document), document)
