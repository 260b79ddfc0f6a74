"""CSV files: columns of text, exactly as written, with the line of every record.

pyarrow parses; what it can't tell or would refuse whole is handled record by record: a wrong number of columns, bytes
that aren't text in the declared encoding, and NUL. Such records are set aside and the others are read.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl
import pyarrow as pa
import pyarrow.csv

from syncline.connectors.file.blocks import MAX_RECORD, Block, blocks, raw_text
from syncline.connectors.file.csv_records import (
    Dialect,
    Records,
    count_lines,
    end_of_records,
    opening_quote,
    records,
)
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.kinds.stream import Csv, text_schema
from syncline.model.errors import Bug, Invalid
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed, Span

#: Records looked at together for bytes that aren't text, before each of them is.
_TOGETHER = 64
#: The longest header that is looked for.
MAX_HEADER = 1024 * 1024
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Lines:
    """How many lines a block has, and how many are before it in its file."""

    before: int
    count: int


class CsvFormat:
    """CSV in one dialect. The columns are those of the first file with a header; every other file must have them too.

    With a declared schema, columns that it doesn't list are not read.
    """

    def __init__(self, options: Csv, declared: Schema | None, files: Iterator[OpenFile], block: int) -> None:
        self._options = options
        self._dialect = _dialect(options)
        self._block = block
        self._columns, self._first = self._find_columns(files, declared)
        if declared and (missing := [n for n in declared.names if n not in self._columns]):
            raise Invalid(
                f"{self._first} has no column {_listed(missing)}",
                code="SYN463",
                help=f"Its columns are {_listed(self._columns)}. Correct the stream's schema or the file's header.",
            )
        wanted = set(declared.names) if declared else set(self._columns)
        self.schema = text_schema(tuple(c for c in self._columns if c in wanted), declared)

    def _find_columns(self, files: Iterator[OpenFile], declared: Schema | None) -> tuple[tuple[str, ...], str]:
        if not self._options.header:
            if not self._options.columns:
                raise Invalid(
                    "a CSV stream without a header needs the names of its columns",
                    code="SYN458",
                    help="Add csv.columns, or leave csv.header out when the first line names them.",
                )
            return _checked(self._options.columns, "csv.columns"), "csv.columns"
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
        data = file.read(0, min(file.size, MAX_HEADER))
        start = 0
        if data.startswith(_UTF16):
            raise Invalid(
                f"{file.name} is UTF-16",
                code="SYN457",
                help="Convert it to UTF-8: iconv -f UTF-16 -t UTF-8.",
            )
        if self._options.encoding == "utf-8" and data.startswith(codecs.BOM_UTF8):
            start = len(codecs.BOM_UTF8)
        if not self._options.header:
            return self._columns, start, 0
        lines = 0
        while data[start : start + 1] in {b"\r", b"\n"}:
            start += 2 if data.startswith(b"\r\n", start) else 1
            lines += 1
        if start == len(data):
            return (), start, lines
        # The header is the first record: read it alone, as the start of a text that may go on.
        text = data[start:]
        end = _first_record(text, self._dialect, final=file.size == len(data))
        if not end:
            raise Invalid(
                f"{file.name}:{lines + 1}: the header has no end",
                code="SYN456",
                help="A quote in it is never closed, or the file is no CSV.",
            )
        try:
            decoded = text[:end].decode(self._options.encoding)
            text_lines = io.StringIO(decoded, newline="")
            names = next(csv.reader(text_lines, delimiter=self._dialect.delimiter, quotechar=self._dialect.quote))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Invalid(
                f"{file.name}:{lines + 1}: the header can't be read: {error}",
                code="SYN457",
                help="Declare csv.encoding, or save the file as UTF-8.",
            ) from None
        return _checked(names, f"{file.name}:{lines + 1}"), start + end, lines + count_lines(text[:end])

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, block by block."""
        columns, body, lines = self._header(file)
        head = b""
        if not at:
            if not columns:
                empty = file.read(0, file.size)
                read = hashlib.sha256(empty).digest()
                yield Piece(_empty(self.schema.names), (), (), read, len(empty), {}, file.size, last=True)
                return
            head = file.read(0, body)
            at = {"offset": body, "line": lines}
        if set(columns) != set(self._columns):
            raise _other_columns(file.name, columns, self._first, self._columns)
        line = at["line"]

        def end_of(data: bytes, final: bool) -> int:
            return end_of_records(data, self._dialect, final=final)

        for block in blocks(file, at["offset"], self._block, end_of):
            lines = count_lines(block.data)
            frame, spans, malformed = self._parse(file.name, block.data, Lines(line, lines), columns)
            digest = hashlib.sha256(head)
            digest.update(block.data)
            line += lines
            end = block.offset + len(block.data)
            yield Piece(
                frame.select(self.schema.names),
                spans,
                malformed,
                digest.digest(),
                len(head) + len(block.data),
                {"offset": end, "line": line},
                end,
                last=block.last,
                growable=block.data.endswith(b"\n"),
            )
            head = b""
            if block.rest:
                raise self._unclosed(file, block, line)

    def _parse(
        self, name: str, data: bytes, lines: Lines, columns: tuple[str, ...]
    ) -> tuple[pl.DataFrame, tuple[Span, ...], tuple[Malformed, ...]]:
        """The frame of a block of whole records, with the places of its rows, and the records that aren't in it."""
        blank = len(columns) == 1
        if not data or (not blank and data.isspace() and not data.strip(b"\r\n")):
            return _empty(self.schema.names), (), ()
        bad: dict[int, str] = {}
        found: Records | None = None
        text = data
        if self._options.encoding != "utf-8" or b"\0" in data or not _is_utf8(data):
            found = records(data, self._dialect, blank=blank)
            bad = _unreadable(data, found, self._options.encoding)
            if bad:
                bounds = zip(found.starts, found.ends, strict=True)
                text = b"".join(data[a:b] for i, (a, b) in enumerate(bounds) if i not in bad)
            if self._options.encoding != "utf-8":
                text = text.decode(self._options.encoding).encode()
        frame, miscounted = self._columns_of(text, columns)
        if not bad and not miscounted and frame.height == lines.count:
            return frame, (Span(name, "line", lines.before + 1, frame.height),), ()
        found = found or records(data, self._dialect, blank=blank)
        good = [i for i in range(len(found)) if i not in bad]
        if len(good) != frame.height + len(miscounted):
            raise Bug(f"{name}: {len(good)} records were found and {frame.height + len(miscounted)} parsed")
        for number, actual in miscounted:
            bad[good[number - 1]] = f"it has {actual} columns; the header has {len(columns)}"
        starts, ends, before = found.starts.to_list(), found.ends.to_list(), found.lines.to_list()
        malformed = tuple(
            Malformed(f"{name}:{lines.before + before[i] + 1}", bad[i], raw_text(data[starts[i] : ends[i]]))
            for i in sorted(bad)
        )
        kept = found.lines if not bad else found.lines.gather([i for i in good if i not in bad])
        return frame, _spans(name, kept + (lines.before + 1)), malformed

    def _columns_of(self, text: bytes, columns: tuple[str, ...]) -> tuple[pl.DataFrame, list[tuple[int, int]]]:
        """The frame, and number (from 1) and column count of each record that doesn't have the right number of them."""
        if not text:
            return _empty(columns), []
        miscounted: list[tuple[int, int]] = []

        def skip(row: pyarrow.csv.InvalidRow) -> str:
            miscounted.append((row.number, row.actual_columns))
            return "skip"

        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            # One block, so that records are numbered; a little longer than the text, so that it is one.
            read_options=pyarrow.csv.ReadOptions(column_names=columns, use_threads=False, block_size=len(text) + 64),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._dialect.delimiter,
                quote_char=self._dialect.quote,
                newlines_in_values=True,
                ignore_empty_lines=len(columns) > 1,
                invalid_row_handler=skip,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.large_string()),
                include_columns=self.schema.names,
                null_values=self._options.nulls,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                check_utf8=False,  # the whole text was checked
            ),
        )
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame, miscounted

    def _unclosed(self, file: OpenFile, block: Block, line: int) -> Invalid:
        opened = opening_quote(block.rest, self._dialect)
        line += max(count_lines(block.rest[:opened] + b"x"), 1)
        at_end = block.offset + len(block.data) + len(block.rest) == file.size
        why = "the file ends inside it" if at_end else f"no record ends within {MAX_RECORD:,} bytes"
        return Invalid(
            f"{file.name}:{line}: the quote that opens here is never closed: {why}",
            code="SYN456",
            help="Close the quote, or double it if it belongs to the text. The records before this line were read.",
        )


