"""
SQLite: batches go as rows into STRICT tables, in one immediate transaction each, with the log written ahead (WAL).

SQLite has no decimals, dates or booleans, so that types are ours by convention: decimals are the text of their digits
with all of the scale; dates, times and timestamps are ISO 8601 text of a fixed width (`2024-01-31T23:59:59.000000Z`,
always in UTC), whose order is the order of time; booleans are 0 and 1; JSON is its text. What a column means is in
`_syncline_columns` (table_name, column_name, type), for people and for later evolution. One value changes: REAL has
no negative zero, and -0.0 is read back as 0.0, which is equal.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.database import Breach
from syncline.connectors.sql.limits import Limit, Limits
from syncline.connectors.sql.names import columns, matching, on_conflict, quoted
from syncline.connectors.sql.settings import SqliteSettings
from syncline.connectors.sql.sifting import writing_parts
from syncline.connectors.sql.sqlite import types
from syncline.connectors.sql.sqlite.compacting import compact
from syncline.connectors.sql.table import Column, Table
from syncline.model.errors import Again, Invalid, Stalled, SynclineError, foreign
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Rendered, Written
from syncline.sdk.private import create_private, make_private

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

#: Seconds to wait for another writer.
_BUSY = 30.0

_PART_ROWS = 10_000

#: Our table of what columns mean.
NOTES = "_syncline_columns"
_STAGE = "_syncline_stage"

#: How SQLite is told to overwrite what is deleted, by the number that it says it as.
_OVERWRITES = ("OFF", "ON", "FAST")

#: How SQLite keeps the statement that made a table: these words, then the name in any of its four ways to quote.
_CREATE = re.compile(
    r"""CREATE\s+TABLE\s+("([^"]|"")*" | '([^']|'')*' | `([^`]|``)*` | \[[^]]*\] | [^\s("'`\[]+)""",
    re.IGNORECASE | re.VERBOSE,
)

_CHECK = re.compile(r"\bCHECK\b", re.IGNORECASE)
_PARTLY_UNIQUE = re.compile(r"CREATE\s+UNIQUE\s.*(\bWHERE\b|\(.*\()", re.IGNORECASE | re.DOTALL)

#: How the error of a trigger begins; what follows are the words of whoever wrote it.
_TRIGGER = "SQLite: rows are refused by a trigger of the table: "

#: Whether a table has triggers.
_TRIGGERS = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower($1) LIMIT 1"

#: What SQLite says that stands against a row: only what was declared, but for the words of triggers.
_FAILED = re.compile(r"SQLite: (UNIQUE|NOT NULL|CHECK) constraint failed: (.*)", re.DOTALL)


