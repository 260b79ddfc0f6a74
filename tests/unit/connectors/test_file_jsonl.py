"""JSON Lines: exact values, each line by itself, and bad lines set aside."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.model.schema import NUMBER, STRING, DataType, Field, Schema
from tests.contract.file_places import source

ORDERS = Schema((Field("id", DataType("integer"), nullable=False), Field("price", NUMBER), Field("name", STRING)))


def read(root: Path, data: bytes, schema: Schema | None = ORDERS, block: int = 16 << 20, **options):
    (root / "a.jsonl").write_bytes(data)
    batches = list(source(root, "*.jsonl", schema, block=block, **options).read(None))
    rows = [row for batch in batches for row in batch.frame.rows()]
    places = [place for batch in batches for place in batch.places(range(batch.frame.height))]
    return rows, places, [bad for batch in batches for bad in batch.malformed]


def test_numbers_keep_their_digits(tmp_path: Path):
    """Digits that a double can't hold are kept as text, and 64-bit integers as they are."""
    rows, _, bad = read(
        tmp_path,
        b'{"id": 9223372036854775807, "price": 12345678901234567890.123456789012345678}\n'
        b'{"id": -1, "price": -0.0, "name": "\\ud83d\\ude00"}\n'
        b'{"id": 0, "price": 1E-7}',
    )

    assert rows == [
        (2**63 - 1, "12345678901234567890.123456789012345678", None),
        (-1, "-0.0", "😀"),
        (0, "1E-7", None),
    ]
    assert bad == []


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))
def test_any_number_is_exact(tmp_path_factory, price, number):
    """Every decimal and every 64-bit integer is read as what it is."""
    text = f"{price:f}" if abs(price.adjusted()) < 300 else "0"
    rows, _, _ = read(tmp_path_factory.mktemp("j"), f'{{"id": {number}, "price": {text}}}\n'.encode())

    assert rows[0][0] == number
    assert Decimal(rows[0][1]) == Decimal(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": 1', "it is no JSON"),
        (b'{"id": 1, "name": "x', "it is no JSON"),
        (b'{"id": 1}}', "it is no JSON"),
        (b'{"id": 1},{"id": 2}', "it is no JSON"),
        (b'{"id": 1} {"id": 2}', "it is no JSON"),
        (b'{"id": 1, "name": "\xff"}', "byte 0xFF is no UTF-8"),
        (b'{"id": 1, "price": NaN}', "it is no JSON"),
        (b'{"id": 1, "name": "\\ud800"}', "it is no JSON"),
        (b'{"id": 1, "id": 2}', "twice"),
        (b'{"id": 1, "x": {"y": 1, "y": 2}}', "twice"),
        (b"[1]", "it is no JSON object"),
        (b"7", "it is no JSON object"),
        (b"null", "it is no JSON object"),
        (b"<html>", "it is no JSON"),
        (b'{"id": "1"}', "Expected `int`, got `str`"),
        (b'{"id": 1.0}', "Expected `int`, got `float`"),
        (b'{"id": 9223372036854775808}', "Expected `int`"),
        (b'{"id": 1, "price": "1"}', "Expected `number`, got `str`"),
        (b'{"id": 1, "name": 1}', "Expected `str"),
        (b'{"name": "x"}', "missing required field"),
        (b'{"id": 1, "x": ' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper"),
        (b'{"id": 1, "x": ' + b"[" * 100_000, "it is no JSON"),
    ],
)
def test_bad_lines_are_set_aside(tmp_path: Path, line, said):
    """A line that is no record, or doesn't fit the schema, is malformed with its number; its neighbours are read."""
    rows, places, bad = read(tmp_path, b'{"id": 1}\n\n' + line + b'\r\n{"id": 3}\r\n')

    assert [row[0] for row in rows] == [1, 3]
    assert places == ["a.jsonl:1", "a.jsonl:4"]
    assert [b.place for b in bad] == ["a.jsonl:3"]
    assert said in bad[0].message
    assert bad[0].raw.startswith(line[:20].decode("utf-8", "backslashreplace"))


def test_lines_borrow_nothing_from_each_other(tmp_path: Path):
    """Two halves of a record on two lines, beside two records on one, are four faults and no record."""
    rows, _, bad = read(tmp_path, b'{"id": 1\n"name": "x"}\n{"id": 2},{"id": 3}\n{"id": 4\n}\n')

    assert rows == []
    assert [b.place for b in bad] == [f"a.jsonl:{n}" for n in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b"\r\n\r\n", b" "])
def test_files_without_records(tmp_path: Path, data):
    """Empty files and empty lines are no records and no faults."""
    assert read(tmp_path, data) == ([], [], [])


def test_without_a_schema_the_used_fields_are_json_text(tmp_path: Path):
    """Top-level fields that the paths use are columns of JSON text, with digits and nesting as they stood."""
    rows, _, _ = read(
        tmp_path, b'\xef\xbb\xbf{"id": 1.10, "a": {"b": [1, "x"]}, "c": 1}\n', None, paths=("id", "a.b[0]", "d")
    )

    assert rows == [("1.10", '{"b": [1, "x"]}', None)]


def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch):
    """A line past the limit, such as one large JSON array, is one error that says so."""
    monkeypatch.setattr("syncline.connectors.file.blocks.MAX_RECORD", 1000)

    with pytest.raises(Invalid, match=r"a\.jsonl:2: a line longer than"):
        read(tmp_path, b'{"id": 1}\n' + b"[" + b"1," * 1000, block=64)


def test_appended_lines_are_read_alone(tmp_path: Path):
    """An incremental read of a log that grew yields the new lines; one that ended without a line end is read again."""
    read(tmp_path, b'{"id": 1}\n')
    opened = source(tmp_path, "*.jsonl", ORDERS, incremental=True)
    position = list(opened.read(None))[-1].position
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1}\n{"id": 2}')
    (second,) = source(tmp_path, "*.jsonl", ORDERS, incremental=True).read(position)
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1}\n{"id": 23}\n')
    (third,) = source(tmp_path, "*.jsonl", ORDERS, incremental=True).read(second.position)

    assert second.frame["id"].to_list() == [2]
    assert second.places([0]) == ["a.jsonl:2"]
    assert third.frame["id"].to_list() == [1, 23]
