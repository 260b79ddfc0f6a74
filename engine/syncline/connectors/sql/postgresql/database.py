"""
PostgreSQL: batches go as text by COPY, into the table (append, and where their keys are new) or into a staging table
that is merged (upsert).

Measured on two cores with 990,000 rows of 21 columns in batches of 40,000, processor seconds of the server: 6.8 by a
staging table, 3.4 straight into a table with a primary key. Two connections at once took 6.9 and 3.9.
Counting inserted and updated rows costs nothing measurable; joining first to leave unchanged rows out of the merge
costs three times the merge.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.limits import Limit, Limits, beyond
from syncline.connectors.sql.names import RESERVED, columns, matching, on_conflict, quoted
from syncline.connectors.sql.postgresql import types
from syncline.connectors.sql.postgresql.copy_text import CopyText
from syncline.connectors.sql.postgresql.errors import about_rows, translated
from syncline.connectors.sql.postgresql.session import Session, connect, identity_of, kept
from syncline.connectors.sql.settings import PostgresSettings
from syncline.connectors.sql.straight import Straight
from syncline.connectors.sql.table import Column, Table
from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Rendered, Written

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from syncline.connectors.sql.database import Breach
    from syncline.sdk.keep import Keep

#: libpq's status of a connection in which nothing is open (`PQTRANS_IDLE`).
_IDLE = 0

#: About 2 MB of text at 200 bytes a row.
_PART_ROWS = 10_000

_INSPECT = """
SELECT c.relkind::text,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
       a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
       a.attgenerated <> '' OR a.attidentity = 'a') ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT pg_catalog.json_agg(
       (SELECT pg_catalog.json_agg(a.attname) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)))
   FROM pg_catalog.pg_index i
   WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
     AND i.indpred IS NULL AND i.indexprs IS NULL),
  c.relkind = 'p' OR c.relhastriggers OR c.relhasrules OR c.relchecks > 0
  OR EXISTS (SELECT 1 FROM pg_catalog.pg_index i
             WHERE i.indrelid = c.oid AND (i.indisexclusion OR i.indexprs IS NOT NULL
             OR i.indisunique AND (i.indpred IS NOT NULL OR NOT i.indimmediate)))
  OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
             LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND (a.attgenerated <> '' OR a.attnotnull AND i.indrelid IS NULL))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""


#: A relation by its name, and with it all tables of ours, since a run asks for each of them.
_EXISTS = r"""
SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND (c.relname = $2 OR c.relname LIKE '\_syncline\_%')
"""

#: Foreign keys, to and from a table, are triggers of it.
_APART = """
SELECT c.relkind = 'r' AND NOT (c.relhastriggers OR c.relhasrules OR c.relrowsecurity)
  AND 1 = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i
           WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion))
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
                  WHERE a.attrelid = c.oid AND a.attname = ANY ($2::text[]) AND NOT l.collisdeterministic)
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)
"""