def _dialect(options: Csv) -> Dialect:
    for name, char in (("delimiter", options.delimiter), ("quote", options.quote)):
        if not char.isascii() or char in "\r\n\0" or options.delimiter == options.quote:
            raise Invalid(
                f"csv.{name} can't be {char!r}",
                code="SYN458",
                help="Delimiter and quote are two different ASCII characters, and no line ends.",
            )
    return Dialect(options.delimiter, options.quote)


def _first_record(text: bytes, dialect: Dialect, *, final: bool) -> int:
    """Where the first record of a text ends; 0 if it doesn't."""
    end = 0
    while end < len(text):
        ends = [at for at in (text.find(b"\n", end), text.find(b"\r", end)) if at >= 0]
        end = min(ends) + 1 if ends else len(text)
        if text[end - 1 : end + 1] == b"\r\n":
            end += 1
        complete = final or end < len(text) or text.endswith(b"\n")
        if complete and end_of_records(text[:end], dialect, final=True) == end:
            return end
    return 0


def _checked(names: Sequence[str], place: str) -> tuple[str, ...]:
    """Column names as they are; Invalid where one is empty or comes twice."""
    for index, name in enumerate(names):
        if not name or "\0" in name:
            raise Invalid(
                f"{place}: column {index + 1} has no name",
                code="SYN453",
                help="Name it in the header, or set csv.header to false and list the names in csv.columns.",
            )
        if name in names[:index]:
            raise Invalid(
                f"{place}: columns {names.index(name) + 1} and {index + 1} are both called {name!r}",
                code="SYN453",
                help="Give each column a name of its own.",
            )
    return tuple(names)


