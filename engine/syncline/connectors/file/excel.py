"""Worksheets (.xlsx): columns of text under a header, each cell as its value is written down.

A number is the text of its shortest exact form (1.5, and 1 for 1.0), a date or time ISO 8601, a truth value `true` or
`false`; what a formula gave last counts. A row with an error in a cell (`#DIV/0!`), or with a value beside the table,
is set aside. Empty rows are none. A workbook is read from its start each time, since it can't be read in parts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.file.blocks import spans_of
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.kinds.stream import Excel, text_schema
from syncline.model.errors import Invalid, Stalled, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed
from syncline.sdk.csv_text import checked_columns

if TYPE_CHECKING:
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.workbook.workbook import Workbook

#: How large a workbook may be unpacked, in bytes, and how many times its size: a sheet has 1,048,576 rows at most.
MAX_BYTES, MAX_RATIO = 4 * 1024**3, 500
#: How large its table of texts may be, which is in memory as a whole; and how many rows a worksheet has (ECMA-376).
MAX_TEXTS, MAX_ROWS = 256 * 1024**2, 1_048_576
_Row = tuple["ReadOnlyCell", ...]


class ExcelFormat:
    """A worksheet of each file. The columns are those of the first; every other must have them too."""

    def __init__(self, options: Excel, declared: Schema | None, files: Iterator[OpenFile], rows: int) -> None:
        self._options = options
        self._rows = rows
        self._first = next(files)
        with _opened(self._first) as book:
            self._columns = self._header(self._first.name, self._sheet(book, self._first.name))[0]
        if declared and (missing := [name for name in declared.names if name not in self._columns]):
            raise Invalid(
                f"{self._first.name} has no column {', '.join(map(repr, missing))}",
                code="SYN463",
                help="Correct the stream's schema or the worksheet's header; excel.header says which row that is.",
            )
        wanted = set(declared.names) if declared else set(self._columns)
        self.schema = text_schema(tuple(name for name in self._columns if name in wanted), declared)

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the rows of a file's worksheet, so many at a time."""
        whole = bytes.fromhex(file.digest(file.size))
        with _opened(file) as book:
            sheet = self._sheet(book, file.name)
            columns, rows = self._header(file.name, sheet)
            if set(columns) != set(self._columns):
                lacks = ", ".join(repr(c) for c in self._columns if c not in columns) or "nothing"
                raise Invalid(
                    f"{file.name} doesn't have the columns of {self._first.name}: it lacks {lacks}",
                    code="SYN454",
                    help="Files of one stream have the same columns.",
                )
            place = f"{file.name}!{sheet.title}"
            done = at.get("row", self._options.header)
            rows = islice(rows, done - self._options.header, None)
            ahead = list(islice(rows, self._rows))
            while True:
                some, ahead = ahead, list(islice(rows, self._rows))
                yield self._piece(file, place, columns, some, done, last=not ahead, digest=whole if not at else b"")
                done += len(some)
                at = {"row": done}
                if not ahead:
                    return

    def _piece(
        self,
        file: OpenFile,
        place: str,
        columns: Sequence[str],
        rows: Sequence[_Row],
        before: int,
        *,
        last: bool,
        digest: bytes,
    ) -> Piece:
        good: list[list[str | None]] = []
        numbers: list[int] = []
        malformed: list[Malformed] = []
        for number, row in enumerate(rows, before + 1):
            values = [_text(cell.value) for cell in row]
            if not any(value is not None for value in values):
                continue
            if why := _wrong(row, len(columns)):
                raw = ",".join(value or "" for value in values)
                malformed.append(Malformed(f"{place}#{number}", why, raw))
            else:
                numbers.append(number)
                good.append([*values, *[None] * (len(columns) - len(values))])
        cells = list(zip(*good, strict=True)) if good else [()] * len(columns)
        frame = pl.DataFrame(
            [pl.Series(name, cells[columns.index(name)], dtype=pl.String) for name in self.schema.names]
        )
        return Piece(
            frame,
            spans_of(place, numbers, "row"),
            tuple(malformed),
            digest or hashlib.sha256(b"").digest(),
            file.size if digest else 0,
            {} if last else {"row": before + len(rows)},
            file.size,
            last=last,
        )

    def _sheet(self, book: Workbook, name: str) -> Any:
        titles = [sheet.title for sheet in book.worksheets]
        wanted = self._options.sheet or (titles[0] if titles else "")
        if wanted not in titles:
            found = ", ".join(map(repr, titles)) or "none"
            raise Invalid(f"{name} has no worksheet {wanted!r}", code="SYN461", help=f"Its worksheets are: {found}.")
        sheet: Any = book[wanted]
        sheet.reset_dimensions()  # many programs write wrong ones, and cells beyond them would be lost
        return sheet

    def _header(self, name: str, sheet: Any) -> tuple[tuple[str, ...], Iterator[_Row]]:
        rows = _rows(name, sheet)
        header = next(islice(rows, self._options.header - 1, None), ())
        texts = [_text(cell.value) or "" for cell in header]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            raise Invalid(
                f"{name}: row {self._options.header} of worksheet {sheet.title!r} is empty: its columns are unknown",
                code="SYN453",
                help="Say in excel.header which row names the columns.",
            )
        return checked_columns(texts, f"{name}!{sheet.title}"), rows


