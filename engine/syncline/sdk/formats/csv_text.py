"""Text of CSV into columns of text, exactly as written, with the line of every record.

pyarrow parses; what it can't tell or would refuse whole is handled record by record: a wrong number of columns, bytes
that aren't text in the declared encoding, and NUL. Such records are set aside and the others are read.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from itertools import pairwise

import polars as pl
import pyarrow as pa
import pyarrow.csv
from msgspec import Struct

from syncline.model.encodings import codec_of, mark_of, masking, refuse_mark
from syncline.model.errors import Bug, Invalid
from syncline.sdk.batch import Malformed, Span
from syncline.sdk.formats.csv_records import Dialect, Records, count_lines, end_of_records, records

#: Records looked at together for bytes that aren't text, before each of them is.
_TOGETHER = 64
#: How much of a malformed record is kept.
_MAX_RAW = 64 * 1024
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines(Struct, frozen=True):
    """How many lines a text has, and how many are before it in its file.

    >>> Lines(before=1, count=10).count
    10
    """

    before: int
    count: int


class CsvText:
    r"""CSV in one dialect and encoding. `nulls` are the texts that mean null where they aren't quoted.

    >>> text = CsvText()
    >>> data = b"id,name\n1,Ada\n"
    >>> columns, start, lines = text.header(data, text.begin(data, "a.csv"), "a.csv", final=True)
    >>> frame, spans, malformed = text.parse("a.csv", data[start:], Lines(lines, 1), columns, columns)
    >>> frame.rows(), spans[0].at(0)
    ([('1', 'Ada')], 'a.csv:2')
    """

    def __init__(
        self, delimiter: str = ",", quote: str = '"', encoding: str = "utf-8", nulls: Sequence[str] = ("",)
    ) -> None:
        self.dialect = _dialect(delimiter, quote)
        self._encoding = encoding
        self._codec = codec_of(encoding)
        self._masking = masking(encoding, delimiter, quote)
        self._nulls = nulls

    def signs(self, data: bytes) -> bytes:
        """A text of the same length, in which each delimiter and quote is one, and no half of another character."""
        return data if self._masking is None else self._masking.sub(b"xx", data)

    def begin(self, data: bytes, name: str) -> int:
        """Where a file's text begins, after a byte order mark. Invalid (SYN457) for one of another encoding."""
        if data.startswith(_UTF16):
            raise Invalid(
                f"{name} is UTF-16",
                code="SYN457",
                help="Declare csv.encoding: utf-16 where it is a file; what an API answers has to be in UTF-8.",
            )
        refuse_mark(self._encoding, data, name)
        return len(mark_of(self._encoding, data))

    def header(self, data: bytes, start: int, name: str, *, final: bool) -> tuple[tuple[str, ...], int, int]:
        """The columns that a text names, and the offset and number of lines before its first record.

        No columns: there is nothing from `start` on. `final`: nothing follows `data`. Invalid for unusable headers.
        """
        lines = 0
        while data[start : start + 1] in {b"\r", b"\n"}:
            start += 2 if data.startswith(b"\r\n", start) else 1
            lines += 1
        if start == len(data):
            return (), start, lines
        # The header is the first record: read it alone, as the start of a text that may go on.
        text = data[start:]
        end = _first_record(self.signs(text), self.dialect, final=final)
        if not end:
            raise Invalid(
                f"{name}:{lines + 1}: the header has no end",
                code="SYN456",
                help="A quote in it is never closed, or the file is no CSV.",
            )
        try:
            decoded = text[:end].decode(self._codec)
            text_lines = io.StringIO(decoded, newline="")
            names = next(csv.reader(text_lines, delimiter=self.dialect.delimiter, quotechar=self.dialect.quote))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Invalid(
                f"{name}:{lines + 1}: the header can't be read: {error}",
                code="SYN457",
                help="Declare csv.encoding, or save the file as UTF-8.",
            ) from None
        return checked_columns(names, f"{name}:{lines + 1}"), start + end, lines + count_lines(text[:end])

    def parse(
        self, name: str, data: bytes, lines: Lines, columns: tuple[str, ...], wanted: tuple[str, ...]
    ) -> tuple[pl.DataFrame, tuple[Span, ...], tuple[Malformed, ...]]:
        """
        The `wanted` columns of a text of whole records, with the places of its rows; and what isn't in them. Of one
        that the text doesn't have come nulls.
        """
        blank = len(columns) == 1
        if not data or (not blank and data.isspace() and not data.strip(b"\r\n")):
            return empty_columns(wanted), (), ()
        bad: dict[int, str] = {}
        found: Records | None = None
        text = data
        if self._encoding != "utf-8" or b"\0" in data or not _is_utf8(data):
            found = records(self.signs(data), self.dialect, blank=blank)
            bad = _unreadable(data, found, self._encoding)
            if bad:
                bounds = zip(found.starts, found.ends, strict=True)
                text = b"".join(data[a:b] for i, (a, b) in enumerate(bounds) if i not in bad)
            if self._encoding != "utf-8":
                text = text.decode(self._codec).encode()
        frame, miscounted = self._columns_of(text, columns, wanted)
        if not bad and not miscounted and frame.height == lines.count:
            return frame, (Span(name, "line", lines.before + 1, frame.height),), ()
        found = found or records(self.signs(data), self.dialect, blank=blank)
        good = [i for i in range(len(found)) if i not in bad]
        if len(good) != frame.height + len(miscounted):
            raise Bug(f"{name}: {len(good)} records were found and {frame.height + len(miscounted)} parsed")
        for number, actual in miscounted:
            bad[good[number - 1]] = f"it has {actual} columns; the header has {len(columns)}"
        starts, ends, before = found.starts.to_list(), found.ends.to_list(), found.lines.to_list()
        malformed = tuple(
            Malformed(f"{name}:{lines.before + before[i] + 1}", bad[i], _raw_text(data[starts[i] : ends[i]]))
            for i in sorted(bad)
        )
        kept = found.lines if not bad else found.lines.gather([i for i in good if i not in bad])
        return frame, _spans(name, kept + (lines.before + 1)), malformed

    def _columns_of(
        self, text: bytes, columns: tuple[str, ...], wanted: tuple[str, ...]
    ) -> tuple[pl.DataFrame, list[tuple[int, int]]]:
        """The frame, and number (from 1) and column count of each record that doesn't have the right number of them."""
        if not text:
            return empty_columns(wanted), []
        miscounted: list[tuple[int, int]] = []

        def skip(row: pyarrow.csv.InvalidRow) -> str:
            miscounted.append((row.number, row.actual_columns))
            return "skip"

        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            # One block, so that records are numbered; a little longer than the text, so that it is one.
            read_options=pyarrow.csv.ReadOptions(column_names=columns, use_threads=False, block_size=len(text) + 64),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote,
                newlines_in_values=True,
                ignore_empty_lines=len(columns) > 1,
                invalid_row_handler=skip,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys((*columns, *wanted), pa.large_string()),
                include_columns=wanted,
                include_missing_columns=True,
                null_values=self._nulls,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                check_utf8=False,  # the whole text was checked
            ),
        )
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame, miscounted


