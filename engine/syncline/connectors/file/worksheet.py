"""The rows of a worksheet (ECMA-376, part 1, section 18.3.1), read as a stream of text, without a tree of it.

openpyxl opens the workbook and knows its styles and shared texts. Of rows, which are nearly all of a file, it makes an
object a cell, and takes four times as long. A document type is refused. Rows that are left out are empty ones.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any
from xml.parsers import expat
from zipfile import ZipFile

from msgspec import Struct

#: How much of a sheet is parsed at once, in bytes.
_STEP = 256 * 1024
#: How many columns a worksheet has.
MAX_COLUMNS = 16_384
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]+")


@dataclass(slots=True)
class Row:
    """The texts of a row's cells, by column from 0, None for an empty one; and which of them are errors (`#DIV/0!`)."""

    texts: list[str | None] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


class Dates:
    """Which numbers are dates, by their cells' styles."""

    def __init__(self, book: Any) -> None:
        from openpyxl.utils.datetime import from_excel

        self._date = from_excel
        #: Worksheets repeat dates.
        self.text = lru_cache(100_000)(self._text)
        self.styles: frozenset[str] = frozenset(map(str, book._date_formats))  # noqa: SLF001 - what was read of the styles
        self._durations = frozenset(map(str, book._timedelta_formats))  # noqa: SLF001 - what was read of the styles
        self._epoch = book.epoch

    def _text(self, number: float, style: str) -> str | None:
        """A date, time or duration as ISO 8601; None for a number that is no date."""
        try:
            return text_of(self._date(number, self._epoch, timedelta=style in self._durations))
        except (OverflowError, ValueError):
            return None


class Book(Struct, frozen=True):
    """An open workbook: the parts of its worksheets by their titles, in order, and what their cells refer to."""

    archive: ZipFile
    sheets: Mapping[str, str]
    shared: Sequence[str]
    dates: Dates

    def rows(self, title: str) -> Iterator[Row]:
        """
        The rows of a worksheet, from the first on.

        Raises ValueError, expat's error and what zip raises for what can't be read.
        """
        with self.archive.open(self.sheets[title]) as source:
            yield from _numbered(_Reader(self.shared, self.dates).read(source))


def open_book(file: IO[bytes]) -> Book:
    """Opens a workbook, whose `archive` is the caller's to close. Raises whatever the library does for what is none."""
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet

    # Step by step: opening worksheets reads each of them to its end, to learn how large it is.
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    found = [(sheet.name, rel) for sheet, rel in reader.parser.find_sheets() if rel.target in reader.valid_files]
    sheets = {name: rel.target for name, rel in found if "chartsheet" not in rel.Type}
    return Book(reader.archive, sheets, reader.shared_strings, Dates(reader.wb))


def _numbered(rows: Iterator[tuple[int, Row]]) -> Iterator[Row]:
    """Rows with the empty ones between them."""
    last = 0
    for number, row in rows:
        if number <= last:
            msg = f"row {number} comes after row {last}"
            raise ValueError(msg)
        for _ in range(last + 1, number):
            yield Row()
        last = number
        yield row


class _Reader:
    """Handlers for expat: of each element only its local name counts, since its prefix is the writer's choice."""

    def __init__(self, shared: Sequence[str], dates: Dates) -> None:
        self._shared = shared
        self._dates = dates
        self._names: dict[str, str] = {}
        self._rows: list[tuple[int, Row]] = []
        self._number = 0
        self._row = Row()
        self._type, self._style, self._column = "n", "", -1
        self._inline, self._phonetic, self._takes = False, False, False
        self._texts: list[str] = []

    def read(self, source: IO[bytes]) -> Iterator[tuple[int, Row]]:
        """Rows that aren't empty, with their numbers."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        while data := source.read(_STEP):
            parser.Parse(data, False)  # noqa: FBT003 - the C function has no names
            yield from self._rows
            self._rows = []
        parser.Parse(b"", True)  # noqa: FBT003 - likewise
        yield from self._rows

    def _doctype(self, *_: object) -> None:
        msg = "it has a document type, whose entities may do harm"
        raise ValueError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match self._names.get(name) or self._named(name):  # the commonest first
            case "c":
                self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
                reference = attributes.get("r")
                self._column = self._column + 1 if reference is None else _column(reference)
            case "v":
                self._takes = True
            case "t":
                self._takes = self._inline and not self._phonetic
            case "row":
                self._number = int(float(attributes["r"])) if "r" in attributes else self._number + 1
                self._row, self._column = Row(), -1
            case "is":
                self._inline = self._type == "inlineStr"
            case "rPh":
                self._phonetic = True
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._takes:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        match self._names[name]:
            case "v" | "t":
                self._takes = False
            case "c":
                if self._texts:
                    self._cell("".join(self._texts))
                    self._texts.clear()
            case "row":
                self._rows.append((self._number, self._row))
            case "is":
                self._inline = False
            case "rPh":
                self._phonetic = False
            case _:
                pass

    def _named(self, name: str) -> str:
        return self._names.setdefault(name, name.rpartition(":")[2])

    def _cell(self, value: str) -> None:
        text: str | None = value
        match self._type:
            case "n":
                text = self._numeric(value)
            case "s":
                text = self._shared[int(value)]
            case "b":
                text = "true" if int(value) else "false"
            case "e":
                self._row.errors[self._column] = value
            case "d":
                from openpyxl.utils.datetime import from_ISO8601

                text = text_of(from_ISO8601(value))  # type: ignore[no-untyped-call]  # it ships no annotations
            case _:  # the text of a formula, or an inline one
                pass
        if text:
            texts = self._row.texts
            if self._column >= len(texts):
                texts.extend([None] * (self._column + 1 - len(texts)))
            texts[self._column] = text

    def _numeric(self, value: str) -> str | None:
        whole = value.isdecimal() or not ("." in value or "E" in value or "e" in value)
        number = int(value) if whole else float(value)
        if self._style not in self._dates.styles:
            return str(number) if whole else text_of(number)
        found = self._dates.text(number, self._style)
        if found is None:
            self._row.errors[self._column] = found = "#VALUE!"
        return found


def _column(reference: str) -> int:
    match = _REFERENCE.fullmatch(reference)
    column = 0
    for letter in match[1] if match else "":
        column = column * 26 + ord(letter) - 64
    if not 0 < column <= MAX_COLUMNS:
        msg = f"no cell is called {reference[:40]!a}"
        raise ValueError(msg)
    return column - 1


def text_of(value: Any) -> str | None:
    """A value as text: shortest exact numbers, ISO 8601 dates and times, None for nothing."""
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
