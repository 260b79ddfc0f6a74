"""
DuckDB: batches are looked at where they are, as Arrow columns, and inserted or joined from there.

One process has a file at a time, and one transaction of it writes: a second process waits for the file, a second thread
for the first one's transaction, as it would for SQLite. So nothing that is written ever meets a conflict.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from syncline.connectors.sql.duckdb import types
from syncline.connectors.sql.limits import Limit, Limits
from syncline.connectors.sql.names import columns, matching, on_conflict, quoted
from syncline.connectors.sql.narrow import whole
from syncline.connectors.sql.reading import no_query
from syncline.connectors.sql.settings import DuckdbSettings
from syncline.connectors.sql.table import Column, Table
from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Rendered, Written
from syncline.sdk.private import make_private

if TYPE_CHECKING:
    import duckdb
    import polars as pl

#: Seconds to wait for another process to give the file up, and between two looks.
_BUSY, _LOOK = 30.0, 0.1

#: What the library says of a file that another process has.
_HELD = "Could not set lock"

#: What a batch is called while it is looked at.
_STAGE = "_syncline_stage"

_COLUMNS = """
SELECT column_name, data_type, NOT is_nullable AND column_default IS NULL FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = 'main' AND lower(table_name) = lower($1)
ORDER BY column_index
"""

_KEYS = """
SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = current_database()
  AND schema_name = 'main' AND lower(table_name) = lower($1) AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
UNION ALL
SELECT string_split(trim(expressions, '[]'), ', ') FROM duckdb_indexes() WHERE database_name = current_database()
  AND schema_name = 'main' AND lower(table_name) = lower($1) AND is_unique
