"""CSV and lines of fixed width in the encodings of older systems: read as what they say, in blocks of any size."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import pytest

from syncline.model.encodings import Encoding, codec_of, known_as
from syncline.model.errors import Invalid
from tests.contract.file_places import source

ENCODINGS = get_args(Encoding)


def read(root: Path, data: bytes, block: int = 16 << 20, **stream):
    (root / "a.csv").write_bytes(data)
    return list(source(root, "a.csv", block=block, **stream).read(None))


def rows(batches):
    return [row for batch in batches for row in batch.frame.rows()]


@lru_cache
def characters(codec: str) -> list[str]:
    """What an encoding has besides ASCII: all of a small one, a thousand of a large one."""
    held: list[str] = []
    for point in range(0x80, 0xFFE0):
        try:
            if chr(point).encode(codec).decode(codec) == chr(point) and not 0xD800 <= point < 0xF900:
                held.append(chr(point))
        except UnicodeError:
            continue
    return held[:: max(1, len(held) // 1000)]


@pytest.mark.parametrize("delimiter", [",", "\t", "|", "A"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_character_is_read_as_it_was_written(tmp_path, encoding, delimiter):
    """Each of an encoding's characters, beside delimiters, quotes and ends of lines, wherever a block ends."""
    codec = codec_of(encoding)
    expected = [(str(n), char, f'{char}"{char}\r\n{char}{delimiter}') for n, char in enumerate(characters(codec))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("no", "plain", "quoted"), *expected])
    data = text.getvalue().encode(codec)
    for block in (16 << 20, len(data) // 7):
        dialect = {"encoding": encoding, "delimiter": delimiter}
        batches = read(tmp_path, data, block, csv=dialect)
        assert rows(batches) == expected
        assert not any(batch.malformed for batch in batches)


@pytest.mark.parametrize(
    ("encoding", "text"), [("shift_jis", "ポ"), ("big5", "兝"), ("gb18030", "噟"), ("gb18030", "亅"), ("euc-kr", "늏")]
)
def test_half_of_a_character_is_no_delimiter(tmp_path, encoding, text):
    """Where a character's second byte is the delimiter's, a quote after it is one within a text, and opens nothing."""
    half = text.encode(codec_of(encoding))[1:].decode("ascii", "replace")
    sign = half if half.isascii() else "|"
    data = f'-{sign}+\n{text}"{text}{sign}1\n{text}{sign}"x{sign}y"\n{text}"{sign}3\n'.encode(codec_of(encoding))
    found = read(tmp_path, data, csv={"encoding": encoding, "delimiter": sign})
    assert rows(found) == [(f'{text}"{text}', "1"), (text, f"x{sign}y"), (f'{text}"', "3")]


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [
        ("cp1253", b"\xaa"),
        ("cp1257", b"\xa1"),
        ("iso-8859-7", b"\xae"),
        ("shift_jis", b"\x83"),
        ("euc-jp", b"\xa4"),
        ("gb18030", b"\x81\x30\x81"),
        ("big5", b"\xff"),
        ("euc-kr", b"\xc9\xa1"),
    ],
)
def test_bytes_that_an_encoding_lacks_cost_their_record(tmp_path, encoding, bad):
    """A byte without a meaning, or half a character, sets its record aside with its line; the others are read."""
    data = b"a,b\n1,x\n2," + bad + b'\n3,"' + bad + b'"\n4,y\n'
    batches = read(tmp_path, data, csv={"encoding": encoding})
    assert rows(batches) == [("1", "x"), ("4", "y")]
    found = [malformed for batch in batches for malformed in batch.malformed]
    assert [one.place for one in found] == ["a.csv:3", "a.csv:4"]
    assert all(f"is no text in {encoding};" in one.message for one in found)


def test_what_windows_added_is_read(tmp_path):
    """Under the names of the older sets come the characters that Windows writes: of Japanese, Korean and Chinese."""
    for encoding, text in {"shift_jis": "①㈱髙", "euc-kr": "똠방각하", "big5": "碁銹"}.items():
        assert rows(read(tmp_path, f"a\n{text}\n".encode(codec_of(encoding)), csv={"encoding": encoding})) == [(text,)]


def test_a_delimiter_is_found_out_in_the_declared_encoding(tmp_path):
    """Second bytes that look like a delimiter aren't counted for one."""
    data = "".join(f"ポポポ{n};ポポ{n}\n" for n in range(50)).encode("cp932")
    batches = read(tmp_path, b"a;b\n" + data, csv={"encoding": "shift_jis", "delimiter": "auto"})
    assert rows(batches)[1] == ("ポポポ1", "ポポ1")


