"""CSV files as they come: every text the standard library writes, every block size, and what real exports get wrong."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.model.errors import Invalid, Stalled
from syncline.model.schema import STRING, Field, Schema
from syncline.sdk.batch import Batch
from syncline.sdk.source import Source
from tests.contract.file_places import source
from tests.examples import examples


def opened(root: Path, block: int = 16 << 20, schema: Schema | None = None, incremental=False, **stream) -> Source:
    files = stream.pop("files", "*.csv")
    return source(root, files, schema, block=block, incremental=incremental, **stream)


def rows(batches: list[Batch]) -> list[tuple]:
    return [row for batch in batches for row in batch.frame.rows()]


def places(batches: list[Batch]) -> list[str]:
    return [place for batch in batches for place in batch.places(range(batch.frame.height))]


def read(root: Path, data: bytes, block: int = 16 << 20, **stream) -> list[Batch]:
    (root / "a.csv").write_bytes(data)
    return list(opened(root, block, **stream).read(None))


def malformed(batches: list[Batch]) -> list[tuple[str, str]]:
    return [(m.place, m.raw) for batch in batches for m in batch.malformed]


# Everything but lone surrogates (not text) and NUL (which is set aside, see below); the awkward characters often.
CELLS = st.text(
    st.one_of(st.sampled_from('",\n\r a;'), st.characters(exclude_characters="\0", codec="utf-8")), max_size=8
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
)
BLOCKS = st.sampled_from([2, 3, 7, 64, 1 << 20])


@settings(max_examples=examples(200))
@given(TABLES, st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_MINIMAL]), BLOCKS)
def test_reads_what_the_standard_library_writes(tmp_path_factory, table, quoting, block):
    """Whatever text the csv module writes, in whatever quoting, comes back cell by cell in any block size."""
    root = tmp_path_factory.mktemp("csv")
    names = [f"c{i}" for i in range(len(table[0]))]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows([names, *table])
    data = text.getvalue().encode()

    batches = read(root, data, block, csv={"nulls": []})

    assert rows(batches) == [tuple(row) for row in table]
    assert b"".join(batch.digest for batch in batches)
    assert sum(batch.size for batch in batches) == len(data)


@settings(max_examples=examples(200))
@given(st.text(st.sampled_from('a,"\r\n'), max_size=40), BLOCKS)
def test_reads_any_quoting_as_the_standard_library_does(tmp_path_factory, body, block):
    """Text with quotes anywhere is read as csv.reader reads it, with the same lines; what it never closes is an error."""
    root = tmp_path_factory.mktemp("csv")
    text = "x,y\n" + body
    expected, unclosed = _standard(text)

    batches: list[Batch] = []
    (root / "a.csv").write_bytes(text.encode())
    reading = opened(root, block, csv={"nulls": []}).read(None)
    with pytest.raises(Invalid, match="is never closed") if unclosed else nullcontext():
        batches.extend(reading)
    good = [(line, tuple(row)) for line, row in expected if len(row) == 2]
    bad = [f"a.csv:{line}" for line, row in expected if len(row) != 2]
    if not unclosed:
        assert rows(batches) == [row for _, row in good]
        assert places(batches) == [f"a.csv:{line}" for line, _ in good]
        assert [m.place for b in batches for m in b.malformed] == bad


def _standard(text: str) -> tuple[list[tuple[int, list[str]]], bool]:
    """Records with their first lines, as csv.reader finds them; and whether the text ends inside quotes."""
    # In a text that ends inside quotes, the added record is part of the last one.
    lines = [line.decode() for line in f"{text}\nend\n".encode().splitlines(keepends=True)]
    records, line = [], 1
    reader = csv.reader(iter(lines))
    for row in reader:
        if row:
            records.append((line, row))
        line = reader.line_num + 1
    return records[1:-1], records[-1][1] != ["end"]


@pytest.mark.parametrize("block", [5, 16, 64, 4096])
def test_resumes_from_every_position(tmp_path: Path, block):
    """From the position of any batch, reading yields exactly the batches after it; positions survive JSON."""
    for name, start in (("a.csv", 0), ("b.csv", 100)):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows(
                [["id", "text"], *([str(start + i), 'line\n"two"' if i % 3 else ""] for i in range(20))]
            )
    batches = list(opened(tmp_path, block).read(None))

    assert [row[0] for row in rows(batches)] == [str(i) for i in [*range(20), *range(100, 120)]]
    for index, batch in enumerate(batches):
        position = json.loads(json.dumps(batch.position))
        rest = list(opened(tmp_path, block).read(position))
        assert rows(rest) == rows(batches[index + 1 :])
        assert places(rest) == places(batches[index + 1 :])


def test_digests_cover_every_byte_once(tmp_path: Path):
    """The digests of the batches are those of consecutive slices that together are the file."""
    data = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(100))
    at = 0
    for batch in read(tmp_path, data, 50):
        assert batch.digest == hashlib.sha256(data[at : at + batch.size]).digest()
        at += batch.size
    assert at == len(data)


def test_unquoted_nulls_and_quoted_text_stay_apart(tmp_path: Path):
    """An unquoted empty field is null and a quoted one is empty text; other nulls count only unquoted."""
    batches = read(tmp_path, b'a,b\n,""\nNA,"NA"\n', csv={"nulls": ["", "NA"]})

    assert rows(batches) == [(None, ""), (None, "NA")]


def test_wrong_column_counts_are_set_aside_with_their_lines(tmp_path: Path):
    """Records with too few or too many columns are malformed, with line and text; the others are read."""
    batches = read(tmp_path, b'a,b\n1,2\n3\n"x\ny",4\n5,6,7\n\n8,9\n')

    assert rows(batches) == [("1", "2"), ("x\ny", "4"), ("8", "9")]
    assert places(batches) == ["a.csv:2", "a.csv:4", "a.csv:8"]
    assert malformed(batches) == [("a.csv:3", "3"), ("a.csv:6", "5,6,7")]
    assert [m.message for m in batches[0].malformed][1] == "it has 3 columns; the header has 2"


def test_bytes_that_are_no_utf8_set_only_their_records_aside(tmp_path: Path):
    """Latin-1 bytes in a UTF-8 file cost the records they are in, and no other."""
    batches = read(tmp_path, 'a,b\n1,ö\n2,"é\nx"\n3,ok\n4,ü,5\n'.encode("latin-1") + "6,ä\n".encode())

    assert rows(batches) == [("3", "ok"), ("6", "ä")]
    assert places(batches) == ["a.csv:5", "a.csv:7"]
    assert malformed(batches) == [("a.csv:2", "1,\\xf6"), ("a.csv:3", '2,"\\xe9\nx"'), ("a.csv:6", "4,\\xfc,5")]
    assert "0xF6" in batches[0].malformed[0].message


def test_declared_encodings_are_transcoded(tmp_path: Path):
    """Latin-1 and Windows-1252 text is read as what it says; a byte that Windows-1252 lacks costs its record."""
    assert rows(read(tmp_path, "a,b\nö,€\n".encode("cp1252"), csv={"encoding": "windows-1252"})) == [("ö", "€")]
    assert rows(read(tmp_path, "a,b\nö,ß\n".encode("latin-1"), csv={"encoding": "latin-1"})) == [("ö", "ß")]
    batches = read(tmp_path, b"a,b\n1,\x81\n2,x\n", csv={"encoding": "windows-1252"})
    assert rows(batches) == [("2", "x")]
    assert malformed(batches) == [("a.csv:2", "1,\\x81")]


def test_nul_bytes_set_their_records_aside(tmp_path: Path):
    """A NUL, which no database text holds, costs the record it is in."""
    batches = read(tmp_path, b'a,b\n1,x\0\n"2\0\0\n",\0\n3,y\n')

    assert rows(batches) == [("3", "y")]
    assert malformed(batches) == [("a.csv:2", "1,x\0"), ("a.csv:3", '"2\0\0\n",\0')]


@pytest.mark.parametrize("block", [1, 8, 4096])
def test_an_unclosed_quote_is_one_error_after_what_came_before(tmp_path: Path, block):
    """The error names the line where the quote opens; the records before it were delivered."""
    (tmp_path / "a.csv").write_bytes(b'a,b\n1,"x\ny"\n2,z\n"3\nw","oops\nmore\n4,5\n')

    with pytest.raises(Invalid, match=r"a\.csv:6: the quote that opens here is never closed") as caught:
        list(opened(tmp_path, block).read(None))

    assert caught.value.code == "SYN456"
    assert rows(_until_error(opened(tmp_path, block))) == [("1", "x\ny"), ("2", "z")]


def _until_error(reading: Source) -> list[Batch]:
    found: list[Batch] = []
    with suppress(Invalid):
        found.extend(reading.read(None))
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", []),
        (b"\xef\xbb\xbf", []),
        (b"a,b", []),
        (b"a,b\n", []),
        (b"a,b\r\n\r\n", []),
        (b"\xef\xbb\xbfa,b\n1,2", [("1", "2")]),
        (b"a,b\r\n1,2\r\n3,4", [("1", "2"), ("3", "4")]),
        (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        (b'\xef\xbb\xbf"a","b"\n1,2\n', [("1", "2")]),
        (b'a,b\nx"y,"p""q"\n', [('x"y', 'p"q')]),
        (b'a,b\n"x"y,2\n', [("xy", "2")]),
        (b"\n\na,b\n1,2\n", [("1", "2")]),
    ],
)
@pytest.mark.parametrize("block", [1, 5, 4096])
def test_odd_but_readable_files(tmp_path: Path, data, expected, block):
    """Empty files, header-only files, BOMs and every line end are read as what they mean."""
    declared = Schema((Field("a", STRING), Field("b", STRING)))
    batches = read(tmp_path, data, block, schema=declared)

    assert rows(batches) == expected
    assert batches[-1].position["done"]["a.csv"]["size"] == len(data)
    assert sum(batch.size for batch in batches) == len(data)


@pytest.mark.parametrize("byte", [bytes([n]) for n in range(256)])
def test_files_of_one_byte(tmp_path: Path, byte):
    """A file of any single byte is a header or one clear error."""
    (tmp_path / "a.csv").write_bytes(byte)
    if byte in b'\0\r\n,"' or not byte.isascii():
        with pytest.raises(Invalid) as caught:
            opened(tmp_path)
        assert caught.value.code in {"SYN453", "SYN456", "SYN457"}
    else:
        header = opened(tmp_path)
        assert rows(list(header.read(None))) == []
        assert header.schema.names == (byte.decode(),)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"a,a\n1,2\n", "SYN453", "columns 1 and 2 are both called 'a'"),
        (b"a,,b\n1,2,3\n", "SYN453", "column 2 has no name"),
        (b'a,"b\n1,2\n', "SYN456", "the header has no end"),
        (b"\xff\xfea\0", "SYN457", "UTF-16"),
        (b"a,\xff\n1,2\n", "SYN457", "the header can't be read"),
        (b"", "SYN453", "is empty"),
    ],
)
def test_unusable_headers(tmp_path: Path, data, code, said):
    """A header that can't name the columns is refused, and the message says what is wrong with it."""
    (tmp_path / "a.csv").write_bytes(data)

    with pytest.raises(Invalid, match=said) as caught:
        opened(tmp_path)

    assert caught.value.code == code