"""

#: What is said of a file after rows were deleted.
_STAYS: Final = (
    "blocks of the file have deleted rows until DuckDB writes them anew: a copy by `COPY FROM DATABASE` has none"
)
#: Who writes to which file of this process: the library has one database for all connections to a file as well.
_WRITING: Final[defaultdict[Path, threading.Lock]] = defaultdict(threading.Lock)


class DuckdbDatabase:
    """
    A connection to a database file. Where the file is missing there is nothing to see, and the first transaction makes
    it, with its folder.
    """

    place = ""
    locking = ""
    name_bytes = 128
    folds = True
    system_columns = frozenset({"rowid"})
    leftovers = ()
    instant = "%Y-%m-%d %H:%M:%S.%f+00:00"

    def __init__(self, settings: DuckdbSettings) -> None:
        self._path = settings.path
        self._made = settings.path.exists()
        self._connection = self._opened(settings.path if self._made else None)

    def _opened(self, path: Path | None) -> duckdb.DuckDBPyConnection:
        connection = _connect(path)
        with _errors():
            connection.execute("SET TimeZone = 'UTC'")
            # Or a query could read and write any file, or load code.
            connection.execute("SET enable_external_access = false")
        return connection

    def _make(self) -> None:
        """Opens the file that was missing, and makes it unless somebody has."""
        connection = self._opened(self._path)
        self._connection.close()
        self._connection, self._made = connection, True

    def version(self) -> str:
        """Name and version of the library."""
        return f"DuckDB {str(self.execute('SELECT version()')[0][0]).removeprefix('v')}"

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement."""
        if not self._made and self._path.exists():  # somebody else has made it
            self._make()
        with _errors():
            return self._connection.execute(statement, list(parameters) or None).fetchall()

    def execute_one(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement of a person, which might be several."""
        with _errors():
            if len(self._connection.extract_statements(statement)) != 1:
                raise no_query("DuckDB: the query is more than one statement")
        return self.execute(statement, parameters)

    def or_set(self, key: str, *names: str) -> str:
        """The end of an upsert."""
        return on_conflict(key, names)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction that is the only one of the file to write, from its start. Always durable."""
        del durable
        with _WRITING[self._path]:
            if not self._made:
                self._make()
            self.execute("BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                with suppress(SynclineError):
                    self.execute("ROLLBACK")
                raise

    def compact(self) -> str:
        """See `Compacting`. What the log beside the file has goes; the library rewrites no block because of deletes."""
        with suppress(SynclineError):  # others are in a transaction: their commits do it
            self.execute("CHECKPOINT")
        return _STAYS

    def lock_tables(self) -> None:
        """Nothing to do: a transaction has the only lock there is."""

    def exists(self, table: str) -> bool:
        """Whether there is a table of that name, in any case."""
        found = (
            "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND lower(table_name) = lower($1)"
        )
        return bool(self.execute(found, (table,)))

    def inspect(self, table: str) -> Table | None:
        """Columns and unique keys."""
        if not self.exists(table):
            views = "SELECT 1 FROM duckdb_views() WHERE NOT internal AND lower(view_name) = lower($1)"
            if self.execute(views, (table,)):
                raise Invalid(f"{table!r} is not a table", code="SYN486", help="Write to another name.")
            return None
        keys = [[_plain(name) for name in names] for (names,) in self.execute(_KEYS, (table,))]
        return Table(
            table,
            tuple(Column(name, type_, bool(required)) for name, type_, required in self.execute(_COLUMNS, (table,))),
            frozenset(frozenset(names) for names in keys),
            folds=True,
        )

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column of an existing type holds every value of the declared type."""
        return types.holds(existing, declared)

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """What a column doesn't hold; see `Database.narrowed`."""
        del unique
        return whole(field, existing)

    def prepare(self) -> None:
        """Nothing: tables are in the schema `main`, which is there."""

    def create(self, table: str, schema: Schema, *, keyed: bool) -> None:
        """Creates a table."""
        key = schema.key if keyed else ()
        parts = [types.declaration(field) + (" NOT NULL" if field.name in key else "") for field in schema.fields]
        if key:
            parts.append(f"PRIMARY KEY ({columns(key)})")
        self.execute(f"CREATE TABLE {quoted(table)} ({', '.join(parts)})")

    def add(self, table: str, fields: Sequence[Field]) -> None:
        """Adds columns."""
        for field in fields:
            self.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {types.declaration(field)}")

    def drop(self, table: str) -> None:
        """Drops a table."""
        self.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def render(self, frame: pl.DataFrame, schema: Schema) -> Rendered:
        """Nothing to do ahead: columns are read as they are."""
        del schema
        return Rendered(frame)

    def append(self, table: str, rows: Rendered, schema: Schema) -> int:
        """Inserts rows."""
        with self.staged(rows, schema) as stage:
            names = columns(schema.names)
            return self.change(f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM {stage} AS s")

    def merge(self, table: str, rows: Rendered, schema: Schema) -> Written:
        """Updates the rows in which a value differs, and inserts those whose key isn't there."""
        others = [name for name in schema.names if name not in schema.key]
        same = _same(schema)
        updated = 0
        with self.staged(rows, schema) as stage:
            if others:
                set_ = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in others)
                differs = " OR ".join(f"t.{quoted(name)} IS DISTINCT FROM s.{quoted(name)}" for name in others)
                updated = self.change(
                    f"UPDATE {quoted(table)} AS t SET {set_} FROM {stage} AS s WHERE {same} AND ({differs})"
                )
            inserted = self.change(
                f"INSERT INTO {quoted(table)} ({columns(schema.names)}) SELECT {columns(schema.names)}"
                f" FROM {stage} AS s WHERE NOT EXISTS (SELECT 1 FROM {quoted(table)} AS t WHERE {same})"
            )
        return Written(inserted, updated, rows.frame.height - inserted - updated)

    def remove(self, table: str, keys: Rendered, schema: Schema, mark: str) -> int:
        """Deletes rows by key, or marks those that aren't yet."""
        same = _same(schema)
        with self.staged(keys, schema) as stage:
            if mark:
                column = quoted(mark)
                return self.change(
                    f"UPDATE {quoted(table)} AS t SET {column} = now() FROM {stage} AS s"
                    f" WHERE {same} AND t.{column} IS NULL"
                )
            return self.change(f"DELETE FROM {quoted(table)} AS t USING {stage} AS s WHERE {same}")

    def sweep(self, table: str, where: str) -> int:
        """Deletes rows by a condition."""
        return self.change(f"DELETE FROM {quoted(table)} AS t WHERE {where}")

    def compare(
        self, table: str, rows: Rendered, schema: Schema, absent: Collection[str], mark: str = ""
    ) -> tuple[int, int]:
        """Joins the rows."""
        with self.staged(rows, schema) as stage:
            query = matching(quoted(table), stage, schema, "{} IS DISTINCT FROM {}", absent, mark)
            ((matched, differing),) = self.execute(query)
            return matched, differing

    def clone(self, table: str, shadow: str) -> None:
        """Creates an empty table by the statement that would create another, under the new name."""
        ((statement, name),) = self.execute(
            "SELECT sql, table_name FROM duckdb_tables() WHERE database_name = current_database()"
            " AND lower(table_name) = lower($1)",
            (table,),
        )
        _, _, rest = str(statement).partition("(")
        if "(" in name:
            raise Invalid(f"{table!r} can't be replaced for its name", code="SYN483", help="Choose another name.")
        self.execute(f"CREATE TABLE {quoted(shadow)} ({rest}")

    def swap(self, table: str, shadow: str) -> None:
        """Renames the shadow into the place of the table, which is dropped; indexes are made again."""
        indexes = self.execute(
            "SELECT sql FROM duckdb_indexes() WHERE database_name = current_database()"
            " AND lower(table_name) = lower($1) AND sql IS NOT NULL",
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
        """Has the statement that is under way raise."""
        self._connection.interrupt()

    def close(self) -> None:
        """Closes the connection; what is open in it is rolled back."""
        self._connection.close()

    def change(self, statement: str) -> int:
        """Runs a statement that changes rows; the number of them."""
        ((count,),) = self.execute(statement)
        return int(count)

    @contextmanager
    def staged(self, rows: Rendered, schema: Schema) -> Iterator[str]:
        """Rows as a table of the schema's types, for the time of the block. JSON is text as it comes."""
        values = ", ".join(
            f"CAST({quoted(field.name)} AS {types.column_type(field.type)}) AS {quoted(field.name)}"
            for field in schema.fields
        )
        with self.beside(rows.frame) as stage:
            yield f"(SELECT {values} FROM {stage})"

    @contextmanager
    def beside(self, frame: pl.DataFrame) -> Iterator[str]:
        """A frame as a table, for the time of the block; its name."""
        with _errors():
            self._connection.register(_STAGE, frame)
        try:
            yield _STAGE
        finally:
            with suppress(SynclineError), _errors():  # after an error, it goes with the next one of this name
                self._connection.unregister(_STAGE)


def _same(schema: Schema) -> str:
    return " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in schema.key)


def _plain(name: str) -> str:
    """A name as it is, of one as it may be quoted in the text of an index."""
    name = name.strip("'")
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _connect(path: Path | None) -> duckdb.DuckDBPyConnection:
    """A connection to a file, or to nothing."""
    try:
        import duckdb
    except ImportError:
        raise Stalled(
            "DuckDB needs the package duckdb, which isn't installed",
            code="SYN716",
            help="Install syncline with it: pip install 'syncline[duckdb]'.",
        ) from None
    if path is None:
        return duckdb.connect()
    try:
        make_private(path.parent)
    except OSError as error:
        raise Stalled(f"DuckDB: {path.name} can't be made: {error.strerror}", code="SYN482") from None
    fresh, deadline = not path.exists(), time.monotonic() + _BUSY
    while True:
        try:
            connection = duckdb.connect(path)
        except duckdb.IOException as error:
            if _HELD in str(error) and time.monotonic() < deadline:
                time.sleep(_LOOK)
                continue
            raise _unopened(path, str(error)) from None
        except duckdb.Error as error:
            raise _unopened(path, str(error)) from None
        if fresh:
            with suppress(OSError):
                path.chmod(0o600)
        return connection


def _unopened(path: Path, message: str) -> SynclineError:
    if _HELD in message:
        return Again(
            f"DuckDB: another process has {path.name}", code="SYN488", help="One process has a file at a time."
        )
    if "not a valid" in message or "corrupt" in message.lower():
        return Stalled(f"DuckDB: {path.name} is no database of DuckDB, or is damaged", code="SYN490")
    first = message.partition("\n")[0]
    return Stalled(f"DuckDB: {first}", code="SYN482", help="Check the file's place and permissions.")


@contextmanager
def _errors() -> Iterator[None]:
    """DuckDB's errors as ours, by their kind. Its messages about values quote them, and are left out."""
    import duckdb

    try:
        yield
    except (duckdb.InterruptException, duckdb.TransactionException) as error:
        raise Again(f"DuckDB: {error}", code="SYN488") from None
    except duckdb.ConnectionException:
        raise Again("DuckDB: the connection is closed", code="SYN480") from None
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        raise Invalid(
            f"a value that DuckDB can't hold ({type(error).__name__})",
            code="SYN485",
            help="Reject the rows, or map the value to one that fits.",
        ) from None
    except duckdb.ConstraintException as error:
        kind = str(error).removeprefix("Constraint Error: ").partition(":")[0].partition('"')[0].strip()
        raise Invalid(
            f"rows break a constraint of the table ({kind})",
            code="SYN486",
            help="Check values in the mapping, so that such rows become rejects, or change the constraint.",
        ) from None
    except duckdb.DependencyException as error:
        raise Invalid(f"DuckDB: {error}", code="SYN486", help="Drop what depends on it, or don't replace.") from None
    except duckdb.ParserException as error:
        first = str(error).partition("\n")[0]
        raise no_query(f"DuckDB: {first}") from None
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        first = str(error).partition("\n")[0]
        raise Stalled(
            f"DuckDB: {first}", code="SYN491", help="Look at the disk and at memory, and run again."
        ) from None
    except duckdb.Error as error:
        first = str(error).partition("\n")[0]
        raise Stalled(f"DuckDB: {first}", code="SYN491") from None