def _rows(name: str, sheet: Any) -> Iterator[_Row]:
    """The rows of a worksheet; damage in it comes to light while they are read."""
    rows: Iterator[_Row] = sheet.iter_rows()
    for _ in range(MAX_ROWS):
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # whatever the library's parts raise for what they can't read
            raise _damaged(name, error) from None
        yield row
    raise _damaged(name, ValueError(f"worksheet {sheet.title!r} has more than {MAX_ROWS:,} rows"))


def _wrong(row: _Row, width: int) -> str:
    """What keeps a row from being a record."""
    for column, cell in enumerate(row):
        if cell.value is None:
            continue
        if cell.data_type == "e":
            return f"cell {_letters(column)}{cell.row} is the error {cell.value}"
        if column >= width:
            return f"cell {_letters(column)}{cell.row} is beside the table, which has {width} columns"
    return ""


def _text(value: Any) -> str | None:
    match value:
        case None | "":
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _duration(value)
        case _:
            return str(value)


def _duration(value: dt.timedelta) -> str:
    """A duration as ISO 8601, in hours: worksheets count past 24 of them."""
    seconds = abs(value).total_seconds()
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    sign = "-" if value < dt.timedelta(0) else ""
    return f"{sign}PT{hours}H{minutes}M{int(rest) if rest.is_integer() else rest}S"


def _letters(column: int) -> str:
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


@contextmanager
def _opened(file: OpenFile) -> Iterator[Workbook]:
    """A workbook, checked for being one and for how large it gets, before any of it is unpacked."""
    try:
        import openpyxl
    except ImportError:
        raise Stalled(
            "reading Excel needs the package openpyxl, which isn't installed",
            code="SYN716",
            help="Install syncline with it: pip install 'syncline[excel]'.",
        ) from None
    file.handle.seek(0)
    try:
        with zipfile.ZipFile(file.handle) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            texts = sum(e.file_size for e in archive.infolist() if e.filename.lower().endswith("sharedstrings.xml"))
        if size > MAX_BYTES or texts > MAX_TEXTS or size > max(file.size * MAX_RATIO, 64 * 1024**2):
            raise Invalid(
                f"{file.name} unpacks to {size:,} bytes",
                code="SYN492",
                help="It looks like a bomb, and was not unpacked. If it is none, export it as CSV.",
            )
        book = openpyxl.load_workbook(file.handle, read_only=True, data_only=True, keep_links=False)
    except SynclineError:
        raise
    except Exception as error:  # whatever the library's parts raise for what they can't read
        raise _damaged(file.name, error) from None
    try:
        yield book
    finally:
        book.close()


def _damaged(name: str, error: Exception) -> Invalid:
    return Invalid(
        f"{name} is no workbook that can be read: {str(error)[:200] or type(error).__name__}",
        code="SYN715",
        help="Only .xlsx is read, without a password. Save it anew, or export it as CSV.",
    )
