"""
Writing so that it can be undone, and undoing it: the same SQL for every database, over what each does differently.

A row is as a run left it while the digest over its columns is the one that was noted. Columns that the table got since
must be null then: what somebody put there is a later write, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from syncline.connectors.sql.images import Image, Images
from syncline.connectors.sql.names import columns, quoted
from syncline.model.errors import Invalid
from syncline.sdk.reversal import Undone

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Target, Written

#: No names that columns have: those of mappings are identifiers.
DIGEST, FRESH = "=digest", "=fresh"

_BEFORE, _AFTER, _LEFT = "syncline_before", "syncline_after", "syncline_left"


class Dialect(Protocol):
    """
    What databases do differently here. `aside` is the prefix of temporary tables, `lock` ends a query over `t` whose
    rows nobody else is to change until the transaction ends.
    """

    aside: str
    lock: str

    def prepare(self) -> None:
        """What is to be set before a transaction begins."""

    def begin(self) -> None:
        """What is to be set in a transaction: rows are looked up by key, however large their table is."""

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Merges rows by key; besides, `before` and `after` of an `Image` with these columns."""

    def digest(self, names: Sequence[str]) -> str:
        """An expression: the digest of a row `t` over columns."""

    def fill(self, table: str, width: int, rows: bytes) -> None:
        """Puts rows of an `Image` into a temporary table of so many columns."""

    def index(self, table: str, key: Sequence[str]) -> None:
        """Has rows of a temporary table found by their key, which is unique."""

    def change(self, statement: str) -> int:
        """Runs a statement that changes rows; the number of them."""


def dialect_of(database: Database) -> Dialect:
    """How a database writes so that it can be undone; `Invalid` where this version can't there."""
    from syncline.connectors.sql.postgresql import PostgresDatabase
    from syncline.connectors.sql.sqlite import SqliteDatabase

    match database:
        case PostgresDatabase():
            from syncline.connectors.sql.postgresql_reversal import PostgresReversal

            return PostgresReversal(database)
        case SqliteDatabase():
            from syncline.connectors.sql.sqlite_reversal import SqliteReversal

            return SqliteReversal(database)
        case _:
            raise Invalid(
                f"what is written to {database.version()} can't be undone by this version",
                code="SYN760",
                help="Leave rollback out, or write to PostgreSQL or SQLite.",
            )


class Noting:
    """Merges the batches of a run whose writes are to be undone later, and keeps what that needs."""

    def __init__(self, database: Database, target: Target) -> None:
        assert target.keeping is not None
        self._keeping = target.keeping
        self._target = target
        self._images = Images(database)
        self._dialect = dialect_of(database)
        self._dialect.prepare()
        table, key = database.inspect(target.stream), target.schema.key
        assert table is not None  # it is there by now
        folded = {table.fold(name) for name in key}
        others = (column.name for column in table.columns if not column.computed)
        self._columns = (*key, *(name for name in others if table.fold(name) not in folded))

    def merge(self, rows: Rendered) -> Written:
        """Writes a batch inside a transaction. Where it has no rows, that is kept as well."""
        from syncline.sdk.destination import Written

        target = self._target
        written, before, after = Written(0), b"", b""
        if rows.frame.height:
            self._dialect.begin()
            written, before, after = self._dialect.merge(target.stream, rows, target.schema, self._columns)
        image = Image(self._columns, target.schema.key, before, after)
        self._images.keep(target.run, target.stream, image, written.inserted, written.updated, self._keeping)
        return written