def test_files_of_a_stream_have_the_same_columns(tmp_path: Path):
    """Columns in another order are matched by name; a file that lacks one is refused by name, before any is read."""
    (tmp_path / "a.csv").write_bytes(b"x,y\n1,2\n")
    (tmp_path / "b.csv").write_bytes(b"y,x\n4,3\n")
    assert rows(list(opened(tmp_path).read(None))) == [("1", "2"), ("3", "4")]

    (tmp_path / "c.csv").write_bytes(b"x,z\n5,6\n")
    with pytest.raises(Invalid, match=r"1 of 3 files can't be read like the others: c\.csv lacks 'y'"):
        next(iter(opened(tmp_path).read(None)))


def test_declared_columns_only_are_read(tmp_path: Path):
    """With a declared schema, other columns are not read, classes are kept, and a missing one is refused."""
    (tmp_path / "a.csv").write_bytes(b"x,y,z\n1,2,3\n")
    declared = Schema((Field("z", STRING, data_class="pii.name"), Field("x", STRING)))
    declaring = opened(tmp_path, schema=declared)

    assert declaring.schema.names == ("x", "z")
    assert declaring.schema.get("z").data_class == "pii.name"
    assert rows(list(declaring.read(None))) == [("1", "3")]
    with pytest.raises(Invalid, match="has no column 'w'"):
        opened(tmp_path, schema=Schema((Field("w", STRING),)))