class PostgresDatabase:
    """A connection to a database, and the schema in it that tables are written to."""

    locking = " FOR UPDATE"
    name_bytes = types.NAME_BYTES
    folds = False
    system_columns = types.SYSTEM_COLUMNS
    leftovers = ()
    instant = "%Y-%m-%d %H:%M:%S.%f+00:00"

    def __init__(
        self,
        settings: PostgresSettings,
        keep: Keep | None = None,
        straight: Straight | None = None,
        partitioned: set[str] | None = None,
    ) -> None:
        self._settings = settings
        self._partitioned = partitioned if partitioned is not None else set()  # tables, of those looked at
        self._schema = settings.schema
        self._ours: set[str] = set()
        self.place = quoted(settings.schema) + "."
        self._keep = keep
        self._making: list[str] = []
        self._straight = straight or Straight()
        self._text = CopyText()
        self._keep_as = identity_of(settings)
        self._session = (keep and kept(keep, self._keep_as)) or Session(connect(settings))
        self._connection = self._session.connection
        self._statements = self._session.statements

    def version(self) -> str:
        """Name and version of the server."""
        return f"PostgreSQL {self.execute('SHOW server_version')[0][0].split()[0]}"

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement."""
        with _errors():
            return self._statements.run_with(statement, parameters) if parameters else self._statements.run(statement)

    def describe(self, query: str) -> list[tuple[str, str]]:
        """The columns of a query with their types, as `format_type` spells them. Nothing of it is run."""
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        server = self._connection.pgconn
        with _errors():
            for answer in (server.prepare(b"", query.encode()), server.describe_prepared(b"")):
                if answer.status != ExecStatus.COMMAND_OK:
                    raise error_from_result(answer)
        return [
            (
                (answer.fname(i) or b"").decode(),
                self.execute("SELECT format_type($1::oid, $2::integer)", (answer.ftype(i), answer.fmod(i)))[0][0],
            )
            for i in range(answer.nfields)
        ]

    def execute_one(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Runs a statement of a person: as one with parameters, also where it has none, since others may be several."""
        with _errors():
            return self._statements.run_with(statement, parameters)

    def change_told(self, table: str, changes: str, where: str, parameters: Sequence[Any]) -> bool:
        """See `Changing`."""
        return bool(
            self.execute(
                "WITH soon AS (SELECT pg_catalog.set_config('synchronous_commit', 'off', true))"
                f" UPDATE {table} SET {changes} FROM soon WHERE {where} RETURNING 1",
                parameters,
            )
        )

    def or_set(self, key: str, *names: str) -> str:
        """The end of an upsert."""
        return on_conflict(key, names)

    def copy(self, statement: str, parts: Iterable[bytes]) -> int:
        """Runs COPY … FROM STDIN; the number of rows. The server works on a part while the next one is made."""
        with _errors():
            return self._copy(statement, parts)

    def copy_out(self, query: str) -> bytes:
        """Runs COPY (query) TO STDOUT in its text format: a line a row, whatever is in its values."""
        with _errors(), self._connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
            return b"".join(copy)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction. If the connection dies in COMMIT, that is `Again`, and its outcome unknown."""
        self.execute("BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit = off")
        self._making.clear()
        try:
            yield
            self.execute("COMMIT")
            self._session.stages.update(self._making)
        except BaseException:
            self._ours = set()
            with suppress(SynclineError):
                self.execute("ROLLBACK")
            raise

    def lock_tables(self) -> None:
        """An advisory lock on the schema, until the transaction ends."""
        self.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", (f"syncline:{self._schema}",))

    def exists(self, table: str) -> bool:
        """
        Whether there is a relation of that name in the schema. The database is asked, as `to_regclass` may answer from
        a cache; but of our own tables, those that the last answer gave are taken as there until a transaction fails:
        another session may have dropped one since, when the last flow left, and what uses it fails and is tried again.
        """
        if table in self._ours:
            return True
        found = {name for (name,) in self.execute(_EXISTS, (self._schema, table))}
        self._ours = {name for name in found if name.startswith(RESERVED)}
        return table in found

    def inspect(self, table: str) -> Table | None:
        """Columns and unique keys, in one query."""
        rows = self.execute(_INSPECT, (self._schema, table))
        if not rows:
            return None
        kind, attributes, keys, strict = rows[0]
        if kind not in {"r", "p"}:
            raise Invalid(f"{table!r} is not a table", code="SYN486", help="Write to another name.")
        if kind == "p":
            self._partitioned.add(table)
        return Table(
            table,
            tuple(Column(name, type_, required, computed) for name, type_, required, computed in attributes or ()),
            frozenset(frozenset(key) for key in keys or ()),
            strict=strict,
        )

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column of an existing type holds every value of the declared type."""
        return types.holds(existing, declared)

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """What a column doesn't hold; see `Database.narrowed`."""
        del unique  # texts are equal by their characters, whatever their column
        return types.narrowed(existing, field)

    def prepare(self) -> None:
        """Creates the schema if it is missing: asking first, since creating needs a privilege even where it exists."""
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (self._schema,)):
            self.execute(f"CREATE SCHEMA {quoted(self._schema)}")

    def create(self, table: str, schema: Schema, *, keyed: bool) -> None:
        """Creates a table."""
        key = schema.key if keyed else ()
        parts = [declaration(field) + (" NOT NULL" if field.name in key else "") for field in schema.fields]
        if key:
            parts.append(f"PRIMARY KEY ({columns(key)})")
        self.execute(f"CREATE TABLE {self.place}{quoted(table)} ({', '.join(parts)})")

    def add(self, table: str, fields: Sequence[Field]) -> None:
        """Adds columns."""
        parts = ", ".join(f"ADD COLUMN {declaration(field)}" for field in fields)
        self.execute(f"ALTER TABLE {self.place}{quoted(table)} {parts}")

    def drop(self, table: str) -> None:
        """Drops a table."""
        self._ours.discard(table)
        self.execute(f"DROP TABLE IF EXISTS {self.place}{quoted(table)}")

    def render(self, frame: pl.DataFrame, schema: Schema) -> Rendered:
        """Rows as COPY's text."""
        digest, parts = hashlib.sha256(), []
        for rows in frame.iter_slices(_PART_ROWS):
            part = self._text.rows(rows)
            if b"\0" in part:
                raise _nul(rows, schema)
            digest.update(part)
            parts.append(part)
        return Rendered(frame, tuple(parts), digest.digest())

    def append(self, table: str, rows: Rendered, schema: Schema) -> int:
        """Copies rows into a table."""
        return self._load(self.place + quoted(table), rows, schema)

    def merge(self, table: str, rows: Rendered, schema: Schema) -> Written:
        """Copies rows into a staging table of this transaction, and merges them by key; see `straight.py`."""
        if self.likely_new(table, rows) and (written := self.copied(table, rows, schema)) is not None:
            return written
        stage, given = self.staged("stage", rows, schema)
        place = self.place + quoted(table)
        ((inserted, updated, triggers),) = self.execute(
            _merge(place, stage, schema, self.fresh(table, schema)), (place,)
        )
        return self.merged(table, stage, schema, given, inserted, updated, triggers=triggers)

    def fresh(self, table: str, schema: Schema) -> str:
        """
        Whether a row that was merged as `t` is new: no transaction deleted what stood there (`xmax`). A row of
        partitions has no such column, before PostgreSQL 18: no row of that key was there when the statement began.
        """
        if table not in self._partitioned:
            return "t.xmax = 0"
        same = " AND ".join(f"old.{quoted(name)} = t.{quoted(name)}" for name in schema.key)
        return f"NOT EXISTS (SELECT FROM {self.place}{quoted(table)} AS old WHERE {same})"

    def likely_new(self, table: str, rows: Rendered) -> bool:
        """Whether rows are worth copying straight into a table; see `straight.py`."""
        return self._straight.worth_trying(table, rows.frame.height, lambda: self._empty(table))

    def merged(
        self, table: str, stage: str, schema: Schema, given: int, inserted: int, updated: int, *, triggers: bool
    ) -> Written:
        """
        What became of the rows of a staging table that were merged, which tells what to do with the next. A trigger may
        leave out rows that are new, by returning NULL; of those that are there, such a one leaves what they are. None
        is looked for where the table has no such trigger.
        """
        left_out, same = 0, given - inserted - updated
        if same and triggers:
            there = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in schema.key)
            absent = f"NOT EXISTS (SELECT FROM {self.place}{quoted(table)} AS t WHERE {there})"
            ((left_out,),) = self.execute(f"SELECT count(*) FROM pg_temp.{stage} AS s WHERE {absent}")
        written = Written(inserted, updated, same - left_out, left_out=left_out)
        self._straight.merged(table, given, written)
        return written

    def remove(self, table: str, keys: Rendered, schema: Schema, mark: str) -> int:
        """Copies keys into a staging table of their own, and deletes their rows, or marks those that aren't yet."""
        stage, _ = self.staged("gone", keys, schema)
        place, same = self.place + quoted(table), f"({columns(schema.names, 't.')}) = ({columns(schema.names, 's.')})"
        removing = f"DELETE FROM {place} AS t USING pg_temp.{stage} AS s WHERE {same}"
        if mark:
            column = quoted(mark)
            removing = (
                f"UPDATE {place} AS t SET {column} = pg_catalog.now() FROM pg_temp.{stage} AS s"
                f" WHERE {same} AND t.{column} IS NULL"
            )
        count: int = self.execute(f"WITH removed AS ({removing} RETURNING 1) SELECT count(*) FROM removed")[0][0]
        return count

    def sweep(self, table: str, where: str) -> int:
        """Deletes rows by a condition."""
        removing = f"DELETE FROM {self.place}{quoted(table)} AS t WHERE {where}"
        count: int = self.execute(f"WITH removed AS ({removing} RETURNING 1) SELECT count(*) FROM removed")[0][0]
        return count

    def compare(
        self, table: str, rows: Rendered, schema: Schema, absent: Collection[str], mark: str = ""
    ) -> tuple[int, int]:
        """Copies rows into a staging table, and joins it."""
        with self.transaction(durable=False):
            stage, _ = self.staged("look", rows, schema)
            place, differs = self.place + quoted(table), "{} IS DISTINCT FROM {}"
            query = matching(place, f"pg_temp.{stage}", schema, differs, absent, mark)
            ((matched, differing),) = self.execute(query)
            return matched, differing

    def clone(self, table: str, shadow: str) -> None:
        """Creates an empty table with everything of another but its foreign keys, triggers, policies and grants."""
        self.execute(f"CREATE TABLE {self.place}{quoted(shadow)} (LIKE {self.place}{quoted(table)} INCLUDING ALL)")

    def swap(self, table: str, shadow: str) -> None:
        """
        Renames the shadow into the place of the table, which is dropped.

        Readers see the old rows until the commit and the new ones after it. Kept: columns and their comments, defaults,
        primary key and indexes by their names, checks, and grants. Lost: foreign keys, triggers, row policies, the
        table's own comment and storage parameters. A view on the table makes it `Invalid`.
        """
        place, fresh = self.place + quoted(table), self.place + quoted(shadow)
        self.execute(f"LOCK TABLE {place} IN ACCESS EXCLUSIVE MODE")
        for role, privilege, grantable in self.execute(_GRANTS, (place,)):
            grantee = quoted(role) if role else "PUBLIC"
            option = " WITH GRANT OPTION" if grantable else ""
            self.execute(f"GRANT {privilege} ON {fresh} TO {grantee}{option}")
        names = dict(self.execute(INDEXES, (place,)))
        made = self.execute(INDEXES, (fresh,))
        self.execute(f"DROP TABLE {place}")
        self.execute(f"ALTER TABLE {fresh} RENAME TO {quoted(table)}")
        for definition, name in made:
            if (before := names.pop(definition, name)) != name:
                self.execute(f"ALTER INDEX {self.place}{quoted(name)} RENAME TO {quoted(before)}")

    def mend(self, table: str, shadow: str) -> None:
        """Nothing: names change with the transaction."""

    def apart(self, table: str, key: Sequence[str]) -> bool:
        """Whether rows have nothing to do with each other; see `Branching`."""
        rows = self.execute(_APART, (self.place + quoted(table), list(key)))
        return bool(rows and rows[0][0])

    def another(self) -> PostgresDatabase:
        """Another connection to the same place."""
        return PostgresDatabase(self._settings, self._keep, self._straight, self._partitioned)

    def limits(self, schema: Schema, *, keyed: bool) -> Limits:
        """Values that can't be held."""
        return types.limits(schema, keyed=keyed)

    def trial(
        self, table: str, frame: pl.DataFrame, schema: Schema, *, keyed: bool
    ) -> Callable[[int, int], Breach | None]:
        """See `Trying`: from a staging table, by ranges of rows."""
        from syncline.connectors.sql.postgresql.trial import PostgresTrial

        return PostgresTrial(self, table, frame, schema, keyed=keyed).write

    def attempt(self, statement: str) -> psycopg.Error | None:
        """Runs a statement of a transaction, or undoes it and gives what the server has against its rows."""
        import psycopg

        # In one message: where it fails, what follows it isn't begun.
        attempted = f"SAVEPOINT attempt; {statement}; RELEASE SAVEPOINT attempt"
        with _errors():
            try:
                self._statements.run(attempted)
            except psycopg.Error as error:
                if not about_rows(error):
                    raise
                self._statements.run("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt")
                return error
        return None

    def cut(self) -> None:
        """Shuts the connection's socket down: a wait for the server ends, and the server rolls back."""
        import psycopg

        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection, or leaves it to be used again if nothing is open in it."""
        if self._keep is not None and self._connection.info.transaction_status == _IDLE:
            self._keep.give(self._keep_as, self._session)
        else:
            self._connection.close()

    def _empty(self, table: str) -> bool:
        return not self.execute(f"SELECT 1 FROM {self.place}{quoted(table)} LIMIT 1")

    def copied(
        self, table: str, rows: Rendered, schema: Schema, accept: Callable[[int], bool] | None = None
    ) -> Written | None:
        """
        Copies rows into a table; None, with nothing done, where it has one of their keys, or takes no COPY, or `accept`
        says no to so many rows that are there by then.
        """
        import psycopg

        made = len(self._making)
        self.execute("SAVEPOINT straight")
        with _errors():
            try:
                inserted = self._copy(_copying(self.place + quoted(table), schema), rows.parts)
                accepted = accept is None or accept(inserted)
            except (psycopg.errors.UniqueViolation, psycopg.errors.FeatureNotSupported):
                accepted = False
            if not accepted:
                self._statements.run("ROLLBACK TO SAVEPOINT straight")
                del self._making[made:]
                self._straight.refused(table)
                return None
        self.execute("RELEASE SAVEPOINT straight")
        return Written(inserted, left_out=rows.frame.height - inserted)

    def staged(self, use: str, rows: Rendered, schema: Schema) -> tuple[str, int]:
        """Copies rows into a staging table of this transaction, one for each use; its name, and how many they are."""
        declarations = _declarations(schema)
        stage = f"syncline_{use}_{hashlib.sha256(declarations.encode()).hexdigest()[:16]}"
        # Made once a connection and emptied by each commit: making it costs as much as a small merge.
        if stage not in self._session.stages:
            self.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ({declarations}) ON COMMIT DELETE ROWS")
            self._making.append(stage)
        return stage, self._load(f"pg_temp.{stage}", rows, schema)

    def _load(self, place: str, rows: Rendered, schema: Schema) -> int:
        return self.copy(_copying(place, schema), rows.parts)

    def _copy(self, statement: str, parts: Iterable[bytes]) -> int:
        with self._connection.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                for part in parts:
                    copy.write(part)
            return cursor.rowcount


#: Whether a table has a trigger that may leave out rows which are inserted, or a partition of it has: FOR EACH ROW,
#: BEFORE, INSERT.
TRIGGERS = """EXISTS (
SELECT FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgtype & 7 = 7 AND (tgrelid = CAST($1 AS regclass)
  OR tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(CAST($1 AS regclass)))))"""

#: Indexes of a table by what they are: the end of their definition, from its access method on.
INDEXES = """
SELECT pg_catalog.substring(d, pg_catalog.strpos(d, ' USING ')) || i.indisprimary || i.indisunique, c.relname
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid, pg_catalog.pg_get_indexdef(c.oid) d
WHERE i.indrelid = pg_catalog.to_regclass($1)
"""

_GRANTS = """
SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.oid = pg_catalog.to_regclass($1) AND a.grantee <> c.relowner
"""


def declaration(field: Field) -> str:
    """A column as it is declared."""
    return f"{quoted(field.name)} {types.column_type(field.type)}"


# What is said of a schema is the same for every batch, and takes longer to write than a small batch to send.
@lru_cache(maxsize=256)
def _declarations(schema: Schema) -> str:
    return ", ".join(map(declaration, schema.fields))


@lru_cache(maxsize=256)
def _copying(place: str, schema: Schema) -> str:
    return f"COPY {place} ({columns(schema.names)}) FROM STDIN"


@lru_cache(maxsize=256)
def _merge(place: str, stage: str, schema: Schema, fresh: str) -> str:
    """Inserts or updates, and counts both, by what tells a new row. Tells as well whether a trigger may have left rows
    out.
    """
    return (
        f"WITH merged AS ({upsert(place, stage, schema)} RETURNING ({fresh}) AS fresh)"
        f" SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh), {TRIGGERS} FROM merged"
    )


def upsert(place: str, stage: str, schema: Schema, where: str = "") -> str:
    """Inserts the rows of a stage, or updates those that are there as `t` where a value differs."""
    names, key = schema.names, schema.key
    others = [name for name in names if name not in key]
    if others:
        assignments = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in others)
        differs = f"({columns(others, 't.')}) IS DISTINCT FROM ({columns(others, 'excluded.')})"
        conflict = f"DO UPDATE SET {assignments} WHERE {differs}"
    else:
        conflict = "DO NOTHING"
    return (
        f"INSERT INTO {place} AS t ({columns(names)})"
        f" SELECT {columns(names)} FROM pg_temp.{stage}{where} ON CONFLICT ({columns(key)}) {conflict}"
    )


def _nul(frame: pl.DataFrame, schema: Schema) -> Invalid:
    if (limit := types.limits(schema, keyed=False).late(frame)) is not None:
        return beyond(limit.column, limit.message)
    return beyond(frame.columns[0], "a NUL character")


@contextmanager
def _errors() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from None
