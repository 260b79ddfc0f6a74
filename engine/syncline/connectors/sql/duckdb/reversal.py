"""Writing to DuckDB so that it can be undone. Rows are kept as MessagePack of their text; nobody else writes until the
commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from syncline.connectors.sql.names import DIGEST, FRESH, columns, quoted
from syncline.connectors.sql.sqlite.reversal import packed

if TYPE_CHECKING:
    from syncline.connectors.sql.duckdb.database import DuckdbDatabase
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Written

_CHANGING = "syncline_changing"

_OWN = {DIGEST: "CAST(NULL AS varchar)", FRESH: "CAST(NULL AS boolean)"}


class DuckdbReversal:
    """See `dialect.Dialect`. A digest is text here."""

    aside = "temp."
    own: Mapping[str, str] = _OWN
    inserting = ""

    def __init__(self, database: DuckdbDatabase) -> None:
        self._database = database

    def prepare(self) -> None:
        """Nothing is to be set."""

    def begin(self) -> None:
        """Nothing is to be set."""

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Looks for what will change first, and at the rows again afterwards."""
        database, key, place = self._database, schema.key, quoted(table)
        same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
        fresh = f"t.{quoted(key[0])} IS NULL"
        others = [name for name in schema.names if name not in key]
        unequal = [f"t.{quoted(name)} IS DISTINCT FROM s.{quoted(name)}" for name in others]
        with database.staged(rows, schema) as stage:
            self.make(
                _CHANGING,
                f"SELECT {columns(key, 's.')}, {fresh} AS {quoted(FRESH)} FROM {stage} AS s LEFT JOIN {place} AS t"
                f" ON {same} WHERE {' OR '.join([fresh, *unequal])}",
                (),
            )
        joined = f"FROM temp.{_CHANGING} AS s JOIN {place} AS t ON {same}"
        before = self.rows(noted, joined)
        written = database.merge(table, rows, schema)
        texts = [*(f"CAST(t.{quoted(name)} AS varchar)" for name in key), self.digest(noted)]
        after = database.execute(f"SELECT {', '.join(texts)}, CAST(s.{quoted(FRESH)} AS varchar) {joined}")
        self.drop(_CHANGING)
        return written, before, packed(after)

    def append(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[int, bytes]:
        """Inserts rows."""
        names = columns(schema.names)
        with self._database.staged(rows, schema) as stage:
            after = self._database.execute(
                f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM {stage} AS s"
                f" RETURNING {self.digest(noted, '')}"
            )
        return len(after), packed(after)

    def digest(self, names: Sequence[str], prefix: str = "t.") -> str:
        """Half of the SHA-256 over that of each value's text."""
        parts = [f"coalesce(sha256(CAST({prefix}{quoted(name)} AS varchar)), '-')" for name in names]
        return f"left(sha256(concat_ws(',', {', '.join(parts)})), 32)"

    def rows(self, names: Sequence[str], rest: str) -> bytes:
        """The texts of values."""
        texts = ", ".join(f"CAST(t.{quoted(name)} AS varchar)" for name in names)
        return packed(self._database.execute(f"SELECT {texts} {rest}"))

    def make(self, name: str, query: str, key: Sequence[str]) -> None:
        """Without an index: tables are joined by hashes."""
        del key
        self._database.execute(f"CREATE TEMPORARY TABLE {name} AS {query}")

    def drop(self, name: str) -> None:
        """Drops it."""
        self._database.execute(f"DROP TABLE temp.{name}")

    def fill(self, table: str, names: Sequence[str], rows: bytes) -> None:
        """Inserts the texts, which become values of the columns' types."""
        if not rows:
            return
        import polars as pl

        texts = [f"c{at}" for at in range(len(names))]
        frame = pl.DataFrame(msgspec.msgpack.decode(rows), schema=dict.fromkeys(texts, pl.String), orient="row")
        with self._database.beside(frame) as stage:
            self._database.execute(
                f"INSERT INTO temp.{table} ({columns(names)}) SELECT {', '.join(texts)} FROM {stage}"
            )

    def hold(self, table: str, joined: str) -> None:
        """Nobody else writes."""

    def hold_table(self, table: str) -> None:
        """Nobody else writes."""

    def delete(self, table: str, given: str, on: str, where: str, key: Sequence[str] = ()) -> int:
        """Deletes by a join."""
        del key
        return self.change(f"DELETE FROM {table} AS t USING {given} AS a WHERE {on} AND {where}")

    def update(self, table: str, names: Sequence[str], source: str, on: str, where: str) -> int:
        """Updates by a join."""
        values = ", ".join(f"{quoted(name)} = b.{quoted(name)}" for name in names)
        return self.change(f"UPDATE {table} AS t SET {values} FROM {source} WHERE {on} AND {where}")

    def change(self, statement: str) -> int:
        """As DuckDB counts."""
        return self._database.change(statement)
