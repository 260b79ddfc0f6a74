"""
MariaDB: batches go as CSV by LOAD DATA LOCAL, into the table (append) or a temporary one that is merged (upsert).

Making, altering and renaming tables commits what was done before, so that a transaction which does so has parts. Their
order is such that a kill between two of them leaves what the next run goes on from; `swap` keeps the old table until
the transaction is committed, and `mend` brings it back where it wasn't. Tables are dropped last.

Measured on two cores, 240,000 rows of 20 columns in batches of 80,000: a first load 2.2 s, of which the temporary table
takes 1.4 s; with a temporary table of InnoDB instead of Aria 2.5 s, by UPDATE and INSERT of joins 2.7 s. LOAD DATA
straight into the table takes 1.6 s.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.limits import Limit, Limits
from syncline.connectors.sql.mariadb import types
from syncline.connectors.sql.mariadb.errors import broken, translated
from syncline.connectors.sql.mariadb.session import connect, errors, filled
from syncline.connectors.sql.names import columns, matching, quoted
from syncline.connectors.sql.sifting import writing_parts
from syncline.connectors.sql.table import Column, Table
from syncline.model.errors import Again, Invalid, SynclineError
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Rendered, Written

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.sql.database import Breach
    from syncline.connectors.sql.settings import MariadbSettings


#: Seconds to wait for the lock on tables.
_LOCK = 60

#: Seconds after which a session of ours that holds the lock on tables and says nothing is ended by who waits for it.
#: Its machine may be cut off, which the server doesn't notice for hours where no transaction is open.
_SILENT = 30

_HOLDER = """
SELECT id FROM information_schema.processlist
WHERE id = is_used_lock($1) AND command = 'Sleep' AND time >= $2
"""

#: About 2 MB of CSV at 200 bytes a row.
_PART_ROWS = 10_000

_STAGE = "_syncline_stage"

#: What a replaced table is called until the transaction that replaced it is committed.
_OLD = "__syncline_old"

_COLUMNS = """
SELECT column_name, column_type, collation_name, column_comment,
  is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%',
  extra LIKE '%GENERATED%'
FROM information_schema.columns WHERE table_schema = database() AND table_name = $1 ORDER BY ordinal_position
"""

_KEYS = """
SELECT index_name, column_name, sub_part IS NULL FROM information_schema.statistics
WHERE table_schema = database() AND table_name = $1 AND non_unique = 0 ORDER BY index_name, seq_in_index
"""

#: Whether more than unique keys may stand against a row.
_STRICT = """
SELECT 1 FROM information_schema.columns c WHERE c.table_schema = database() AND c.table_name = $1
  AND (c.extra LIKE '%GENERATED%' OR c.is_nullable = 'NO' AND c.column_key <> 'PRI')
UNION ALL SELECT 1 FROM information_schema.table_constraints
  WHERE table_schema = database() AND table_name = $1 AND constraint_type IN ('CHECK', 'FOREIGN KEY')
