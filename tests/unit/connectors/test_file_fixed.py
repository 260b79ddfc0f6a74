"""Files of fixed width."""

import pytest

from syncline.model.errors import Invalid
from syncline.model.schema import STRING, Field, Schema
from tests.contract.file_places import source

COLUMNS = [{"name": "id", "start": 1, "width": 4}, {"name": "name", "start": 6, "width": 5}]


def read(root, data, schema=None, **fixed):
    (root / "a.txt").write_bytes(data)
    layout = {"columns": COLUMNS} | fixed
    return list(source(root, "a.txt", schema, format="fixed", fixed=layout).read(None))


def test_columns_are_cut_by_characters_and_trimmed(tmp_path):
    """Positions count characters, not bytes; blanks around a value go, and a value of blanks is null."""
    (batch,) = read(tmp_path, "0001 Zoë  x\r\n   2 ABCDEFGH\n0003      \n0004\n".encode())
    assert batch.frame.rows() == [("0001", "Zoë"), ("2", "ABCDE"), ("0003", None), ("0004", None)]
    assert batch.places([3]) == ["a.txt:4"]


def test_blanks_can_be_kept(tmp_path):
    """With `trim: false` a value is what stands there."""
    (batch,) = read(tmp_path, b"   2  AB  \n", trim=False)
    assert batch.frame.rows() == [("   2", " AB  ")]


def test_lines_that_are_no_text_are_set_aside(tmp_path):
    """Bytes that aren't of the encoding, and NUL, with the line's number; lines at the start can be skipped."""
    (batch,) = read(tmp_path, b"HEADER\n0001 A\n0002 \xff\n0003 \0\n\n0004 D\n", skip=1)
    assert batch.frame["id"].to_list() == ["0001", "0004"]
    assert [(m.place, m.message) for m in batch.malformed] == [
        ("a.txt:3", "it isn't utf-8 at byte 6"),
        ("a.txt:4", "it holds NUL"),
    ]


def test_a_schema_chooses_among_the_columns(tmp_path):
    """Columns that it doesn't list aren't read; one that the layout hasn't is an error."""
    (batch,) = read(tmp_path, b"0001 Ada\n", Schema((Field("name", STRING),)))
    assert batch.frame.rows() == [("Ada",)]
    with pytest.raises(Invalid) as caught:
        read(tmp_path, b"", Schema((Field("zip", STRING),)))
    assert caught.value.code == "SYN463"


def test_without_a_layout_there_is_nothing_to_read(tmp_path):
    """The format needs its columns, each once."""
    (tmp_path / "a.txt").write_bytes(b"0001")
    with pytest.raises(Invalid) as caught:
        source(tmp_path, "a.txt", format="fixed")
    assert caught.value.code == "SYN458"
    with pytest.raises(Invalid) as caught:
        source(tmp_path, "a.txt", format="fixed", fixed={"columns": [COLUMNS[0], COLUMNS[0]]})
    assert caught.value.code == "SYN453"
