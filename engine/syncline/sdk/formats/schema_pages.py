"""Pages whose records have the fields of their schema, all of them and no others: checked and decoded in one go.

A checked document is parsed whole, written again and thrown away, and its records are decoded besides. Where a page is
as its schema says, decoding it alone parses every byte, and writing what was decoded again tells whether a name stood
twice: parsing keeps one of two equal names, so something with quotes would be missing. Any other page isn't for here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec import Struct

from syncline.model.errors import SynclineError
from syncline.sdk.formats.json_document import as_many_quotes, check_names, checked_json
from syncline.sdk.formats.json_fields import convert, full_struct_of, in_order, raws_of

if TYPE_CHECKING:
    from syncline.sdk.formats.json_records import RecordDecoder

_Names = tuple[tuple[str, ...], ...]
#: Pages that are looked at the usual way before any is tried: a listing of a few pages isn't worth it.
_FIRST = 4
#: Pages that may be others before no more is tried, and one more for so many that weren't.
_OTHERS = 8
_HITS_FOR_ANOTHER = 16
#: Names beside the records that are still a page's and not data.
_WIDE = 40
_encode = msgspec.json.Encoder().encode


class SchemaPage(Struct, frozen=True):
    """A page that was checked and decoded: typed objects for `RecordDecoder.frame`, and what stands beside them.

    `beside` is the document without the list of records, which is at `path`. Every record has the fields `names`.

    >>> page = SchemaPage([], {"next": "c2"}, b'{"data": [], "next": "c2"}', ("data",), frozenset({"id"}))
    >>> page.beside_of((("next",),)), page.document()
    ({'next': 'c2'}, {'data': [], 'next': 'c2'})
    """

    records: list[Any]
    beside: Any
    body: bytes
    path: tuple[str, ...]
    names: frozenset[str]

    def document(self) -> Any:
        """The whole document, parsed for it."""
        return orjson.loads(self.body)

    def beside_of(self, reads: tuple[tuple[str, ...], ...] | None) -> Any:
        """What an expression needs that looks at these paths only; None: it may look anywhere."""
        if reads is None or any(self._meets(path) for path in reads):
            return self.document()
        return self.beside

    def _meets(self, path: tuple[str, ...]) -> bool:
        common = min(len(path), len(self.path))
        return path[:common] == self.path[:common]


class SchemaPages:
    """Finds the pages of a stream that are as its schema says. It learns from checked documents what is beside records.

    Several threads may use one at once.

    >>> from syncline.model.schema import INTEGER, Field, Schema
    >>> from syncline.sdk.formats.json_records import RecordDecoder
    >>> pages = SchemaPages(RecordDecoder(Schema((Field("id", INTEGER),)), "data[]"), first=1)
    >>> pages.read(b'{"data": [{"id": 1}], "next": "c2"}') is None
    True
    >>> pages.learn({"data": [{"id": 1}], "next": "c2"})
    >>> page = pages.read(b'{"data": [{"id": 2}, {"id": 3}], "next": "c3"}')
    >>> len(page.records), page.beside
    (2, {'next': 'c3'})
    >>> pages.read(b'{"data": [{"id": 2, "id": 3}], "next": "c3"}') is None
    True
    """

    def __init__(self, decoder: RecordDecoder, *, first: int = _FIRST) -> None:
        self._nodes = decoder.nodes
        self._ordered = False
        self._path = decoder.list_path
        self._names = frozenset(decoder.schema.names)
        self._wait = first
        self._hits = self._others = 0
        self._known: _Names | None = None
        self._decoder: tuple[_Names, msgspec.json.Decoder[Any]] | None = None

    def read(self, body: bytes) -> SchemaPage | None:
        """A page out of bytes that nobody has checked; None for one that has to be looked at the usual way."""
        known = self._known
        if known is None or self._wait > 0 or self._path is None:
            return None
        if self._decoder is None or self._decoder[0] != known:
            self._decoder = (known, self._compiled(known, self._path))
        try:
            page = self._read(body, known, self._path, self._decoder[1])
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, SynclineError):
            page = None
        self._hits += page is not None
        return page

    def learn(self, document: Any) -> None:
        """Takes in a checked document that `read` gave nothing for."""
        if self._path is None or self._others > _OTHERS + self._hits // _HITS_FOR_ANOTHER:
            self._known = None
            return
        if self._wait > 0:
            self._wait -= 1
        else:
            self._others += 1
        self._known = _names_beside(document, self._path, self._names)
        if self._known is not None and not self._ordered:
            self._nodes, self._ordered = in_order(self._nodes, _first_record(document, self._path)), True

    def _compiled(self, known: _Names, path: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
        inner: Any = list[full_struct_of(self._nodes)]  # type: ignore[misc]  # made at run time
        for name, names in zip(reversed(path), reversed(known), strict=True):
            fields = [(f"f{i}", inner if one == name else Any) for i, one in enumerate(names)]
            rename = {f"f{i}": one for i, one in enumerate(names)}
            inner = msgspec.defstruct("Envelope", fields, rename=rename, gc=False)
        return msgspec.json.Decoder(inner)

    def _read(
        self, body: bytes, known: _Names, path: tuple[str, ...], decoder: msgspec.json.Decoder[Any]
    ) -> SchemaPage | None:
        found = decoder.decode(body)
        if not as_many_quotes(body, _encode(found)):
            return None
        records, beside = _apart(found, known, path)
        orjson.dumps(beside)  # refuses nesting past 254 levels, as a check does
        _check_raws(list(raws_of(self._nodes, records)))
        convert(self._nodes, records, unread=True)
        return SchemaPage(records, beside, body, path, self._names)


def _check_raws(raws: list[msgspec.Raw]) -> None:
    """Refuses values that were passed over unread and aren't JSON with one meaning."""
    if raws:
        together = b"[" + b",".join(raws) + b"]"
        document = checked_json(together)
        # What is nothing but numbers has no names, and no depth.
        if b'"' in together or b"[" in together[1:]:
            check_names(together, document)


def _apart(found: Any, known: _Names, path: tuple[str, ...]) -> tuple[list[Any], Any]:
    """The records of a decoded page, and the document without them."""
    if not path:
        return found, None
    beside = {name: getattr(found, f"f{i}") for i, name in enumerate(known[0])}
    records, inner = _apart(beside.pop(path[0]), known[1:], path[1:])
    return records, beside if len(path) == 1 else {**beside, path[0]: inner}


def _names_beside(document: Any, path: tuple[str, ...], names: frozenset[str]) -> _Names | None:
    """The names of each object on the way to the records; None for a document whose records aren't as their schema."""
    found: list[tuple[str, ...]] = []
    for name in path:
        if not isinstance(document, dict) or name not in document or len(document) > _WIDE:
            return None
        found.append(tuple(document))
        document = document[name]
    first = _first_record(document, ())
    return tuple(found) if isinstance(first, dict) and first.keys() == names else None


def _first_record(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document[name]
    return document[0] if isinstance(document, list) and document else None