UNION ALL SELECT 1 FROM information_schema.triggers WHERE event_object_schema = database() AND event_object_table = $1
LIMIT 1
"""

_REFERENCES = """
SELECT constraint_name, table_name FROM information_schema.referential_constraints
WHERE constraint_schema = database() AND referenced_table_name = $1 AND table_name <> $1
"""

_DUPLICATES = re.compile(r"Duplicates: (\d+)")


class MariadbDatabase:
    """A connection to a database of a server."""

    place = ""
    locking = " FOR UPDATE"
    name_bytes = types.NAME_BYTES
    folds = True
    system_columns: frozenset[str] = frozenset()
    leftovers = (_OLD,)
    instant = "%Y-%m-%d %H:%M:%S.%f"

    def __init__(self, settings: MariadbSettings) -> None:
        self._connection = connect(settings)
        self._lock = "syncline:" + hashlib.sha256(settings.database.encode()).hexdigest()[:48]
        self._locked = False
        self._open = False
        self._swapped: list[tuple[str, str]] = []
        self._dropping: list[str] = []

    def version(self) -> str:
        """Name and version of the server."""
        version = str(self.execute("SELECT version()")[0][0])
        return f"MariaDB {version.partition('-')[0]}"

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement."""
        return self._run(statement, parameters)[1]

    def copy(self, statement: str, parts: Sequence[bytes], rows: int) -> None:
        """
        Runs LOAD DATA LOCAL. What it can't take is a warning to it and an error here: so is a row that isn't there
        after it.
        """
        self._connection.loading = parts
        loaded, _ = self._run(statement)
        told = self._connection.told()
        if loaded == rows and told.endswith("Warnings: 0"):
            return
        warnings = self.execute("SHOW WARNINGS LIMIT 1")
        raise translated(int(warnings[0][1]), str(warnings[0][2])) if warnings else translated(1265, "")

    def or_set(self, key: str, *names: str) -> str:
        """The end of an upsert."""
        return "ON DUPLICATE KEY UPDATE " + ", ".join(
            f"{quoted(name)} = VALUES({quoted(name)})" for name in names or (key,)
        )

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction, or several one after another where tables are made; see above. Always durable."""
        del durable
        self._swapped.clear()
        self._dropping.clear()
        self.execute("BEGIN")
        self._open = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._dropping.clear()
            with suppress(SynclineError):
                self.execute("ROLLBACK")
                while self._swapped:
                    self._swap_back(*self._swapped.pop())
            raise
        finally:
            self._open = False
            for table in self._dropping:
                with suppress(SynclineError):  # a table that stays is dropped when its name is next needed
                    self.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
            self._unlock()

    def lock_tables(self) -> None:
        """A lock by name, until the transaction ends; commits in between don't give it up."""
        if self._locked:
            return
        if not self._taken():
            self._end_silent()
            if not self._taken():
                raise Again("MariaDB: another run is making tables", code="SYN488")
        self._locked = True

    def exists(self, table: str) -> bool:
        """Whether there is a table or view of that name."""
        found = "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = $1"
        return bool(self.execute(found, (table,)))

    def inspect(self, table: str) -> Table | None:
        """Columns and unique keys."""
        found = "SELECT table_type FROM information_schema.tables WHERE table_schema = database() AND table_name = $1"
        kinds = self.execute(found, (table,))
        if not kinds:
            return None
        if kinds[0][0] != "BASE TABLE":
            raise Invalid(f"{table!r} is not a table", code="SYN486", help="Write to another name.")
        attributes = self.execute(_COLUMNS, (table,))
        keys = self._keys(table)
        wide = {name for name, type_, *_ in attributes if type_.startswith(("varchar", "varbinary"))}

        def width(name: str) -> int:
            return min((len(wide & key) for key in keys if name in key), default=0)

        return Table(
            table,
            tuple(
                Column(name, types.shown(type_, collation, comment, width(name)), bool(required), bool(computed))
                for name, type_, collation, comment, required, computed in attributes
            ),
            frozenset(keys),
            folds=True,
            strict=bool(self.execute(_STRICT, (table,))),
        )

    def trial(
        self, table: str, frame: pl.DataFrame, schema: Schema, *, keyed: bool
    ) -> Callable[[int, int], Breach | None]:
        """See `Trying`."""

        def found(error: Invalid) -> Breach:
            return broken(error, schema.names)

        return writing_parts(self, table, frame, schema, keyed=keyed, broken=found)

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column of an existing type holds every value of the declared type."""
        return types.holds(existing, declared)

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """What a column doesn't hold; see `Database.narrowed`."""
        return types.narrowed(existing, field, unique=unique)

    def prepare(self) -> None:
        """Nothing: the database is there, or nobody could have connected to it."""

    def create(self, table: str, schema: Schema, *, keyed: bool) -> None:
        """Creates a table."""
        key = schema.key if keyed else ()
        parts = [types.declaration(field, schema, key) for field in schema.fields]
        if key:
            parts.append(f"PRIMARY KEY ({columns(key)})")
        self._drop_now(table)
        self._define(f"CREATE TABLE {quoted(table)} ({', '.join(parts)}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC {_TEXT}")

    def add(self, table: str, fields: Sequence[Field]) -> None:
        """Adds columns."""
        added = Schema(tuple(fields))
        parts = ", ".join(f"ADD COLUMN {types.declaration(field, added, ())}" for field in fields)
        self._define(f"ALTER TABLE {quoted(table)} {parts}")

    def drop(self, table: str) -> None:
        """Drops a table once the transaction is committed, or when its name is needed for another."""
        self._dropping.append(table)

    def render(self, frame: pl.DataFrame, schema: Schema) -> Rendered:
        """Rows as the text that LOAD DATA takes."""
        del schema
        digest, parts = hashlib.sha256(), []
        for rows in frame.iter_slices(_PART_ROWS):
            part = _csv(rows)
            digest.update(part)
            parts.append(part)
        return Rendered(frame, tuple(parts), digest.digest())

    def append(self, table: str, rows: Rendered, schema: Schema) -> int:
        """Loads rows into a table."""
        self._load(table, rows, schema)
        return rows.frame.height

    def merge(self, table: str, rows: Rendered, schema: Schema) -> Written:
        """Loads rows into a temporary table, and merges them by key."""
        self.staged(rows, schema)
        return self.merge_staged(table, rows.frame.height, schema)

    def merge_staged(self, table: str, given: int, schema: Schema) -> Written:
        """Merges the rows of the temporary table."""
        if len(self._keys(table)) == 1:
            return self._merge_by_any_key(table, given, schema)
        return self._merge_by_joins(table, given, schema)

    def remove(self, table: str, keys: Rendered, schema: Schema, mark: str) -> int:
        """Loads keys into a temporary table, and deletes or marks their rows."""
        self.staged(keys, schema)
        joined = f"{quoted(table)} AS t JOIN {_STAGE} AS s ON {_same(schema)}"
        if mark:
            count, _ = self._run(
                f"UPDATE {joined} SET t.{quoted(mark)} = utc_timestamp(6) WHERE t.{quoted(mark)} IS NULL"
            )
        else:
            count, _ = self._run(f"DELETE t FROM {joined}")
        return count

    def sweep(self, table: str, where: str) -> int:
        """Deletes rows by a condition."""
        count, _ = self._run(f"DELETE t FROM {quoted(table)} AS t WHERE {where}")
        return count

    def compare(
        self, table: str, rows: Rendered, schema: Schema, absent: Collection[str], mark: str = ""
    ) -> tuple[int, int]:
        """Loads rows into a temporary table, and joins it."""
        with self.transaction(durable=False):
            self.staged(rows, schema)
            query = matching(quoted(table), _STAGE, schema, "NOT ({} <=> {})", absent, mark)
            ((matched, differing),) = self.execute(query)
            return int(matched), int(differing)

    def clone(self, table: str, shadow: str) -> None:
        """Creates an empty table with the columns, defaults, checks and indexes of another."""
        for name in (table + _OLD, shadow):
            self._define(f"DROP TABLE IF EXISTS {quoted(name)}")
            self._dropping = [dropping for dropping in self._dropping if dropping != name]
        self._define(f"CREATE TABLE {quoted(shadow)} LIKE {quoted(table)}")

    def swap(self, table: str, shadow: str) -> None:
        """
        Renames both in one step that no reader and no crash sees the middle of; the old table goes after the commit.

        Kept: grants and views, which go by name. Lost: foreign keys and triggers. A foreign key of another table that
        points here makes it `Invalid`.
        """
        if found := self.execute(_REFERENCES, (table,)):
            raise Invalid(
                f"table {table!r} can't be replaced: the foreign key {found[0][0]!r} of {found[0][1]!r} points to it",
                code="SYN486",
                help="Drop what depends on it, or don't replace.",
            )
        old = table + _OLD
        self._define(f"RENAME TABLE {quoted(table)} TO {quoted(old)}, {quoted(shadow)} TO {quoted(table)}")
        self._swapped.append((table, shadow))
        self.drop(old)

    def mend(self, table: str, shadow: str) -> None:
        """Brings the old table back where a run was killed between its swap and its commit."""
        if self.exists(table + _OLD) and not self.exists(shadow):
            self._swap_back(table, shadow)

    def limits(self, schema: Schema, *, keyed: bool) -> Limits:
        """Values that can't be held."""
        return types.limits(schema, keyed=keyed)

    def cut(self) -> None:
        """Shuts the connection's socket down: a wait for the server ends, and the server rolls back."""
        self._connection.cut()

    def close(self) -> None:
        """Closes the connection; what is open in it is rolled back."""
        from syncline.connectors.sql.mariadb.wire import Error

        with suppress(Error, OSError):
            self._connection.close()

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> tuple[int, list[tuple[Any, ...]]]:
        """How many rows a statement changed or gave, and the rows."""
        with errors(), self._connection.cursor() as cursor:
            count = cursor.execute(*filled(statement, parameters))
            return int(count or 0), list(cursor.fetchall()) if cursor.description else []

    def _define(self, statement: str) -> None:
        """Runs a statement that commits what was done before it; what comes after it is in a transaction again."""
        self.execute(statement)
        if self._open:
            self.execute("BEGIN")

    def _drop_now(self, table: str) -> None:
        if table in self._dropping:
            self._dropping.remove(table)
            self._define(f"DROP TABLE IF EXISTS {quoted(table)}")

    def _swap_back(self, table: str, shadow: str) -> None:
        old = table + _OLD
        self._dropping = [dropping for dropping in self._dropping if dropping != old]
        self._define(f"RENAME TABLE {quoted(table)} TO {quoted(shadow)}, {quoted(old)} TO {quoted(table)}")

    def _taken(self) -> bool:
        """Whether the lock on tables is given within half of the time that there is for it."""
        return self.execute(f"SELECT get_lock($1, {_LOCK // 2})", (self._lock,)) == [(1,)]

    def _end_silent(self) -> None:
        """Ends the session that holds the lock on tables, if it has fallen silent; anybody may end their own ones."""
        for (holder,) in self.execute(_HOLDER, (self._lock, _SILENT)):
            with suppress(SynclineError):  # it is gone, or it is another user's
                self.execute(f"KILL {int(holder)}")

    def _unlock(self) -> None:
        if self._locked:
            self._locked = False
            with suppress(SynclineError):
                self.execute("SELECT release_lock($1)", (self._lock,))

    def _keys(self, table: str) -> list[frozenset[str]]:
        """Sets of columns that are unique together, whole columns only."""
        found: dict[str, set[str]] = {}
        partly: set[str] = set()
        for index, column, whole in self.execute(_KEYS, (table,)):
            found.setdefault(index, set()).add(column)
            if not whole:
                partly.add(index)
        return [frozenset(names) for index, names in found.items() if index not in partly]

    def change(self, statement: str) -> int:
        """Runs a statement that changes rows; the number of them."""
        return self._run(statement)[0]

    def staged(self, rows: Rendered, schema: Schema) -> str:
        """Loads rows into the temporary table, which is made anew; its name."""
        declared = ", ".join(types.declaration(field, schema, ()) for field in schema.fields)
        self.execute(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
        # Not a transactional one: it is of no use after a rollback, and quicker.
        self.execute(f"CREATE TEMPORARY TABLE {_STAGE} ({declared}) ENGINE = Aria TRANSACTIONAL = 0 {_TEXT}")
        self._load(_STAGE, rows, schema)
        return _STAGE

    def _load(self, table: str, rows: Rendered, schema: Schema) -> None:
        binary = {field.name for field in schema.fields if field.type.name == "binary"}
        names = ", ".join(f"@b{i}" if n in binary else quoted(n) for i, n in enumerate(schema.names))
        set_ = ", ".join(f"{quoted(n)} = unhex(@b{i})" for i, n in enumerate(schema.names) if n in binary)
        self.copy(
            f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {quoted(table)} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ','"
            " OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\n'"
            f" ({names}){' SET ' + set_ if set_ else ''}",
            rows.parts,
            rows.frame.height,
        )

    def _merge_by_any_key(self, table: str, given: int, schema: Schema) -> Written:
        """Where the table has one unique key, which is ours: of the rows, `Duplicates` counts those that changed."""
        others = [name for name in schema.names if name not in schema.key]
        affected, _ = self._run(
            f"INSERT INTO {quoted(table)} ({columns(schema.names)}) SELECT {columns(schema.names)} FROM {_STAGE}"
            f" {self.or_set(schema.key[0], *others)}"
        )
        told = _DUPLICATES.search(self._connection.told())
        updated = int(told[1]) if told else 0
        inserted = affected - 2 * updated
        return Written(inserted, updated, given - inserted - updated)

    def _merge_by_joins(self, table: str, given: int, schema: Schema) -> Written:
        """Where another key could take a row for one that it isn't: by our key only."""
        others = [name for name in schema.names if name not in schema.key]
        updated = 0
        if others:
            set_ = ", ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in others)
            updated, _ = self._run(f"UPDATE {quoted(table)} AS t JOIN {_STAGE} AS s ON {_same(schema)} SET {set_}")
        inserted, _ = self._run(
            f"INSERT INTO {quoted(table)} ({columns(schema.names)}) SELECT {columns(schema.names, 's.')}"
            f" FROM {_STAGE} AS s LEFT JOIN {quoted(table)} AS t ON {_same(schema)}"
            f" WHERE t.{quoted(schema.key[0])} IS NULL"
        )
        return Written(inserted, updated, given - inserted - updated)


_TEXT = f"DEFAULT CHARACTER SET utf8mb4 COLLATE {types.COLLATION}"


def _same(schema: Schema) -> str:
    return " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in schema.key)


def _csv(frame: pl.DataFrame) -> bytes:
    """Rows as text: null is the bare word NULL, everything but numbers is in quotes, bytes are hexadecimal."""
    import polars as pl

    frame = frame.with_columns(
        *(pl.col(name).cast(pl.Int8) for name, dtype in frame.schema.items() if dtype == pl.Boolean),
        *(pl.col(name).bin.encode("hex") for name, dtype in frame.schema.items() if dtype == pl.Binary),
    )
    out = io.BytesIO()
    frame.write_csv(
        out,
        include_header=False,
        null_value="NULL",
        datetime_format="%Y-%m-%d %H:%M:%S%.6f",
        time_format="%H:%M:%S%.6f",
        quote_style="non_numeric",
    )
    return out.getvalue()