def _other_columns(name: str, columns: Sequence[str], first: str, expected: Sequence[str]) -> Invalid:
    missing = [c for c in expected if c not in columns]
    extra = [c for c in columns if c not in expected]
    parts = [f"lacks {_listed(missing)}"] * bool(missing) + [f"has {_listed(extra)} besides"] * bool(extra)
    return Invalid(
        f"{name} doesn't have the columns of {first}: it {' and '.join(parts)}",
        code="SYN454",
        help="Files of one stream have the same columns, in any order. Make two streams of them, or correct the file.",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def _empty(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String()))


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    text = pa.Array.from_buffers(
        pa.binary(), 1, [None, pa.array([0, len(data)], pa.int32()).buffers()[1], pa.py_buffer(data)]
    )
    try:
        text.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _unreadable(data: bytes, found: Records, encoding: str) -> dict[int, str]:
    """Records (by index) with bytes that are no text in the encoding, or with NUL, and why."""
    bad: dict[int, str] = {}
    starts, ends = found.starts.to_list(), found.ends.to_list()
    for first in range(0, len(starts), _TOGETHER):
        last = min(first + _TOGETHER, len(starts))
        if not _fault(data[starts[first] : ends[last - 1]], encoding):
            continue
        for index in range(first, last):
            if fault := _fault(data[starts[index] : ends[index]], encoding):
                bad[index] = fault
    return bad


def _fault(data: bytes, encoding: str) -> str:
    """Why some bytes aren't text that can be kept; empty if they are."""
    if b"\0" in data:
        return "it contains a NUL character"
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return f"byte 0x{data[error.start]:02X} is no text in {encoding}; declare csv.encoding if it is another"
    return ""


def _spans(name: str, lines: pl.Series) -> tuple[Span, ...]:
    """Runs of records that start on consecutive lines."""
    if not lines.len():
        return ()
    breaks = [0, *(lines.diff() != 1).fill_null(value=False).arg_true(), lines.len()]
    firsts = lines.gather(breaks[:-1]).to_list()
    return tuple(Span(name, "line", first, b - a) for first, (a, b) in zip(firsts, pairwise(breaks), strict=True))
