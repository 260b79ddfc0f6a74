"""What COPY is given as text is in the table as it was in the frame, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from syncline.connectors.sql.postgresql import copy_text
from syncline.connectors.sql.postgresql.copy_text import CopyText
from tests.contract.sql_places import postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from pathlib import Path

ODD = [
    "",
    "\\",
    "\\N",
    "\\.",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\r",
    "\\t",
    'say "hi", he said',
    "'",
    ",",
    None,
    "ünï\u2028",
    "\x01\x0b",
]


def rows_of(postgres_url: str, folder: Path, schema, frame: pl.DataFrame) -> list[tuple]:
    place = postgres_place(postgres_url, folder)
    try:
        destination = place.open()
        destination.open(target_of(schema)).write(frame, "1")
        return place.execute(f"SELECT {', '.join(frame.columns)} FROM orders ORDER BY id")
    finally:
        place.close()


@pytest.mark.parametrize("odd", ODD)
def test_any_text_comes_back(postgres_url, tmp_path, odd):
    """Alone among plain ones, and with others like it: only then is it escaped at all."""
    schema = schema_of({"id": "integer", "name": "string", "data": "binary"}, "id")
    for others in (["plain"], ODD):
        names = [odd, *others]
        data = [b"\\\t", None, *(b"\n" for _ in names)][: len(names)]
        frame = pl.DataFrame(
            {"id": range(len(names)), "name": names, "data": data},
            {"id": pl.Int64, "name": pl.String, "data": pl.Binary},
        )
        assert rows_of(postgres_url, tmp_path, schema, frame) == frame.rows()


def test_rows_that_need_no_escape_have_none():
    """They are written once: nulls are the only backslashes."""
    frame = pl.DataFrame({"id": [1, 2], "name": ["Ada, L.", None]})
    assert CopyText().rows(frame) == b"1\tAda, L.\n2\t\\N\n"


def test_what_is_escaped_once_is_escaped_ahead(monkeypatch):
    """Batches of a column that has something to escape are written once each, but for the first, and come out the same
    whatever came before.
    """
    first = pl.DataFrame({"id": [1, 2], "flags": ['["a\\"b"]', None], "note": ["x", "y"]})
    values = ODD[:-1]  # control characters have a batch looked at once more, as they might be tabs
    odd = pl.DataFrame({"id": range(len(values)), "flags": values, "note": ["plain"] * len(values)})
    other = pl.DataFrame({"id": range(len(values)), "flags": ["[]"] * len(values), "note": values})
    text, written = CopyText(), []
    lines = copy_text._lines

    def counted(frame):
        written.append(frame)
        return lines(frame)

    monkeypatch.setattr(copy_text, "_lines", counted)
    for frame, times in ((first, 2), (first, 1), (odd, 1), (other, 2), (other, 1), (odd, 1)):
        written.clear()
        found = text.rows(frame)
        assert len(written) == times
        assert found == CopyText().rows(frame)