class Reversal:
    """Takes the writes to one table back, inside one transaction: `begin`, an `undo` for each image, `end`."""

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._name = table
        self._table = database.place + quoted(table)
        self._dialect = dialect_of(database)
        found = database.inspect(table)
        if found is None:
            raise Invalid(f"table {table!r} is gone", code="SYN764", help="Restore a backup.")
        self._found = found
        self._key: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Before the transaction."""
        self._dialect.prepare()

    def begin(self) -> None:
        """In the transaction, first."""
        self._dialect.begin()

    def undo(self, image: Image) -> Undone:
        """Takes one batch back. A row that one after it left alone is left alone."""
        if lost := [name for name in image.columns if self._found.get(name) is None]:
            raise Invalid(
                f"column {lost[0]!r} of table {self._name!r} is gone, so what rows had in it can't be brought back",
                code="SYN764",
                help="Add the column again, or restore a backup.",
            )
        if not self._key:
            self._key = image.key
            self._make(_LEFT, image.key)
        self._make(_AFTER, image.key, DIGEST, FRESH)
        self._dialect.fill(_AFTER, len(image.key) + 2, image.after)
        self._make(_BEFORE, image.key, *image.columns[len(image.key) :])
        self._dialect.fill(_BEFORE, len(image.columns), image.before)
        found = self._undo(image)
        for table in (_AFTER, _BEFORE):
            self._database.execute(f"DROP TABLE {self._dialect.aside}{table}")
        return found

    def end(self) -> None:
        """In the transaction, last."""
        if self._key:
            self._database.execute(f"DROP TABLE {self._dialect.aside}{_LEFT}")

    def _undo(self, image: Image) -> Undone:
        after, before, left = (self._dialect.aside + name for name in (_AFTER, _BEFORE, _LEFT))
        key, fresh = image.key, quoted(FRESH)
        joined = f"{after} AS a JOIN {self._table} AS t ON {_same('t', 'a', key)}"
        if self._dialect.lock:
            self._database.execute(
                f"WITH held AS (SELECT 1 FROM {joined}{self._dialect.lock}) SELECT count(*) FROM held"
            )
        (counts,) = self._database.execute(
            f"SELECT count(*), count(t.{quoted(key[0])}) FROM {after} AS a"
            f" LEFT JOIN {self._table} AS t ON {_same('t', 'a', key)}"
        )
        total, there = counts
        self._dialect.change(
            f"INSERT INTO {left} ({columns(key)}) SELECT {columns(key, 'a.')} FROM {after} AS a"
            f" LEFT JOIN {self._table} AS t ON {_same('t', 'a', key)}"
            f" WHERE (t.{quoted(key[0])} IS NULL OR NOT ({self._untouched(image)}))"
            f" AND NOT EXISTS (SELECT 1 FROM {left} AS l WHERE {_same('l', 'a', key)})"
        )
        free = f"NOT EXISTS (SELECT 1 FROM {left} AS l WHERE {_same('l', 'a', key)})"
        deleted = self._dialect.change(
            f"DELETE FROM {self._table} AS t WHERE ({columns(key, 't.')}) IN"
            f" (SELECT {columns(key, 'a.')} FROM {after} AS a WHERE a.{fresh} AND {free})"
        )
        restored = 0
        if others := image.columns[len(key) :]:
            values = ", ".join(f"{quoted(name)} = b.{quoted(name)}" for name in others)
            restored = self._dialect.change(
                f"UPDATE {self._table} AS t SET {values} FROM {before} AS b JOIN {after} AS a"
                f" ON {_same('a', 'b', key)} WHERE {_same('t', 'a', key)} AND NOT a.{fresh} AND {free}"
            )
        return Undone(deleted, restored, there - deleted - restored, total - there)

    def _untouched(self, image: Image) -> str:
        known = {self._found.fold(name) for name in image.columns}
        columns = (column.name for column in self._found.columns if not column.computed)
        added = [name for name in columns if self._found.fold(name) not in known]
        same = f"{self._dialect.digest(image.columns)} = a.{quoted(DIGEST)}"
        return " AND ".join([same, *(f"t.{quoted(name)} IS NULL" for name in added)])

    def _make(self, name: str, key: Sequence[str], *others: str) -> None:
        """Makes an empty temporary table with columns of the table, or our own, keyed by its key."""
        own = {DIGEST: "CAST(NULL AS bytea)", FRESH: "CAST(NULL AS boolean)"}
        parts = [f"{own[n] if n in own else 't.' + quoted(n)} AS {quoted(n)}" for n in (*key, *others)]
        self._database.execute(
            f"CREATE TEMPORARY TABLE {name} AS SELECT {', '.join(parts)} FROM {self._table} AS t LIMIT 0"
        )
        self._dialect.index(name, key)


def _same(left: str, right: str, key: Iterable[str]) -> str:
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in key)
