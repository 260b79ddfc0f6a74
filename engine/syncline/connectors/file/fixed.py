"""Files of fixed width: columns of text by their positions in a line, blanks around them taken off.

Positions count characters of the decoded line, from 1, as record layouts do. A line may end early, as many programs
leave trailing blanks out: the columns after its end are null. What isn't text in the declared encoding is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from syncline.connectors.file.blocks import MAX_RECORD, blocks, count_of_lines, end_of_lines, raw_text, spans_of
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.kinds.file_stream import Fixed
from syncline.kinds.record import text_schema
from syncline.model.encodings import codec_of, mark_of, refuse_mark
from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.csv_text import checked_columns

#: Bytes that a byte order mark has at most.
_MARK = 4


class FixedFormat:
    """Lines with a record each, laid out as declared."""

    def __init__(self, options: Fixed | None, declared: Schema | None, block: int) -> None:
        if options is None:
            raise Invalid(
                "a stream of format fixed needs the layout of its lines",
                code="SYN458",
                help="Declare fixed.columns: a name, the first position (from 1) and the width of each.",
            )
        checked_columns([column.name for column in options.columns], "fixed.columns")
        wanted = {c.name: c for c in options.columns if declared is None or declared.get(c.name) is not None}
        if declared and (missing := [name for name in declared.names if name not in wanted]):
            raise Invalid(
                f"fixed.columns has no {', '.join(map(repr, missing))}, which the stream's schema lists",
                code="SYN463",
                help="Add it with its position, or leave it out of the schema.",
            )
        self._options = options
        self._codec = codec_of(options.encoding)
        self._block = block
        self._expressions = [
            _cell(pl.col("line").str.slice(c.start - 1, c.width), trim=options.trim).alias(name)
            for name, c in wanted.items()
        ]
        self.schema = text_schema(tuple(wanted), declared)

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, block by block."""
        head = b""
        if not at:
            start = file.read(0, min(_MARK, file.size))
            refuse_mark(self._options.encoding, start, file.name)
            head = mark_of(self._options.encoding, start)
            at = {"offset": len(head), "line": 0}
        line = at["line"]
        for block in blocks(file, at["offset"], self._block, end_of_lines):
            if block.rest:
                raise Invalid(
                    f"{file.name}:{line + block.data.count(10) + 1}: a line longer than {MAX_RECORD:,} bytes",
                    code="SYN456",
                    help="Files of fixed width have a line for each record.",
                )
            numbers, texts, malformed = self._lines(file.name, block.text, line)
            line += count_of_lines(block.data)
            yield Piece.of(
                block,
                head,
                line,
                pl.DataFrame({"line": texts}, schema={"line": pl.String()}).select(self._expressions),
                spans_of(file.name, numbers),
                tuple(malformed),
            )
            head = b""

    def _lines(self, name: str, data: bytes, before: int) -> tuple[list[int], list[str], list[Malformed]]:
        """Numbers and texts of the lines that hold a record; those that can't be read."""
        numbers: list[int] = []
        texts: list[str] = []
        malformed: list[Malformed] = []
        for number, whole in enumerate(data.split(b"\n"), before + 1):
            raw = whole.rstrip(b"\r")
            if number <= self._options.skip or not raw.strip():
                continue
            try:
                text = raw.decode(self._codec)
            except UnicodeDecodeError as error:
                why = f"it isn't {self._options.encoding} at byte {error.start + 1}"
                malformed.append(Malformed(f"{name}:{number}", why, raw_text(raw)))
                continue
            if "\0" in text:
                malformed.append(Malformed(f"{name}:{number}", "it holds NUL", raw_text(raw)))
                continue
            numbers.append(number)
            texts.append(text)
        return numbers, texts, malformed


def _cell(column: pl.Expr, *, trim: bool) -> pl.Expr:
    """A column's text; one of blanks only, or past the end of its line, is null."""
    cell = column.str.strip_chars(" ") if trim else column
    return pl.when(column.str.strip_chars(" ") != "").then(cell)
