"""Worksheets as people and programs make them."""

import datetime as dt
import io
import zipfile

import openpyxl
import pytest

from syncline.connectors.file.excel import _text
from syncline.model.errors import Invalid
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
    assert _text(value) == text


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
