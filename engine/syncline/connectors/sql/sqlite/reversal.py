"""Writing to SQLite so that it can be undone. Rows are kept as MessagePack; nobody else writes until the commit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from syncline.connectors.sql.names import DIGEST, FRESH, columns, quoted

if TYPE_CHECKING:
    from syncline.connectors.sql.sqlite.database import SqliteDatabase
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Written

_STAGE, _CHANGING = "syncline_given", "syncline_changing"

#: Arguments that SQLite gives a function at most (127), less some.
_MOST = 100

_OWN = {DIGEST: "CAST(NULL AS blob)", FRESH: "CAST(NULL AS integer)"}


class SqliteReversal:
    """See `dialect.Dialect`."""

    aside = "temp."
    own: Mapping[str, str] = _OWN
    inserting = ""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def prepare(self) -> None:
        """Temporary tables in memory, and a function that SQLite lacks."""
        self._database.keep_aside_in_memory()
        self._database.define("syncline_digest", _digest)

    def begin(self) -> None:
        """Nothing is to be set."""

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Looks for what will change first, and at the rows again afterwards."""
        database, key = self._database, schema.key
        place = f"main.{quoted(table)}"
        same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
        differs = " OR ".join(f"t.{quoted(name)} IS NOT s.{quoted(name)}" for name in schema.names if name not in key)
        database.stage(_STAGE, rows, schema)
        fresh = f"t.{quoted(key[0])} IS NULL"
        database.execute(
            f"CREATE TEMP TABLE {_CHANGING} AS SELECT {columns(key, 's.')}, {fresh} AS fresh_row"
            f" FROM temp.{_STAGE} AS s LEFT JOIN {place} AS t ON {same} WHERE {fresh} OR {differs or 'FALSE'}"
        )
        joined = f"temp.{_CHANGING} AS s JOIN {place} AS t ON {same}"
        before = self.rows(noted, f"FROM {joined}")
        written = database.merge(table, rows, schema)
        after = database.execute(f"SELECT {columns(key, 't.')}, {self.digest(noted)}, s.fresh_row FROM {joined}")
        for made in (_STAGE, _CHANGING):
            self.drop(made)
        return written, before, packed(after)

    def append(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[int, bytes]:
        """Puts rows aside, and inserts them from there."""
        database, names = self._database, columns(schema.names)
        database.stage(_STAGE, rows, schema)
        after = database.execute(
            f"INSERT INTO main.{quoted(table)} ({names}) SELECT {names} FROM temp.{_STAGE} WHERE TRUE"
            f" RETURNING {self.digest(noted, '')}"
        )
        self.drop(_STAGE)
        return len(after), packed(after)

    def digest(self, names: Sequence[str], prefix: str = "t.") -> str:
        """Half of the SHA-256 of the values; of more than a function takes, of the digests of some at a time."""
        parts = [columns(names[at : at + _MOST], prefix) for at in range(0, len(names), _MOST)]
        digests = [f"syncline_digest({part})" for part in parts]
        return digests[0] if len(digests) == 1 else f"syncline_digest({', '.join(digests)})"

    def rows(self, names: Sequence[str], rest: str) -> bytes:
        """The values as they are."""
        return packed(self._database.execute(f"SELECT {columns(names, 't.')} {rest}"))

    def make(self, name: str, query: str, key: Sequence[str]) -> None:
        """With a unique index."""
        self._database.execute(f"CREATE TEMPORARY TABLE {name} AS {query}")
        if key:
            self._database.execute(f"CREATE UNIQUE INDEX temp.{name}_key ON {name} ({columns(key)})")

    def drop(self, name: str) -> None:
        """Drops it."""
        self._database.execute(f"DROP TABLE temp.{name}")

    def fill(self, table: str, names: Sequence[str], rows: bytes) -> None:
        """Inserts them."""
        if rows:
            marks = ", ".join("?" * len(names))
            insert = f"INSERT INTO temp.{table} ({columns(names)}) VALUES ({marks})"
            self._database.execute_many(insert, msgspec.msgpack.decode(rows))

    def hold(self, table: str, joined: str) -> None:
        """Nobody else writes."""

    def hold_table(self, table: str) -> None:
        """Nobody else writes."""

    def delete(self, table: str, given: str, on: str, where: str, key: Sequence[str] = ()) -> int:
        """Deletes what has a partner; by key, without reading all of the table."""
        if key:
            wanted = f"SELECT {columns(key, 'a.')} FROM {given} AS a WHERE {where}"
            return self.change(f"DELETE FROM {table} AS t WHERE ({columns(key, 't.')}) IN ({wanted})")
        return self.change(f"DELETE FROM {table} AS t WHERE EXISTS (SELECT 1 FROM {given} AS a WHERE {on} AND {where})")

    def update(self, table: str, names: Sequence[str], source: str, on: str, where: str) -> int:
        """Updates by a join."""
        values = ", ".join(f"{quoted(name)} = b.{quoted(name)}" for name in names)
        return self.change(f"UPDATE {table} AS t SET {values} FROM {source} WHERE {on} AND {where}")

    def change(self, statement: str) -> int:
        """As SQLite counts."""
        return self._database.execute_many(statement, [()])


def packed(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows of plain values as MessagePack; nothing, of none."""
    return msgspec.msgpack.encode(rows) if rows else b""


def _digest(*values: object) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(values)).digest()[:16]
