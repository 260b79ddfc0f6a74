"""Worksheets (.xlsx): columns of text under a header, each cell as its value is written down.

A number is the text of its shortest exact form (1.5, and 1 for 1.0), a date or time ISO 8601, a truth value `true` or
`false`; what a formula gave last counts. A row with an error in a cell (`#DIV/0!`), or with a value beside the table,
is set aside. Empty rows are none. A workbook is read from its start each time, since it can't be read in parts.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice

import polars as pl

from syncline.connectors.file.blocks import spans_of
from syncline.connectors.file.heads import Columns, listed
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.connectors.file.worksheet import MAX_COLUMNS, Book, Row, open_book
from syncline.kinds.file_stream import Excel
from syncline.kinds.record import text_schema
from syncline.model.errors import Invalid, Stalled, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.csv_text import checked_columns

#: How large a workbook may be unpacked, in bytes, and how many times its size: a sheet has 1,048,576 rows at most.
MAX_BYTES, MAX_RATIO = 4 * 1024**3, 500
#: How large its table of texts may be, which is in memory as a whole; and how many rows a worksheet has (ECMA-376).
MAX_TEXTS, MAX_ROWS = 256 * 1024**2, 1_048_576


class ExcelFormat:
    """
    A worksheet of each file. The columns are those of the first; every other must have those that are read by `paths`.
    Columns that nothing reads are told.
    """

    def __init__(
        self,
        options: Excel,
        declared: Schema | None,
        files: Iterator[OpenFile],
        rows: int,
        notice: Callable[[str], None],
        paths: Sequence[str] = (),
    ) -> None:
        self._options = options
        self._rows = rows
        self._first = next(files)
        with _opened(self._first) as book:
            self._columns = self._header(self._first.name, book, self._sheet(book, self._first.name))[0]
        if declared and (missing := [name for name in declared.names if name not in self._columns]):
            raise Invalid(
                f"{self._first.name} has no column {', '.join(map(repr, missing))}",
                code="SYN463",
                help="Correct the stream's schema or the worksheet's header; excel.header says which row that is.",
            )
        wanted = set(declared.names) if declared else set(self._columns)
        self.schema = text_schema(tuple(name for name in self._columns if name in wanted), declared)
        self._read = Columns(self.schema.names, paths if declared is None else (), notice)

    def lacking(self, file: OpenFile) -> tuple[str, ...]:
        """See `Headed`."""
        with _opened(file) as book:
            columns, _ = self._header(file.name, book, self._sheet(book, file.name))
        return self._read.lacking(columns)

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the rows of a file's worksheet, so many at a time."""
        whole = bytes.fromhex(file.digest(file.size))
        with _opened(file) as book:
            sheet = self._sheet(book, file.name)
            columns, rows = self._header(file.name, book, sheet)
            self._read.tell(file.name, columns)
            if lacks := self._read.lacking(columns):
                raise Invalid(
                    f"{file.name} doesn't have the columns of {self._first.name}: it lacks {listed(lacks)}",
                    code="SYN454",
                    help="Files of one stream have the same columns.",
                )
            place = f"{file.name}!{sheet}"
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
        rows: Sequence[Row],
        before: int,
        *,
        last: bool,
        digest: bytes,
    ) -> Piece:
        good: list[list[str | None]] = []
        numbers: list[int] = []
        malformed: list[Malformed] = []
        for number, row in enumerate(rows, before + 1):
            if not row.texts:
                continue
            if (row.errors or len(row.texts) > len(columns)) and (why := _wrong(row, len(columns), number)):
                raw = ",".join(text or "" for text in row.texts)
                malformed.append(Malformed(f"{place}#{number}", why, raw))
            else:
                numbers.append(number)
                good.append([*row.texts, *[None] * (len(columns) - len(row.texts))])
        cells = dict(zip(columns, zip(*good, strict=True) if good else [()] * len(columns), strict=True))
        none = (None,) * len(good)
        frame = pl.DataFrame([pl.Series(name, cells.get(name, none), dtype=pl.String) for name in self.schema.names])
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

    def _sheet(self, book: Book, name: str) -> str:
        titles = list(book.sheets)
        wanted = self._options.sheet or (titles[0] if titles else "")
        if wanted not in titles:
            found = ", ".join(map(repr, titles)) or "none"
            raise Invalid(f"{name} has no worksheet {wanted!r}", code="SYN461", help=f"Its worksheets are: {found}.")
        return wanted

    def _header(self, name: str, book: Book, title: str) -> tuple[tuple[str, ...], Iterator[Row]]:
        rows = _rows(name, book, title)
        header = next(islice(rows, self._options.header - 1, None), Row())
        texts = [text or "" for text in header.texts]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            raise Invalid(
                f"{name}: row {self._options.header} of worksheet {title!r} is empty: its columns are unknown",
                code="SYN453",
                help="Say in excel.header which row names the columns.",
            )
        return checked_columns(texts, f"{name}!{title}"), rows


def _rows(name: str, book: Book, title: str) -> Iterator[Row]:
    """The rows of a worksheet; damage in it comes to light while they are read."""
    rows = book.rows(title)
    for _ in range(MAX_ROWS):
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # whatever the library's parts raise for what they can't read
            raise _damaged(name, error) from None
        yield row
    raise _damaged(name, ValueError(f"worksheet {title!r} has more than {MAX_ROWS:,} rows"))


def _wrong(row: Row, width: int, number: int) -> str:
    """What keeps a row from being a record."""
    beside = next((column for column, text in enumerate(row.texts[width:], width) if text is not None), MAX_COLUMNS)
    error = min(row.errors, default=MAX_COLUMNS)
    if error <= beside and error < MAX_COLUMNS:
        return f"cell {_letters(error)}{number} is the error {row.errors[error]}"
    if beside < MAX_COLUMNS:
        return f"cell {_letters(beside)}{number} is beside the table, which has {width} columns"
    return ""


def _letters(column: int) -> str:
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


@contextmanager
def _opened(file: OpenFile) -> Iterator[Book]:
    """A workbook, checked for being one and for how large it gets, before any of it is unpacked."""
    if find_spec("openpyxl") is None:
        raise Stalled(
            "reading Excel needs the package openpyxl, which isn't installed",
            code="SYN716",
            help="Install syncline with it: pip install 'syncline[excel]'.",
        )
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
        book = open_book(file.handle)
    except SynclineError:
        raise
    except Exception as error:  # whatever the library's parts raise for what they can't read
        raise _damaged(file.name, error) from None
    try:
        yield book
    finally:
        book.archive.close()


def _damaged(name: str, error: Exception) -> Invalid:
    return Invalid(
        f"{name} is no workbook that can be read: {str(error)[:200] or type(error).__name__}",
        code="SYN715",
        help="Only .xlsx is read, without a password. Save it anew, or export it as CSV.",
    )
