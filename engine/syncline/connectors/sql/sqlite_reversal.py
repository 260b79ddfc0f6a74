"""Writing to SQLite so that it can be undone. Rows are kept as MessagePack; nobody else writes until the commit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from syncline.connectors.sql.names import columns, quoted

if TYPE_CHECKING:
    from syncline.connectors.sql.sqlite import SqliteDatabase
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Written

_STAGE, _CHANGING = "syncline_given", "syncline_changing"

#: Arguments that SQLite gives a function at most (127), less some.
_MOST = 100


class SqliteReversal:
    """See `reversal.Dialect`."""

    aside = "temp."
    lock = ""

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
        before = database.execute(f"SELECT {columns(noted, 't.')} FROM {joined}")
        written = database.merge(table, rows, schema)
        after = database.execute(f"SELECT {columns(key, 't.')}, {self.digest(noted)}, s.fresh_row FROM {joined}")
        for made in (_STAGE, _CHANGING):
            database.execute(f"DROP TABLE temp.{made}")
        return written, _packed(before), _packed(after)

    def digest(self, names: Sequence[str]) -> str:
        """Half of the SHA-256 of the values; of more than a function takes, of the digests of some at a time."""
        parts = [columns(names[at : at + _MOST], "t.") for at in range(0, len(names), _MOST)]
        digests = [f"syncline_digest({part})" for part in parts]
        return digests[0] if len(digests) == 1 else f"syncline_digest({', '.join(digests)})"

    def fill(self, table: str, width: int, rows: bytes) -> None:
        """Inserts them."""
        if rows:
            marks = ", ".join("?" * width)
            self._database.execute_many(f"INSERT INTO temp.{table} VALUES ({marks})", msgspec.msgpack.decode(rows))

    def index(self, table: str, key: Sequence[str]) -> None:
        """A unique index."""
        self._database.execute(f"CREATE UNIQUE INDEX temp.{table}_key ON {table} ({columns(key)})")

    def change(self, statement: str) -> int:
        """As SQLite counts."""
        return self._database.execute_many(statement, [()])


def _packed(rows: Sequence[tuple[Any, ...]]) -> bytes:
    return msgspec.msgpack.encode(rows) if rows else b""


def _digest(*values: object) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(values)).digest()[:16]
