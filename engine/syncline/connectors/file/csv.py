"""CSV files: columns of text, exactly as written, with the line of every record.

pyarrow parses; what it can't tell or would refuse whole is handled record by record: a wrong number of columns, bytes
that aren't text in the declared encoding, and NUL. Such records are set aside and the others are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from syncline.connectors.file.blocks import MAX_RECORD, Block, blocks
from syncline.connectors.file.detection import resolved
from syncline.connectors.file.heads import HEAD, Columns, listed
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.kinds.file_stream import FileCsv
from syncline.kinds.record import text_schema
from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.formats.csv_records import count_lines, end_of_records, opening_quote
from syncline.sdk.formats.csv_text import CsvText, Lines, checked_columns, empty_columns

#: The longest header that is looked for.
MAX_HEADER = 1024 * 1024


class CsvFormat:
    """CSV in one dialect; `notice` is told what was found out of it.

    The columns are those of the first file with a header; every other file must have those of them that are read by
    `paths`, and of the others nulls are read. With a declared schema, each file has its columns.

    Columns that nothing reads are told.
    """

    def __init__(
        self,
        declared_options: FileCsv,
        declared: Schema | None,
        files: Iterator[OpenFile],
        block: int,
        notice: Callable[[str], None],
        paths: Sequence[str] = (),
    ) -> None:
        options, files = resolved(declared_options, files, notice)
        self._options = options
        self._text = CsvText(options.delimiter, options.quote, options.encoding, options.nulls)
        self._block = block
        self._columns, self._first = self._find_columns(files, declared)
        if declared and (missing := [n for n in declared.names if n not in self._columns]):
            raise Invalid(
                f"{self._first} has no column {listed(missing)}",
                code="SYN463",
                help=f"Its columns are {listed(self._columns)}. Correct the stream's schema or the file's header.",
            )
        wanted = set(declared.names) if declared else set(self._columns)
        self.schema = text_schema(tuple(c for c in self._columns if c in wanted), declared)
        self._read = Columns(self.schema.names, paths if declared is None else (), notice)

    def _find_columns(self, files: Iterator[OpenFile], declared: Schema | None) -> tuple[tuple[str, ...], str]:
        if not self._options.header:
            if not self._options.columns:
                raise Invalid(
                    "a CSV stream without a header needs the names of its columns",
                    code="SYN458",
                    help="Add csv.columns, or leave csv.header out when the first line names them.",
                )
            return checked_columns(self._options.columns, "csv.columns"), "csv.columns"
        name = ""
        for file in files:
            name = file.name
            columns, _, _ = self._header(file)
            if columns:
                return columns, name
        if declared:
            return declared.names, name
        raise Invalid(
            f"{name} is empty: its columns are unknown",
            code="SYN453",
            help="Declare the stream's schema if files may come without even a header.",
        )

    def _header(self, file: OpenFile) -> tuple[tuple[str, ...], int, int]:
        """Columns of a file, and the offset and the number of lines before its first record. No columns: no bytes."""
        return self._begin(file, file.read(0, min(file.size, MAX_HEADER)))

    def _begin(self, file: OpenFile, data: bytes) -> tuple[tuple[str, ...], int, int]:
        start = self._text.begin(data, file.name)
        if not self._options.header:
            return self._columns, start, 0
        return self._text.header(data, start, file.name, final=file.size == len(data))

    def lacking(self, file: OpenFile) -> tuple[str, ...]:
        """See `Headed`."""
        data = file.read(0, min(file.size, HEAD))
        try:
            columns, _, _ = self._begin(file, data)
        except Invalid as error:
            if error.code != "SYN456":
                raise
            columns, _, _ = self._header(file)  # a long one
        return self._read.lacking(columns) if columns else ()

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, block by block."""
        columns, body, lines = self._header(file)
        head = b""
        if not at:
            if not columns:
                empty = file.read(0, file.size)
                read = hashlib.sha256(empty).digest()
                yield Piece(empty_columns(self.schema.names), (), (), read, len(empty), {}, file.size, last=True)
                return
            head = file.read(0, body)
            at = {"offset": body, "line": lines}
        if missing := self._read.lacking(columns):
            raise _other_columns(file.name, missing, self._first)
        self._read.tell(file.name, columns)
        line = at["line"]

        def end_of(data: bytes, final: bool) -> int:
            return end_of_records(self._text.signs(data), self._text.dialect, final=final)

        for block in blocks(file, at["offset"], self._block, end_of):
            lines = count_lines(block.text)
            at_lines = Lines(line, lines)
            frame, spans, malformed = self._text.parse(file.name, block.text, at_lines, columns, self.schema.names)
            line += lines
            found = [Piece.of(block, head, line, frame, spans, malformed)]
            stuck = block if block.rest else None
            del frame, block  # or they would be held until the next block is read
            yield found.pop()
            head = b""
            if stuck is not None:
                raise self._unclosed(file, stuck, line)

    def _unclosed(self, file: OpenFile, block: Block, line: int) -> Invalid:
        opened = opening_quote(self._text.signs(block.rest), self._text.dialect)
        line += max(count_lines(block.rest[:opened] + b"x"), 1)
        at_end = block.offset + len(block.data) + len(block.rest) == file.size
        why = "the file ends inside it" if at_end else f"no record ends within {MAX_RECORD:,} bytes"
        return Invalid(
            f"{file.name}:{line}: the quote that opens here is never closed: {why}",
            code="SYN456",
            help="Close the quote, or double it if it belongs to the text. The records before this line were read.",
        )


def _other_columns(name: str, missing: Sequence[str], first: str) -> Invalid:
    return Invalid(
        f"{name} doesn't have the columns of {first}: it lacks {listed(missing)}",
        code="SYN454",
        help="Files of one stream have the same columns, in any order. Make two streams of them, or correct the file.",
    )
