"""Worksheets as people and programs make them."""

import datetime as dt
import io
import zipfile

import openpyxl
import pytest

from syncline.connectors.file.worksheet import open_book, text_of
from syncline.model.errors import Invalid
from syncline.sdk import conformance
from tests.contract.file_places import source


def book(path, *rows, title="Sheet", more=()):
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for other in more:
        made.create_sheet(other)
    made.save(path)
    return path


def read(root, **stream):
    return list(source(root, "*.xlsx", **stream).read(None))


def test_cells_are_the_text_of_their_value(tmp_path):
    """Whole numbers without a point, others exactly, dates in ISO 8601, texts with their leading zeros."""
    book(
        tmp_path / "a.xlsx",
        ["n", "whole", "price", "day", "at", "ok", "code", "empty"],
        [
            123456789012345,
            2.0,
            0.1,
            dt.date(2020, 1, 2),
            dt.datetime.fromisoformat("2020-01-02T03:04:05"),
            True,
            "007",
            None,
        ],
    )
    (batch,) = read(tmp_path)
    day = "2020-01-02T00:00:00"
    assert batch.frame.row(0) == ("123456789012345", "2", "0.1", day, "2020-01-02T03:04:05", "true", "007", None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.timedelta(hours=30), "PT30H0M0S"),
        (dt.timedelta(minutes=-61), "-PT1H1M0S"),
        (dt.timedelta(seconds=1.5), "PT0H0M1.5S"),
    ],
)
def test_durations_are_iso_8601(value, text):
    """Hours past 24, and times before zero, as a worksheet counts them."""
    assert text_of(value) == text


def test_a_worksheet_has_so_many_rows_at_most(tmp_path, monkeypatch):
    """A row of a number that no program gives would make rows without end of a small file."""
    monkeypatch.setattr("syncline.connectors.file.excel.MAX_ROWS", 3)
    book(tmp_path / "a.xlsx", ["id"], [1], [2], [3], [4])
    with pytest.raises(Invalid) as caught:
        read(tmp_path)
    assert caught.value.code == "SYN715"


def test_rows_are_named_as_the_program_numbers_them(tmp_path):
    """Gaps count; the place is the worksheet and its row."""
    book(tmp_path / "a.xlsx", ["id"], [1], [], [3], title="Kunden")
    (batch,) = read(tmp_path)
    assert batch.places(range(2)) == ["a.xlsx!Kunden#2", "a.xlsx!Kunden#4"]


def test_errors_and_cells_beside_the_table_are_set_aside(tmp_path):
    """A formula's error is no value, and what stands beside the table belongs to no column."""
    path = book(tmp_path / "a.xlsx", ["id", "rate"], [1, "=1/0"], [2, 5, "note"], [3, 6])
    changed = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
        for entry in before.infolist():
            data = before.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                for value in (b"<v />", b"<v></v>", b"<v/>"):
                    cell = b'<c r="B2"><f>1/0</f>%b</c>' % value
                    data = data.replace(cell, b'<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>')
                assert b"#DIV/0!" in data
            after.writestr(entry, data)
    path.write_bytes(changed.getvalue())
    (batch,) = read(tmp_path)
    assert [(m.place, m.message) for m in batch.malformed] == [
        ("a.xlsx!Sheet#2", "cell B2 is the error #DIV/0!"),
        ("a.xlsx!Sheet#3", "cell C3 is beside the table, which has 2 columns"),
    ]
    assert batch.frame.rows() == [("3", "6")]


def test_the_worksheet_and_its_header_can_be_chosen(tmp_path):
    """By the sheet's name and the header's row; what is missing is named with what there is."""
    book(tmp_path / "a.xlsx", ["Report"], [], ["id"], [1], title="Data", more=["Notes"])
    assert read(tmp_path, excel={"sheet": "Data", "header": 3})[0].frame.rows() == [("1",)]
    with pytest.raises(Invalid) as caught:
        read(tmp_path, excel={"sheet": "Dta"})
    assert caught.value.code == "SYN461"
    assert caught.value.help == "Its worksheets are: 'Data', 'Notes'."
    with pytest.raises(Invalid) as caught:
        read(tmp_path, excel={"header": 2})
    assert caught.value.code == "SYN453"


