"""Correcting rejects by hand: a CSV of the rejected records with their reasons, and the records that come back in it.

A row is one reject. The first columns say which (`_reject`, counted from 1 as `runs rejects` lists them) and why, and
are known by where they stand; the others are the fields of its record, nested ones as JSON. A cell that nobody changed
stays exactly what it was, with the digits, blanks and types that a spreadsheet may have lost of all others in its file;
a changed one is read by the type of its field. A record that could not be parsed has its raw text in `_raw`, and counts
as corrected once it has fields.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from syncline.manifests.text import listed, nearest
from syncline.mapping.records import Misplaced, frame_of_json
from syncline.model.diagnostic import Diagnostic, Place
from syncline.model.errors import Invalid
from syncline.model.run import PAGE, Reject

if TYPE_CHECKING:
    from syncline.model.schema import Field, Schema

NUMBER = "_reject"
#: What is said of a reject; read by people only.
TOLD = ("place", "field", "rule", "message")
#: The first columns: the last of them has the text of a record that could not be parsed.
OWN = (NUMBER, *(f"_{name}" for name in TOLD), "_raw")
#: The rules of records that could not be parsed, and of those that were corrected since.
PARSE, CORRECTED = "parse", "corrected"
#: Longest cell that is read back, in characters: a record's raw text is cut long before.
MAX_CELL = 1024 * 1024
#: Most digits of a reject's number.
_DIGITS = 12
#: What a spreadsheet takes for a formula, behind any number of the quotes that keep it from that.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001 - they are meant
_DELIMITERS = ",;\t"
_TEXT = frozenset({"string", "date", "time", "timestamp", "datetime", "binary"})


def neutral(cell: str) -> str:
    """A cell that no spreadsheet runs (OWASP, CSV injection); `taken` takes the quote off again.

    >>> neutral("=1+1"), taken("'=1+1"), taken("'tis")
    ("'=1+1", '=1+1', "'tis")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def taken(cell: str) -> str:
    """A cell as it was before `neutral`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def fixable(rejects: Sequence[Reject]) -> Iterator[tuple[int, Reject]]:
    """The rejects that are records, with their numbers: a sample of an answer is none."""
    return ((number, reject) for number, reject in enumerate(rejects, 1) if reject.rule != PAGE)


def write_correction(rejects: Sequence[Reject]) -> Iterator[str]:
    """The lines of the file. `Invalid` (SYN708) where no record has fields that could be corrected."""
    records = {number: _fields(reject) for number, reject in fixable(rejects)}
    names = list(dict.fromkeys(name for record in records.values() for name in record))
    if not names:
        raise Invalid(
            "no rejected record has fields that could be corrected",
            code="SYN708",
            help="Records that could not be parsed need a corrected source.",
        )
    yield _line([*OWN, *names])
    for number, reject in fixable(rejects):
        record = records[number]
        told = [neutral(text) for text in _told(reject)]
        whole = "" if record else neutral(reject.record)
        yield _line([str(number), *told, whole, *(_cell(record.get(name, "null")) for name in names)])


def read_correction(file: str, data: bytes, rejects: Sequence[Reject], schema: Schema) -> tuple[Reject, ...]:
    """
    The rejects as the content of a file corrects them; those that it leaves out stay as they are.

    Raises `Invalid` (SYN713) with all that is wrong with it, each with its line and cell.
    """
    findings: list[Diagnostic] = []
    rows = _rows(data, file)
    header = next(rows, (1, []))[1]
    _check_header(header, schema, file, findings)
    known = dict(fixable(rejects))
    corrected: dict[int, Reject] = {}
    for line, cells in rows if not findings else ():
        at = Place(file, line)
        if len(cells) != len(header):
            findings.append(_finding(f"{len(cells)} cells where the header has {len(header)}", at))
            continue
        told = cells[0].strip()
        number = int(told) if told.isdecimal() and len(told) <= _DIGITS else 0
        if (reject := known.get(number)) is None:
            findings.append(_finding(f"no reject of this run has the number {told[:40]!r}", at))
        elif number in corrected:
            findings.append(_finding(f"reject {number} stands in the file twice", at))
        else:
            corrected[number] = _corrected(reject, cells, header, schema, at, findings)
    if findings:
        raise Invalid(
            f"{file} can't be read as a correction",
            code="SYN713",
            diagnostics=tuple(findings),
            help="Nothing was retried. `syncline runs rejects RUN -o correction` writes the file anew.",
        )
    return tuple(corrected.get(number, reject) for number, reject in fixable(rejects))


# --- Cells -----------------------------------------------------------------------------------------------------------


def _fields(reject: Reject) -> Mapping[str, str]:
    """The fields of a reject's record, each as the JSON that it was; none where it could not be parsed."""
    if reject.rule == PARSE:
        return {}
    try:
        fields = msgspec.json.decode(reject.record, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return {}
    return {name: str(value, "utf-8") for name, value in fields.items()}


def _told(reject: Reject) -> tuple[str, ...]:
    """Where it was, and all that is wrong with it: `TOLD`."""
    fields = ", ".join(reason.field for reason in reject.reasons)
    return reject.place, fields, ", ".join(reason.rule for reason in reject.reasons), reject.why


def _cell(raw: str) -> str:
    """JSON as a cell: null as nothing, text as it is, everything else as it stands."""
    if raw == "null":
        return ""
    return neutral(json.loads(raw)) if raw.startswith('"') else raw


def _corrected(
    reject: Reject, cells: Sequence[str], header: Sequence[str], schema: Schema, at: Place, findings: list[Diagnostic]
) -> Reject:
    """A reject with the changes of a row; itself where there are none."""
    before = _fields(reject)
    fields = dict(before)
    for column in range(len(OWN), len(header)):
        name, cell = header[column], cells[column]
        field = schema.get(name)
        if field is None or _alike(cell, _cell(before.get(name, "null")), field):
            continue
        fields[name] = _read(taken(cell), field, replace(at, column=column + 1), findings)
    if fields == before:
        return reject
    record = "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{raw}" for name, raw in fields.items()) + "}"
    if not findings:
        try:
            frame_of_json([record], schema)
        except Misplaced as error:
            findings.append(_finding(str(error), at))
    return replace(reject, record=record, rule=CORRECTED, also=())