def test_a_dialect_without_header(tmp_path: Path):
    """Delimiter, quote and column names are as declared; unusable ones are refused."""
    options = {"header": False, "columns": ["a", "b"], "delimiter": ";", "quote": "'"}
    assert rows(read(tmp_path, b"1;'x;''y'\n", csv=options)) == [("1", "x;'y")]
    with pytest.raises(Invalid, match="needs the names of its columns"):
        opened(tmp_path, csv={"header": False})
    with pytest.raises(Invalid, match="delimiter can't be"):
        opened(tmp_path, csv={"delimiter": "§"})


def test_one_column(tmp_path: Path):
    """In a file of one column an empty line is a record: null, as an unquoted empty field is."""
    batches = read(tmp_path, b'a\n1\n\n""\n2\n')

    assert rows(batches) == [("1",), (None,), ("",), ("2",)]
    assert places(batches) == ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5"]


def test_a_changed_file_is_refused_on_resume(tmp_path: Path):
    """Reading doesn't continue in a file whose read part was cut, rewritten or removed; growth is no change."""
    data = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(100))
    batches = read(tmp_path, data, 64)
    position = batches[3].position
    path = tmp_path / "a.csv"

    path.write_bytes(data + b"100,x\n")
    assert len(rows(list(opened(tmp_path).read(position)))) == 101 - len(rows(batches[:4]))
    for other in (data[:50], data.replace(b"\n3,x", b"\n3,y"), b"a,b\n"):
        path.write_bytes(other)
        with pytest.raises(Invalid, match=r"a\.csv changed") as caught:
            list(opened(tmp_path).read(position))
        assert caught.value.code == "SYN455"
    path.rename(tmp_path / "b.csv")
    with pytest.raises(Invalid, match=r"a\.csv was being read and is gone"):
        list(opened(tmp_path).read(position))


