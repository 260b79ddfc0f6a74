"""XML: the elements at a path are records, read as a stream, so that a file may have any length.

Texts become values of the types that the schema declares, exactly. A file is parsed from its start each time; records
before a position aren't built into anything again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from syncline.connectors.file.blocks import MAX_RAW, spans_of
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.model.errors import Invalid
from syncline.model.schema import Field
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.json_records import untyped_schema
from syncline.sdk.formats.record_decoder import record_decoder
from syncline.sdk.formats.text_values import TextValues
from syncline.sdk.formats.whole import WHOLE
from syncline.sdk.formats.xml_document import Path, list_path
from syncline.sdk.formats.xml_records import XmlRecords
from syncline.sdk.source import SourceRequest

#: How much of a file is parsed at once.
_STEP = 256 * 1024


class XmlFormat:
    """Elements at a path, by a declared schema, or with the top-level fields that are used."""

    def __init__(self, records: str, request: SourceRequest) -> None:
        path = list_path(records)
        if path is None:
            raise Invalid(
                f"records: {records!r} is no path of elements",
                code="SYN566",
                help="Write the names from the root to a record: catalog.item[].",
            )
        self.schema = request.schema or untyped_schema(request.paths)
        self._path = path
        self._lists = tuple(_lists(self.schema.fields))
        self._decoder = record_decoder(self.schema, "@")
        self._texts = TextValues(self.schema) if request.schema and self.schema != WHOLE else None
        self._rows, self._bytes = request.batch_rows, request.batch_bytes

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, so many at a time. A position counts records, and the bytes up to them."""
        reader = XmlRecords(self._path, self._lists)
        first, counted = at.get("record", 0), at.get("bytes", 0)
        seen, size, digest = 0, 0, hashlib.sha256()
        pending: list[Any] = []
        for offset in range(0, max(file.size, 1), _STEP):
            data = file.read(offset, min(_STEP, file.size - offset))
            found = self._fed(reader, file, data, last=offset + len(data) == file.size)
            pending += found[max(first - seen, 0) :]
            seen += len(found)
            if offset >= counted:
                digest.update(data)
                size += len(data)
            while len(pending) >= self._rows or (pending and size >= self._bytes):
                some, pending = pending[: self._rows], pending[self._rows :]
                position = {"record": first + len(some), "bytes": offset + len(data)}
                yield self._piece(file, some, first, digest.digest(), size, position)
                first, size, digest = first + len(some), 0, hashlib.sha256()
        if not reader.reached:
            raise Invalid(
                f"{file.name} has no element {'/'.join(self._path[:-1])}",
                code="SYN566",
                help="Compare `records` with the file: names of elements from its root on, without prefixes.",
            )
        yield self._piece(file, pending, first, digest.digest(), size, {})

    def _fed(self, reader: XmlRecords, file: OpenFile, data: bytes, *, last: bool) -> list[Any]:
        try:
            return reader.feed(data, last=last)
        except Invalid as error:
            raise Invalid(f"{file.name}: {error.message}", code=error.code, help=error.help) from None

    def _piece(
        self, file: OpenFile, records: list[Any], first: int, digest: bytes, size: int, at: Mapping[str, int]
    ) -> Piece:
        raws = [msgspec.json.encode(record) for record in records]
        page = self._decoder.decode_each(self._texts.records(raws) if self._texts is not None else raws)
        return Piece(
            self._decoder.frame(page.good),
            spans_of(file.name, [first + row + 1 for row in page.rows], "record"),
            tuple(
                Malformed(f"{file.name}#{first + bad.index + 1}", bad.message, bad.raw[:MAX_RAW], bad.field)
                for bad in page.bad
            ),
            digest,
            size,
            at,
            file.size,
            last=not at,
        )


def _lists(fields: tuple[Field, ...], path: Path = ()) -> Iterator[Path]:
    """Paths of the fields that are lists."""
    for field in fields:
        inner = (*path, field.name)
        if field.repeated:
            yield inner
        yield from _lists(field.fields, inner)