@pytest.mark.parametrize("data", [b"", b"id,name\n1,2\n", b"PK\x03\x04damaged", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_what_is_no_workbook_is_refused(tmp_path, data):
    """An empty file, a CSV with the wrong ending, damage and the old binary format: an error that says what is read."""
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(Invalid) as caught:
        read(tmp_path)
    assert caught.value.code == "SYN715"


def test_a_bomb_is_not_unpacked(tmp_path):
    """A workbook that claims to get hundreds of times larger is refused before it is unpacked."""
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (80 << 20))
    with pytest.raises(Invalid) as caught:
        read(tmp_path)
    assert caught.value.code == "SYN492"


SHEET = """\
<?xml version="1.0" encoding="UTF-8"?>
<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>
<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>id</x:t></x:is></x:c><x:c t="inlineStr"><x:is><x:r><x:t>te</x:t></x:r><x:r><x:t>xt</x:t></x:r></x:is></x:c></x:row>
<x:row r="3"><x:c r="A3"><x:f>1+1</x:f><x:v>2</x:v></x:c><x:c r="B3" t="str"><x:f>A3&amp;"x"</x:f><x:v>2x</x:v></x:c></x:row>
<x:row><x:c r="B4" t="inlineStr"><x:is><x:t>\u65e5\u672c</x:t><x:rPh sb="0" eb="2"><x:t>\u306b\u307b\u3093</x:t></x:rPh></x:is></x:c></x:row>
<x:row r="7"><x:c r="A7"><x:v>1234567890123456789012</x:v></x:c><x:c r="B7" t="b"><x:v>1</x:v></x:c></x:row>
<x:row r="8"><x:c r="A8"><x:v>1.5E-7</x:v></x:c><x:c r="B8" t="d"><x:v>2026-01-02T03:04:05Z</x:v></x:c></x:row>
</x:sheetData></x:worksheet>
"""


def with_sheet(path, text):
    """A workbook whose worksheet is this text."""
    book = openpyxl.Workbook()
    book.save(path.with_suffix(".tmp"))
    with zipfile.ZipFile(path.with_suffix(".tmp")) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == "xl/worksheets/sheet1.xml" else old.read(name))


def test_other_writers_sheets_are_read_as_openpyxl_reads_them(tmp_path):
    """Prefixes, cells and rows without references, gaps, rich and phonetic text, formulas, long numbers, ISO dates."""
    with_sheet(tmp_path / "a.xlsx", SHEET)
    (batch,) = conformance.read(lambda: source(tmp_path, "*.xlsx"))
    assert batch.frame.rows() == [
        ("2", "2x"),
        (None, "\u65e5\u672c"),
        ("1234567890123456789012", "true"),
        ("1.5e-07", "2026-01-02T03:04:05"),
    ]
    assert batch.places(range(4)) == [f"a.xlsx!Sheet#{number}" for number in (3, 4, 7, 8)]
    book = openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True, data_only=True)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()
    theirs = [[text_of(cell.value) for cell in row] for row in sheet.iter_rows()]
    book.close()
    with (tmp_path / "a.xlsx").open("rb") as file:
        ours = open_book(file)
        assert [row.texts for row in ours.rows("Sheet")] == theirs
        ours.archive.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<x:worksheet ", '<!DOCTYPE x [<!ENTITY a "ha">]><x:worksheet '),
        ('<x:row r="3">', '<x:row r="1">'),
        ('r="A3"', 'r="XFE3"'),
        ('r="A3"', 'r="?"'),
        ("<x:v>2</x:v>", "<x:v>two</x:v>"),
    ],
)
def test_a_worksheet_that_is_none_is_refused(tmp_path, old, new):
    """Document types, rows and cells that are nowhere or twice, and numbers that are none, end in one error."""
    assert old in SHEET
    with_sheet(tmp_path / "a.xlsx", SHEET.replace(old, new, 1))
    with pytest.raises(Invalid) as caught:
        conformance.read(lambda: source(tmp_path, "*.xlsx"))
    assert caught.value.code == "SYN715"