def test_lines_of_fixed_width_are_cut_by_characters(tmp_path):
    """Positions count characters, also where these have several bytes."""
    (tmp_path / "a.txt").write_bytes("0001名前  x\n0002Zo\n".encode("cp932") + b"0003\x83\n")
    columns = [{"name": "id", "start": 1, "width": 4}, {"name": "name", "start": 5, "width": 3}]
    layout = {"columns": columns, "encoding": "shift_jis"}
    (batch,) = source(tmp_path, "a.txt", format="fixed", fixed=layout).read(None)
    assert batch.frame.rows() == [("0001", "名前"), ("0002", "Zo")]
    assert [one.message for one in batch.malformed] == ["it isn't shift_jis at byte 5"]


def test_a_header_that_is_no_text_is_told(tmp_path):
    """Without the names of columns nothing can be read."""
    with pytest.raises(Invalid, match="header can't be read") as error:
        read(tmp_path, b"a,\xff\n1,2\n", csv={"encoding": "euc-jp"})
    assert error.value.code == "SYN457"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, encoding):
    """It neither belongs to the first column's name, nor moves the columns of a line by one."""
    data = '\ufeff"id",名\n0001,中\n'.encode(encoding)
    for delimiter in (",", "auto"):
        (batch,) = read(tmp_path, data, csv={"encoding": encoding, "delimiter": delimiter})
        assert (batch.frame.columns, batch.frame.rows()) == (["id", "名"], [("0001", "中")])
        assert batch.size == len(data)
    (tmp_path / "a.txt").write_bytes("\ufeff0001中\n0002名\n".encode(encoding))
    columns = [{"name": "id", "start": 1, "width": 4}, {"name": "name", "start": 5, "width": 1}]
    layout = {"columns": columns, "encoding": encoding}
    (batch,) = source(tmp_path, "a.txt", format="fixed", fixed=layout).read(None)
    assert batch.frame.rows() == [("0001", "中"), ("0002", "名")]


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("windows-1250", "cp1250"),
        ("UTF8", "utf-8"),
        ("iso-8859-1", "latin-1"),
        ("cp932", "shift_jis"),
        ("sjis", "shift_jis"),
        ("macintosh", "mac-roman"),
        ("ks_c_5601-1987", "euc-kr"),
        ("latin2", "iso-8859-2"),
        ("iso-2022-jp", ""),
        ("rot13", ""),
        ("\0", ""),
    ],
)
def test_other_names_of_an_encoding_are_known(said, called):
    """Whoever declares one by another of its names is told the name that it has here."""
    assert known_as(said, ENCODINGS) == called


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1", "cp850", "gb18030"])
@pytest.mark.parametrize("stream", [{}, {"fixed": {"columns": [{"name": "no", "start": 1, "width": 2}]}}])
def test_a_text_that_says_it_is_utf_8_is_not_read_as_another(tmp_path, encoding, stream):
    """Its mark would be read as three characters of the first column's name, or of the first record."""
    layout: dict[str, Any] = {"fixed": {**stream["fixed"], "encoding": encoding}, "format": "fixed"} if stream else {}
    with pytest.raises(Invalid, match=f"mark of UTF-8, and is read as {encoding}") as error:
        read(tmp_path, "\ufeffno,name\n1,Jörg\n".encode(), **(layout or {"csv": {"encoding": encoding}}))
    assert error.value.code == "SYN457"


def test_a_text_with_the_mark_of_utf_8_is_found_to_be_in_it(tmp_path):
    """Also where a record isn't: that one can't be read, and the others aren't read as something else."""
    data = "\ufeffno;name\n1;Jörg\n2;".encode() + b"Zo\xeb\n" + "3;André\n".encode()
    found = read(tmp_path, data, csv={"encoding": "auto", "delimiter": ";"})
    assert rows(found) == [("1", "Jörg"), ("3", "André")]
    assert [each.place for batch in found for each in batch.malformed] == ["a.csv:3"]


@pytest.mark.parametrize("block", [16 << 20, 12])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no,name\r\n1,a\r\n2,b\r\n\x1a", [("1", "a"), ("2", "b")]),
        ("no,name\r\n1,a\r\n2,b\x1a", [("1", "a"), ("2", "b")]),
        ("no,name\r\n1,a\x1a\r\n2,b\r\n", [("1", "a\x1a"), ("2", "b")]),
        ("no,name\r\n\x1a", []),
    ],
)
def test_what_dos_ends_a_text_with_is_no_record(tmp_path, text, expected, block):
    """Control-Z as the very last byte; anywhere else, it is a character like others."""
    found = read(tmp_path, text.encode(), block, csv={"encoding": "cp437"})
    assert rows(found) == expected
    assert not any(batch.malformed for batch in found)


def test_what_dos_ends_a_text_with_is_no_line(tmp_path):
    """The same of lines of fixed width."""
    columns = [{"name": "no", "start": 1, "width": 2}]
    found = read(tmp_path, b"1 \r\n2 \r\n\x1a", format="fixed", fixed={"columns": columns, "encoding": "cp437"})
    assert rows(found) == [("1",), ("2",)]
