"""What COPY is given as text is in the table as it was in the frame, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from syncline.connectors.sql.copy_text import copy_text
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
    assert copy_text(frame) == b"1\tAda, L.\n2\t\\N\n"