def _alike(cell: str, before: str, field: Field) -> bool:
    """Whether a cell is what it was; spreadsheets write truth values in capitals."""
    return cell == before or (field.type.name == "boolean" and cell.lower() == before)


def _read(cell: str, field: Field, at: Place, findings: list[Diagnostic]) -> str:
    """A changed cell as JSON."""
    if cell == "":
        return "null"
    if field.type.name in _TEXT and not field.repeated and not field.fields:
        return json.dumps(cell, ensure_ascii=False)
    if field.type.name == "boolean" and not field.repeated:
        cell = cell.lower()
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        findings.append(_finding(f"{cell[:60]!r} is not JSON, as field {field.name!r} has it", at))
        return "null"
    return cell


# --- The file --------------------------------------------------------------------------------------------------------


def _rows(data: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV as people's programs save it, each with its line: with a byte order mark, with semicolons."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{name} is not UTF-8: invalid at byte {error.start}",
            code="SYN713",
            help="Save it as CSV UTF-8.",
        ) from None
    delimiter = text[len(NUMBER) : len(NUMBER) + 1] if text.startswith(NUMBER) else ","
    csv.field_size_limit(MAX_CELL)
    delimiter = delimiter if delimiter and delimiter in _DELIMITERS else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise Invalid(f"{name}:{line}: {error}", code="SYN713", help="Save it as CSV UTF-8.") from None


def _check_header(header: Sequence[str], schema: Schema, name: str, findings: list[Diagnostic]) -> None:
    at = Place(name)
    if tuple(header[: len(OWN)]) != OWN:
        findings.append(_finding(f"its first columns aren't {', '.join(OWN)}", at))
        return
    for column, title in enumerate(header[len(OWN) :], len(OWN) + 1):
        if title in header[len(OWN) : column - 1]:
            findings.append(_finding(f"two columns are called {title[:60]!r}", replace(at, column=column)))
        elif schema.get(title) is None:
            near = nearest(title, schema.names)
            message = f"the source has no field {title[:60]!r}" + (f"; did you mean {near}?" if near else "")
            expected = "" if near else f"Its fields are {listed(schema.names)}."
            findings.append(_finding(message, replace(at, column=column), expected))


def _finding(message: str, at: Place, expected: str = "") -> Diagnostic:
    return Diagnostic("SYN713", message, at, expected=expected)


def _line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
