"""Property chunking: a page asked for several times, each time with some of the fields, its records put together.

For APIs that bound how many fields, or how long a list of them, a request may ask for. A record must be in every
answer: one that is missing in some would be half a record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.answer import Rows
from syncline.connectors.rest.exchange.content import Reading, read_json
from syncline.connectors.rest.exchange.graphql import selecting
from syncline.kinds.content import IN_GRAPHQL
from syncline.model.errors import Again, Invalid, foreign
from syncline.sdk.http import with_query

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.connectors.rest.reading.fetching import Fetcher
    from syncline.kinds.content import Chunk
    from syncline.sdk.formats.json_records import RecordDecoder
    from syncline.sdk.http import Request

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODE = msgspec.json.Encoder().encode


class Chunks(Struct, frozen=True):
    """Names of fields in chunks, the place that they go to, and the field that identifies a record."""

    names: tuple[tuple[str, ...], ...]
    into: str
    by: str

    def requests(self, request: Request) -> Iterator[Request]:
        """The request, once for each chunk."""
        area, _, name = self.into.partition(".")
        for names in self.names:
            if self.into == IN_GRAPHQL:
                yield replace(request, body=_selected(request.body, names))
            elif area == "query":
                yield replace(request, url=with_query(request.url, {name: ",".join(names)}))
            else:
                yield replace(request, body=_placed(request.body, name.split("."), names))

    def together(self, pages: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The records of a page out of those of its chunks. `Again` (SYN495) when they aren't the same ones."""
        first, *others = [self._keyed(page) for page in pages]
        for index, other in enumerate(others, 2):
            if other.keys() != first.keys():
                odd = next(iter(other.keys() ^ first.keys()))
                raise Again(
                    f"chunk {index} of the fields has not the same records as the first: {self.by} "
                    f"{foreign(ascii(odd[:80]))} is in only one of them",
                    code="SYN495",
                    help="Nothing of the page was used; the next run asks for it again.",
                )
            for key, record in other.items():
                first[key] = _merged(first[key], record)
        return [_ENCODE(record) for record in first.values()]

    def _keyed(self, page: Sequence[bytes]) -> dict[str, dict[str, msgspec.Raw]]:
        found: dict[str, dict[str, msgspec.Raw]] = {}
        for raw in page:
            try:
                record = _OBJECT.decode(raw)
            except msgspec.ValidationError:
                record = {}
            key = bytes(record.get(self.by, b"")).decode()
            if not key or key == "null" or key in found:
                why = "twice on a page" if key in found else "missing in a record"
                raise Invalid(
                    f"the field {self.by} is {why}, so that chunks of fields can't be put together",
                    code="SYN495",
                    help="Name a field in `chunk.by` that identifies a record and is in every answer.",
                )
            found[key] = record
        return found


class ChunkedFetcher(Struct, frozen=True):
    """Fetches a page in chunks, as one answer."""

    inner: Fetcher
    chunks: Chunks
    decoder: RecordDecoder

    def hide(self, text: str) -> str:
        """The text without secrets."""
        return self.inner.hide(text)

    def place(self, request: Request) -> str:
        """A request for people."""
        return self.inner.place(request)

    def told_place(self, request: Request) -> str:
        """A request for the message of an error."""
        return self.inner.told_place(request)

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position."""
        return self.inner.kept(url)

    def ahead(self, request: Request) -> None:
        """Sends nothing: a page is several requests."""

    def fetch(self, request: Request, *, reading: Reading = read_json, repeat: bool = True) -> Answer:
        """The records of every chunk, put together; all else is of the first chunk that isn't empty."""
        answers = [self.inner.fetch(each, reading=reading, repeat=repeat) for each in self.chunks.requests(request)]
        withheld = next((answer.withheld for answer in answers if answer.withheld), 0)
        full = next((answer for answer in answers if not answer.empty), None)
        if full is None:
            return replace(answers[0], withheld=withheld)
        pages = [[] if answer.empty else self._raws(answer) for answer in answers]
        raws = self.chunks.together(pages)
        body = b"".join(answer.body for answer in answers)
        note = "; ".join(dict.fromkeys(answer.note for answer in answers if answer.note))
        parts = (Rows(raws, range(len(raws))),)
        return replace(full, body=body, parsed=full.document, parts=parts, page=None, note=note, withheld=withheld)

    def _raws(self, answer: Answer) -> list[bytes]:
        if answer.parts:
            raise Invalid("chunks of fields need answers that are one JSON document each", code="SYN432")
        return self.decoder.raws(answer.body)


def compile_chunks(chunk: Chunk, fields: Sequence[str], given: Collection[str] = ()) -> Chunks:
    """
    Chunks of these fields, besides those that every answer has as it is (`given`). `Invalid` (SYN432) for a field that
    is too long by itself.
    """
    names = [name for name in dict.fromkeys(fields) if name != chunk.by]
    always = () if chunk.of or chunk.by in given else (chunk.by,)
    found: list[tuple[str, ...]] = []
    some: tuple[str, ...] = always
    for name in names:
        if some != always and not _fits(chunk, (*some, name)):
            found.append(some)
            some = always
        if not _fits(chunk, (*some, name)):
            raise Invalid(f"the field {name!r} alone is longer than chunk allows", code="SYN432")
        some = (*some, name)
    return Chunks((*found, some), chunk.into, chunk.by)


def _fits(chunk: Chunk, names: tuple[str, ...]) -> bool:
    few = chunk.fields is None or len(names) <= chunk.fields
    return few and (chunk.characters is None or len(",".join(names)) <= chunk.characters)


def _placed(body: bytes, path: list[str], names: Sequence[str]) -> bytes:
    found: Any = orjson.loads(body) if body else {}
    node = found
    for name in path[:-1]:
        node = node.setdefault(name, {}) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise Invalid(f"chunk.into: the request's body has no object at {'.'.join(path)}", code="SYN432")
    node[path[-1]] = list(names)
    return orjson.dumps(found)


def _selected(body: bytes, names: Sequence[str]) -> bytes:
    found = orjson.loads(body)
    return orjson.dumps({**found, "query": selecting(found["query"], names)})


def _merged(one: dict[str, msgspec.Raw], other: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Fields of both; objects that both have are put together in the same way."""
    found = dict(one)
    for name, value in other.items():
        mine = bytes(found.get(name, b""))
        if mine[:1] == b"{" and bytes(value)[:1] == b"{":
            found[name] = msgspec.Raw(_ENCODE(_merged(_OBJECT.decode(mine), _OBJECT.decode(value))))
        elif name not in found:
            found[name] = value
    return found