class SqliteDatabase:
    """
    A connection to a database file. Where the file is missing there is nothing to see, and the first transaction makes
    it, with its folder.
    """

    place = ""
    locking = ""
    name_bytes = 128
    folds = True
    system_columns: frozenset[str] = frozenset()
    leftovers = ()
    instant = "%Y-%m-%dT%H:%M:%S.%fZ"

    def __init__(self, settings: SqliteSettings) -> None:
        self._path = settings.path
        self._made = settings.path.exists()
        self._connection = self._opened(settings.path if self._made else ":memory:")
        if not self._made:
            self._connection.execute("PRAGMA query_only = ON")  # what is written outside of a transaction isn't lost

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        with errors():
            connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
            try:
                # FULL: what is committed survives a loss of power. Legacy: views don't hinder a swap by rename.
                for pragma in ("journal_mode = WAL", "synchronous = FULL", "legacy_alter_table = ON"):
                    connection.execute(f"PRAGMA {pragma}")
            except BaseException:
                connection.close()
                raise
        return connection

    def _make(self) -> None:
        """Opens the file that was missing, and makes it unless somebody has."""
        try:
            make_private(self._path.parent)
            create_private(self._path)  # the files beside it (WAL) get the same permissions
        except OSError as error:
            raise Stalled(f"SQLite: {self._path.name} can't be made: {error.strerror}", code="SYN482") from None
        connection = self._opened(self._path)
        self._connection.close()
        self._connection, self._made = connection, True

    def version(self) -> str:
        """Name and version of the library; reading the schema proves that the file is a database."""
        self.execute("SELECT count(*) FROM sqlite_schema")
        return f"SQLite {sqlite3.sqlite_version}"

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement. `$1` is to SQLite the name of a parameter."""
        if not self._made and self._path.exists():  # somebody else has made it
            self._make()
        with errors():
            named = {str(number): value for number, value in enumerate(parameters, 1)}
            return self._connection.execute(statement, named).fetchall()

    def or_set(self, key: str, *names: str) -> str:
        """The end of an upsert."""
        return on_conflict(key, names)

    def execute_many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Runs a statement with `?` once a row; the number of rows that it changed."""
        with errors():
            return self._connection.executemany(statement, rows).rowcount

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction that is the only one to write from its start; see `Database.transaction`."""
        if not self._made:
            self._make()
        if not durable:
            self.execute("PRAGMA synchronous = NORMAL")
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(SynclineError):
                self.execute("ROLLBACK")
            raise
        finally:
            if not durable:
                self.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def wiping(self) -> Iterator[None]:
        """See `Wiping`. The log is left to who else reads or writes the file, where that is waited for in vain."""
        ((before,),) = self.execute("PRAGMA secure_delete")  # some builds of SQLite have it on
        self.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self.execute(f"PRAGMA secure_delete = {_OVERWRITES[before]}")
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def compact(self) -> str:
        """See `Compacting`."""
        noted = self.execute(f"SELECT DISTINCT lower(table_name) FROM {NOTES}") if self.exists(NOTES) else []
        return compact(self, frozenset(name for (name,) in noted))

    def lock_tables(self) -> None:
        """Nothing to do: an immediate transaction has the only lock there is."""

    def exists(self, table: str) -> bool:
        """Whether there is a table of that name, in any case."""
        found = self.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower($1)", (table,))
        return bool(found)

    def inspect(self, table: str) -> Table | None:
        """Columns, with the types that we noted, and unique keys."""
        found = self.execute("SELECT type, name FROM sqlite_schema WHERE lower(name) = lower($1)", (table,))
        if not found:
            return None
        if found[0][0] != "table":
            raise Invalid(f"{table!r} is not a table", code="SYN486", help="Write to another name.")
        noted = self._noted(table)
        attributes = self.execute(
            'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo($1) ORDER BY cid', (table,)
        )
        keys = self.execute(
            "SELECT i.name, c.name FROM pragma_index_list($1) i, pragma_index_info(i.name) c"
            ' WHERE i."unique" AND NOT i.partial',
            (table,),
        )
        indexes: dict[str, set[str]] = {}
        for index, column in keys:
            indexes.setdefault(index, set()).add(column)
        unique = {frozenset(names) for names in indexes.values()}
        unique.add(frozenset(name for name, *_, pk, _ in attributes if pk))
        key = {name for name, *_, pk, _ in attributes if pk}
        return Table(
            table,
            tuple(
                Column(name, types.known(type_, noted.get(name)), bool(notnull) and default is None, hidden > 1)
                for name, type_, notnull, default, _, hidden in attributes
            ),
            frozenset(unique - {frozenset()}),
            folds=True,
            strict=any((notnull and name not in key) or hidden > 1 for name, _, notnull, _, _, hidden in attributes)
            or self._guarded(table),
        )

    def _guarded(self, table: str) -> bool:
        """Whether a table has checks that aren't ours, triggers or unique indexes of some of its rows."""
        made = self.execute(
            "SELECT type, sql FROM sqlite_schema WHERE lower(tbl_name) = lower($1) AND sql IS NOT NULL", (table,)
        )
        return any(
            kind == "trigger"
            or (kind == "table" and _CHECK.search(types.without_checks(sql)) is not None)
            or (kind == "index" and _PARTLY_UNIQUE.match(sql) is not None)
            for kind, sql in made
        )

    def trial(
        self, table: str, frame: pl.DataFrame, schema: Schema, *, keyed: bool
    ) -> Callable[[int, int], Breach | None]:
        """See `Trying`."""
        return writing_parts(self, table, frame, schema, keyed=keyed, broken=_broken)

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column of an existing type holds every value of the declared type."""
        return types.holds(existing, declared)

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """What a column doesn't hold; see `Database.narrowed`."""
        del existing, field, unique  # no length is held to
        return None

    def prepare(self) -> None:
        """Makes the table of types."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {NOTES} (table_name TEXT NOT NULL, column_name TEXT NOT NULL,"
            " type TEXT NOT NULL, PRIMARY KEY (table_name, column_name)) STRICT, WITHOUT ROWID"
        )

    def create(self, table: str, schema: Schema, *, keyed: bool) -> None:
        """Creates a STRICT table."""
        key = schema.key if keyed else ()
        parts = [types.declaration(field) + (" NOT NULL" if field.name in key else "") for field in schema.fields]
        if key:
            parts.append(f"PRIMARY KEY ({columns(key)})")
        self.execute(f"CREATE TABLE {quoted(table)} ({', '.join(parts)}) STRICT")
        self._note(table, schema.fields)

    def add(self, table: str, fields: Sequence[Field]) -> None:
        """Adds columns."""
        for field in fields:
            self.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {types.declaration(field)}")
        self._note(table, fields)

    def drop(self, table: str) -> None:
        """Drops a table."""
        self.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def render(self, frame: pl.DataFrame, schema: Schema) -> Rendered:
        """Nothing to do ahead: rows become Python's values while they are inserted."""
        del schema
        return Rendered(frame)

    def append(self, table: str, rows: Rendered, schema: Schema) -> int:
        """Inserts rows."""
        insert = _insert(table, schema)
        return sum(self.execute_many(insert, part) for part in _parts(rows.frame, schema))

    def merge(self, table: str, rows: Rendered, schema: Schema) -> Written:
        """
        Inserts the rows whose key isn't there yet; if some were, goes over all of them again and updates where a value
        differs. SQLite doesn't tell an insert from an update: so both are counted exactly, and a first load costs
        one pass only. A trigger may leave rows out by RAISE(IGNORE): of those that weren't there, the ones that aren't
        inserted, nor there for another reason.
        """
        conflict = f"{_insert(table, schema)} ON CONFLICT ({columns(schema.key)})"
        others = [name for name in schema.names if name not in schema.key]
        assignments = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in others)
        differs = " OR ".join(f"t.{quoted(name)} IS NOT excluded.{quoted(name)}" for name in others)
        triggered = bool(self.execute(_TRIGGERS, (table,)))
        inserted = updated = left_out = 0
        for part in _parts(rows.frame, schema):
            lacking = self._absent(table, part, schema) if triggered else 0
            new = self.execute_many(f"{conflict} DO NOTHING", part)
            if new < len(part) and others:
                updated += self.execute_many(f"{conflict} DO UPDATE SET {assignments} WHERE {differs}", part)
            inserted += new
            if lacking > new:
                left_out += min(lacking - new, self._absent(table, part, schema))
        return Written(inserted, updated, rows.frame.height - inserted - updated - left_out, left_out=left_out)

    def _absent(self, table: str, rows: list[tuple[Any, ...]], schema: Schema) -> int:
        """How many keys of some rows aren't in a table."""
        at = [schema.names.index(name) for name in schema.key]
        same = " AND ".join(f"{quoted(name)} = ${number}" for number, name in enumerate(schema.key, 1))
        query = f"SELECT 1 FROM {quoted(table)} WHERE {same}"
        return sum(not self.execute(query, key) for key in {tuple(row[i] for i in at) for row in rows})

    def remove(self, table: str, keys: Rendered, schema: Schema, mark: str) -> int:
        """Deletes rows by key, or marks those that aren't yet."""
        same = " AND ".join(f"{quoted(name)} = ?" for name in schema.names)
        statement = f"DELETE FROM {quoted(table)} WHERE {same}"
        if mark:
            now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"
            statement = f"UPDATE {quoted(table)} SET {quoted(mark)} = {now} WHERE {same} AND {quoted(mark)} IS NULL"
        return sum(self.execute_many(statement, part) for part in _parts(keys.frame, schema))

    def sweep(self, table: str, where: str) -> int:
        """Deletes rows by a condition."""
        return self.execute_many(f"DELETE FROM {quoted(table)} AS t WHERE {where}", [()])

    def compare(
        self, table: str, rows: Rendered, schema: Schema, absent: Collection[str], mark: str = ""
    ) -> tuple[int, int]:
        """Puts rows into a temporary table in memory, and joins it."""
        self.keep_aside_in_memory()
        self.execute("BEGIN")
        try:
            self.stage(_STAGE, rows, schema)
            query = matching(f"main.{quoted(table)}", f"temp.{_STAGE}", schema, "{} IS NOT {}", absent, mark)
            ((matched, differing),) = self.execute(query)
            return matched, differing
        finally:
            self.execute("ROLLBACK")

    def keep_aside_in_memory(self) -> None:
        """Has temporary tables be made in memory, outside of a transaction: on a disk their rows would be in clear."""
        self.execute("PRAGMA temp_store = MEMORY")

    def stage(self, name: str, rows: Rendered, schema: Schema) -> None:
        """Puts rows into a temporary table that isn't there yet."""
        declared = ", ".join(types.declaration(field) for field in schema.fields)
        marks = ", ".join("?" * len(schema.fields))
        self.execute(f"CREATE TEMP TABLE {name} ({declared}) STRICT")
        for part in _parts(rows.frame, schema):
            self.execute_many(f"INSERT INTO temp.{name} VALUES ({marks})", part)

    def define(self, name: str, function: Callable[..., bytes]) -> None:
        """Gives SQL a function that gives the same for the same."""
        with errors():
            self._connection.create_function(name, -1, function, deterministic=True)

    def clone(self, table: str, shadow: str) -> None:
        """Creates an empty table by the statement that created another, under the new name."""
        ((statement,),) = self.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower($1)", (table,)
        )
        named = _CREATE.match(statement)
        if named is None:
            raise Invalid(f"{table!r} is not a plain table", code="SYN486", help="Write to another name.")
        self.execute(f"CREATE TABLE {quoted(shadow)} {statement[named.end() :]}")

    def swap(self, table: str, shadow: str) -> None:
        """Renames the shadow into the place of the table, which is dropped: indexes are made again, triggers lost."""
        indexes = self.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'index' AND lower(tbl_name) = lower($1) AND sql IS NOT NULL",
            (table,),
        )
        self.execute(f"DROP TABLE {quoted(table)}")
        self.execute(f"ALTER TABLE {quoted(shadow)} RENAME TO {quoted(table)}")
        for (statement,) in indexes:
            self.execute(statement)

    def mend(self, table: str, shadow: str) -> None:
        """Nothing: names change with the transaction."""

    def limits(self, schema: Schema, *, keyed: bool) -> Limits:
        """Values that can't be held."""
        return types.limits(schema, keyed=keyed)

    def cut(self) -> None:
        """Nothing: a file of this machine is waited for no longer than its lock, for which there is a time-out."""

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _noted(self, table: str) -> dict[str, str]:
        if not self.exists(NOTES):
            return {}
        return dict(self.execute(f"SELECT column_name, type FROM {NOTES} WHERE table_name = $1", (table.lower(),)))

    def _note(self, table: str, fields: Sequence[Field]) -> None:
        self.execute_many(
            f"INSERT OR REPLACE INTO {NOTES} VALUES (?, ?, ?)",
            [(table.lower(), field.name, str(field.type)) for field in fields],
        )


