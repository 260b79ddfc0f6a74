r"""Rows as the text that PostgreSQL's COPY takes: a line a row, tabs between values, `\N` for null."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

#: What would end a value or a line, or begin what is written with a backslash; and the backslash itself.
_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}

#: The same, as a pattern.
_SPECIAL = r"[\\\t\n\r]"

_BACKSLASH = ord("\\")

#: The highest of the others.
_HIGHEST = ord("\r")


class CopyText:
    r"""Writes rows of a table, batch after batch. What had to be escaped in one batch is escaped ahead in the next.

    >>> import polars as pl
    >>> CopyText().rows(pl.DataFrame({"id": [1, 2], "name": ["Ada\tL.", None]}))
    b'1\tAda\\tL.\n2\t\\N\n'
    """

    def __init__(self) -> None:
        self._escaped: frozenset[str] = frozenset()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """Rows of a frame, as UTF-8. Times come with a Z, which columns without zone ignore; bytes in hexadecimal."""
        import polars as pl

        if binary := [name for name, dtype in frame.schema.items() if dtype == pl.Binary]:
            frame = frame.with_columns((pl.lit("\\x") + pl.col(name).bin.encode("hex")).alias(name) for name in binary)
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        known = [name for name in texts if name in self._escaped]
        ready = _escape(frame, known)
        rows = _lines(ready)
        if _plain(rows, ready, known):
            return rows
        found = frame.select(pl.col(texts).str.contains(_SPECIAL).any()).row(0, named=True)
        special = [name for name, there in found.items() if there]
        self._escaped |= frozenset(special)
        return _lines(_escape(frame, special))


def _escape(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    import polars as pl

    if not names:
        return frame
    return frame.with_columns(pl.col(names).str.replace_many(list(_ESCAPED), list(_ESCAPED.values())))


def _lines(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_csv(
        out,
        include_header=False,
        separator="\t",
        null_value="\\N",
        datetime_format="%Y-%m-%dT%H:%M:%S%.fZ",
        quote_style="never",
    )
    return out.getvalue()


def _plain(rows: bytes, frame: pl.DataFrame, escaped: list[str]) -> bool:
    """Whether nothing else in a value is to be escaped: then there are as many tabs and ends of lines, and backslashes,
    as separate values, stand for null and are in escaped ones. Counting them costs a tenth of looking at each value.
    """
    from syncline.sdk.formats.csv_records import bytes_of

    found = bytes_of(rows)
    nulls = sum(column.null_count() for column in frame.iter_columns())
    inside = sum(frame[name].str.count_matches("\\", literal=True).sum() for name in escaped)
    return (found <= _HIGHEST).sum() == frame.height * frame.width and (found == _BACKSLASH).sum() == nulls + inside
