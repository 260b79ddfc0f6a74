"""JSON documents: a list of records somewhere in each file, decoded exactly, as an answer of an API is.

A document has one meaning or none: it is checked whole before a record of it is read, so that it has to fit in memory.
Files that are larger belong into JSON Lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from syncline.connectors.file.blocks import MAX_RAW, spans_of
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.json_document import check_document
from syncline.sdk.formats.json_records import PageRecords, untyped_schema
from syncline.sdk.formats.record_decoder import record_decoder

#: Largest document, in bytes. Parsed it takes several times as much.
MAX_DOCUMENT = 256 * 1024 * 1024


class JsonFormat:
    """A list of records in each document, by a declared schema, or with the top-level fields that are used."""

    def __init__(self, records: str, declared: Schema | None, paths: Sequence[str], rows: int) -> None:
        self.schema = declared or untyped_schema(paths)
        self._decoder = record_decoder(self.schema, records)
        self._rows = rows

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, so many at a time; those before `at` are decoded again, and not given again."""
        page, data = self._page(file)
        start = at.get("record", 0)
        while True:
            end = min(start + self._rows, page.count)
            last = end == page.count
            good = [n for n, row in enumerate(page.rows) if start <= row < end]
            yield Piece(
                self._decoder.frame([page.good[n] for n in good]),
                spans_of(file.name, [page.rows[n] + 1 for n in good], "record"),
                tuple(
                    Malformed(f"{file.name}#{bad.index + 1}", bad.message, bad.raw[:MAX_RAW], bad.field)
                    for bad in page.bad
                    if start <= bad.index < end
                ),
                hashlib.sha256(b"" if start else data).digest(),
                0 if start else len(data),
                {} if last else {"record": end},
                file.size,
                last=last,
            )
            if last:
                return
            start = end

    def _page(self, file: OpenFile) -> tuple[PageRecords, bytes]:
        if file.size > MAX_DOCUMENT:
            raise Invalid(
                f"{file.name} has {file.size:,} bytes; a JSON document has at most {MAX_DOCUMENT:,}",
                code="SYN456",
                help="Write large exports as JSON Lines: a record a line.",
            )
        data = file.read(0, file.size)
        try:
            body, _ = check_document(data)
            return self._decoder.decode(body), data
        except SynclineError as error:
            said = error.marked.replace("the answer", file.name)
            raise Invalid(said, code=error.code, help="Nothing of the file was read.") from None
