"""Rows as hashes of their keys and fields, in a file: what two sides have is compared in bounded memory.

No value is in it: a key is 128 bits, a field 64, by hashes that are seeded anew by each process. The file goes with the
comparison.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from syncline.sdk.frame import target_frame_schema

if TYPE_CHECKING:
    from syncline.model.schema import Schema

#: What is known of a row: it is at the destination and nothing else is known; it is as it should be; it differs; it
#: isn't at the destination.
THERE, SAME, DIFFERENT, MISSING = range(4)


class Fingerprints:
    """Rows of a table with a key; used by one thread. `note` takes those that are there, `meet` those that should be.

    >>> from syncline.model.schema import INTEGER, STRING, Field, Schema
    >>> schema = Schema((Field("id", INTEGER), Field("name", STRING)), ("id",))
    >>> frame = pl.DataFrame({"id": [1, 2], "name": ["a", "b"]})
    >>> with Fingerprints(schema) as rows:
    ...     rows.note(frame)
    ...     rows.meet(frame.with_columns(name=pl.lit("b"))), rows.counts()
    ([(2, (0,)), (1, ())], {1: 1, 2: 1})
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._fields = [name for name in schema.names if name not in schema.key]
        self._seeds = [secrets.randbits(63) for _ in range(3)]

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="syncline-compare-")
        self._file = sqlite3.connect(Path(self._folder.name) / "rows.db", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._file.execute(f"PRAGMA {pragma}")
        fields = "".join(f", f{i} INTEGER" for i in range(len(self._fields)))
        for name in ("rows", "batch"):
            self._file.execute(
                f"CREATE TABLE {name} (a INTEGER, b INTEGER, state INTEGER{fields}, PRIMARY KEY (a, b)) WITHOUT ROWID"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._folder.cleanup()

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields outside of the key, as `meet` numbers them."""
        return tuple(self._fields)

    def note(self, frame: pl.DataFrame) -> None:
        """Rows that are there."""
        self._insert("rows", frame, THERE)

    def meet(self, frame: pl.DataFrame) -> list[tuple[int, tuple[int, ...]]]:
        """
        Rows that should be there, keys unique in the frame. What became of each: its state, and the numbers of the
        fields that differ. A key that came before counts as it comes now.
        """
        self._file.execute("DELETE FROM batch")
        hashed = self._insert("batch", frame, THERE)
        unequal = "".join(f", b.f{i} IS NOT r.f{i}" for i in range(len(self._fields)))
        found = {
            (a, b): (MISSING if state in {None, MISSING} else DIFFERENT if any(rest) else SAME, rest)
            for a, b, state, *rest in self._file.execute(
                f"SELECT b.a, b.b, r.state{unequal} FROM batch b LEFT JOIN rows r USING (a, b)"  # noqa: S608 - numbers
            )
        }
        put = "INSERT INTO rows (a, b, state) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state"
        self._file.execute("BEGIN")
        self._file.executemany(put, [(*key, state) for key, (state, _) in found.items()])
        self._file.execute("COMMIT")
        met = (found[row[0], row[1]] for row in hashed)
        return [
            (state, tuple(i for i, unequal in enumerate(rest) if unequal) if state == DIFFERENT else ())
            for state, rest in met
        ]

    def unmet(self, frame: pl.DataFrame) -> list[int]:
        """Which rows of a frame are there and never should have been."""
        self._file.execute("DELETE FROM batch")
        hashed = self._insert("batch", frame, THERE)
        query = "SELECT a, b FROM batch JOIN rows r USING (a, b) WHERE r.state = ?"
        found = set(self._file.execute(query, (THERE,)))
        return [row for row, (a, b, *_) in enumerate(hashed) if (a, b) in found]

    def counts(self) -> dict[int, int]:
        """How many rows there are in each state."""
        return dict(self._file.execute("SELECT state, count(*) FROM rows GROUP BY state ORDER BY state"))

    def _insert(self, table: str, frame: pl.DataFrame, state: int) -> list[tuple[Any, ...]]:
        rows = list(self._hashes(frame))
        marks = ", ".join("?" * (3 + len(self._fields)))
        self._file.execute("BEGIN")
        self._file.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES ({marks})",  # noqa: S608 - numbers and our own names
            [(a, b, state, *fields) for a, b, *fields in rows],
        )
        self._file.execute("COMMIT")
        return rows

    def _hashes(self, frame: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
        """Of each row two hashes of its key, then one a field; null where the field is."""
        plain = _comparable(frame, self._schema)
        first, second, third = self._seeds
        key = pl.struct(list(self._schema.key))
        columns = [key.hash(first).alias("a"), key.hash(second).alias("b")]
        columns += [
            pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(third)).alias(f"f{i}")
            for i, name in enumerate(self._fields)
        ]
        return iter(plain.select(columns).cast(pl.UInt64).select(pl.all().reinterpret(signed=True)).rows())


def _comparable(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Values of the schema's types, JSON in one form, no negative zeros: databases may keep them in another."""
    wanted = target_frame_schema(schema)
    frame = frame.select(schema.names).cast(pl.Schema(wanted), strict=False)
    changed = [
        pl.col(field.name).map_elements(_form, return_dtype=pl.String)
        if field.type.name == "json"
        else pl.col(field.name) + 0.0
        for field in schema.fields
        if field.type.name in {"json", "float"}
    ]
    return frame.with_columns(changed) if changed else frame


def _form(text: str) -> str:
    try:
        value = json.loads(text, parse_float=_number, parse_int=_number)
    except ValueError:
        return text
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _number(digits: str) -> Sequence[str]:
    return ["number", str(Decimal(digits).normalize())]