def test_incremental_reads_new_changed_and_grown_files_only(tmp_path: Path):
    """After a complete read, an incremental one yields new files, files with other content, and appended records."""
    for name in "abc":
        (tmp_path / f"{name}.csv").write_bytes(b"k,v\n%b,1\n" % name.encode())
    position = list(opened(tmp_path, incremental=True).read(None))[-1].position
    assert list(opened(tmp_path, incremental=True).read(position)) == []

    (tmp_path / "a.csv").write_bytes(b"k,v\na,1\n")  # touched: same content
    (tmp_path / "b.csv").write_bytes(b"k,v\nb,2\n")  # changed
    with (tmp_path / "c.csv").open("ab") as grown:
        grown.write(b"c,2\n")
    (tmp_path / "d.csv").write_bytes(b"k,v\nd,1\n")
    batches = list(opened(tmp_path, incremental=True).read(position))

    assert rows(batches) == [("b", "2"), ("c", "2"), ("d", "1")]
    assert places(batches) == ["b.csv:2", "c.csv:3", "d.csv:2"]
    assert list(opened(tmp_path, incremental=True).read(batches[-1].position)) == []


def test_nothing_outside_the_root_is_read(tmp_path: Path):
    """Patterns that climb and links that lead out are refused; a link inside the root is followed."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_bytes(b"a,b\n1,2\n")
    for pattern in ("../*.csv", "/etc/*", "x/../../*.csv", "~/*.csv"):
        with pytest.raises(Invalid, match="leaves the root"):
            opened(root, files=pattern)
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(Invalid, match="leads out of the root"):
        opened(root)
    (root / "link.csv").unlink()
    (root / "data").mkdir()
    (root / "data" / "real.csv").write_bytes(b"a,b\n1,2\n")
    (root / "link.csv").symlink_to(root / "data" / "real.csv")
    assert rows(list(opened(root).read(None))) == [("1", "2")]


def test_no_match_says_what_was_searched(tmp_path: Path):
    """A pattern that matches nothing is an error with the pattern and the folder; a missing root stalls."""
    with pytest.raises(Invalid, match=r"no file matches 'x-\*\.csv' in .*") as caught:
        opened(tmp_path, files="x-*.csv")
    assert caught.value.code == "SYN450"
    with pytest.raises(Stalled, match="doesn't exist"):
        opened(tmp_path / "nowhere")


@pytest.mark.parametrize("pattern", ["**x.csv", ".", "a/", "[", "\0", "*" * 300])
def test_patterns_that_name_nothing(tmp_path: Path, pattern):
    """A pattern that is none, or can't match, is one clear error."""
    (tmp_path / "a").mkdir()
    with pytest.raises(Invalid) as caught:
        opened(tmp_path, files=pattern)
    assert caught.value.code in {"SYN450", "SYN451"}


def test_a_record_longer_than_the_limit_is_an_error(tmp_path: Path, monkeypatch):
    """A quote that is never closed doesn't pull a large file into memory."""
    monkeypatch.setattr("syncline.connectors.file.blocks.MAX_RECORD", 1000)
    (tmp_path / "a.csv").write_bytes(b'a,b\n1,2\n"' + b"x,y\n" * 1000)

    with pytest.raises(Invalid, match=r"a\.csv:3: the quote that opens here is never closed: no record ends within"):
        list(opened(tmp_path, 64).read(None))