def _parts(frame: pl.DataFrame, schema: Schema) -> Iterator[list[tuple[Any, ...]]]:
    """Rows as they are stored, some at a time: as Python objects they take ten times the memory of columns."""
    for rows in frame.iter_slices(_PART_ROWS):
        yield types.stored(rows, schema).rows()


def _insert(table: str, schema: Schema) -> str:
    marks = ", ".join("?" * len(schema.fields))
    return f"INSERT INTO {quoted(table)} AS t ({columns(schema.names)}) VALUES ({marks})"


def _broken(error: Invalid) -> Breach:
    if error.message.startswith(_TRIGGER):
        return Breach("", f"is refused by a trigger: {error.message.removeprefix(_TRIGGER)}")
    found = _FAILED.fullmatch(error.message)
    if found is None:
        return Breach("", "is refused by SQLite: a reference, or a value that it can't hold")
    kind, what = found[1], found[2]
    if kind == "CHECK":
        return Breach("", f"breaks the check {what}")
    # `table.column` for each.
    names = [name.rpartition(".")[2] for name in what.split(", ")]
    column = names[0] if len(names) == 1 and not what.startswith("index ") else ""
    return Breach(column, "may not be null" if kind == "NOT NULL" else f"breaks the unique key ({', '.join(names)})")


@contextmanager
def errors() -> Iterator[None]:
    """SQLite's errors as ours, by primary result code ("Result and Error Codes" of its documentation)."""
    try:
        yield
    except sqlite3.Error as error:
        message, code = f"SQLite: {error}", getattr(error, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
            message = f"{_TRIGGER}{foreign(str(error))}"
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_INTERRUPT:
                raise Again(message, code="SYN488") from None
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_AUTH:
                raise Stalled(message, code="SYN482", help="Check the file's place and permissions.") from None
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                raise Stalled(message, code="SYN490") from None
            case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH:
                raise Invalid(message, code="SYN486", help="Check values, or change the table.") from None
            case sqlite3.SQLITE_FULL:
                raise Stalled(message, code="SYN491", help="Make space on the disk and run again.") from None
            case sqlite3.SQLITE_TOOBIG:
                raise Invalid(message, code="SYN485", help="Reject the rows.") from None
            case _:
                raise Stalled(message, code="SYN491") from None