def _dialect(delimiter: str, quote: str) -> Dialect:
    for name, char in (("delimiter", delimiter), ("quote", quote)):
        if not char.isascii() or char in "\r\n\0" or delimiter == quote:
            raise Invalid(
                f"csv.{name} can't be {char!r}",
                code="SYN458",
                help="Delimiter and quote are two different ASCII characters, and no line ends.",
            )
    return Dialect(delimiter, quote)


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


def checked_columns(names: Sequence[str], place: str) -> tuple[str, ...]:
    """Column names as they are; Invalid (SYN453) where one is empty or comes twice.

    >>> checked_columns(["id", "name"], "users.csv:1")
    ('id', 'name')
    """
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


def empty_columns(names: Sequence[str]) -> pl.DataFrame:
    """No records of these columns.

    >>> empty_columns(["id"]).columns
    ['id']
    """
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String()))


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    ends = pa.array([0, len(data)], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(data)])
    try:
        text.validate(full=True)  # a cast says as much, and loads all of Arrow's functions, which takes 80 ms
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
        data.decode(codec_of(encoding))
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


def _raw_text(data: bytes) -> str:
    """A record's bytes for people: bounded, with what isn't UTF-8 as backslash escapes."""
    return data[:_MAX_RAW].rstrip(b"\r\n").decode("utf-8", "backslashreplace")[:_MAX_RAW]
