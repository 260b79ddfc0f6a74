"""Writing to PostgreSQL so that it can be undone. Rows are kept in COPY's text format: a line a row, tabs between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from syncline.connectors.sql.names import DIGEST, FRESH, columns, quoted
from syncline.connectors.sql.postgresql.database import TRIGGERS, upsert
from syncline.model.errors import Again
from syncline.model.schema import Schema
from syncline.sdk.destination import Written

if TYPE_CHECKING:
    from syncline.connectors.sql.postgresql.database import PostgresDatabase
    from syncline.sdk.destination import Rendered

_OWN = {DIGEST: "CAST(NULL AS bytea)", FRESH: "CAST(NULL AS boolean)"}


class PostgresReversal:
    """See `dialect.Dialect`."""

    aside = "pg_temp."
    own: Mapping[str, str] = _OWN
    inserting = " OVERRIDING SYSTEM VALUE"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def prepare(self) -> None:
        """Nothing is to be set."""

    def begin(self) -> None:
        """Of staging tables the planner knows nothing, and could read a large table to find the rows of a batch."""
        self._database.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Holds the rows that will change before it; where others came in between, the batch is tried again."""
        if (copied := self._copied(table, rows, schema, noted)) is not None:
            return copied
        database = self._database
        stage, given = database.staged("stage", rows, schema)
        place, key = database.place + quoted(table), schema.key
        others = [name for name in schema.names if name not in key]
        before = b""
        if others:
            same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
            before = self.rows(
                noted,
                f"FROM pg_temp.{stage} AS s JOIN {place} AS t ON {same}"
                f" WHERE ({columns(others, 't.')}) IS DISTINCT FROM ({columns(others, 's.')}) FOR NO KEY UPDATE OF t",
            )
        fresh = database.fresh(table, schema)
        merged = f"{upsert(place, stage, schema)} RETURNING {self._left(key, noted)} AS line, ({fresh}) AS fresh"
        ((inserted, updated, after, triggers),) = database.execute(
            f"WITH merged AS ({merged}) SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh),"
            f" {_together('line', 'fresh')}, {TRIGGERS} FROM merged",
            (place,),
        )
        # The end of a line doesn't stand in a value as it is.
        if updated != before.count(b"\n"):
            raise Again(f"somebody else wrote to rows of table {table!r} meanwhile", code="SYN488", after=0.0)
        written = database.merged(table, stage, schema, given, inserted, updated, triggers=triggers)
        return written, before, after.encode()

    def _copied(
        self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]
    ) -> tuple[Written, bytes, bytes] | None:
        """
        Copies rows straight into the table, where all are new, and looks at what came of them there; None, with nothing
        done, where they can't be, or not all of them are found again.
        """
        database, key = self._database, schema.key
        if not database.likely_new(table, rows):
            return None
        keys = Schema(tuple(field for field in schema.fields if field.name in key), key)
        given = database.render(rows.frame.select(keys.names), keys)
        after = b""

        def look(inserted: int) -> bool:
            nonlocal after
            stage, _ = database.staged("came", given, keys)
            same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
            lines = _together(self._left(key, noted), "TRUE")
            place = database.place + quoted(table)
            ((found, text),) = database.execute(
                f"SELECT count(*), {lines} FROM pg_temp.{stage} AS s JOIN {place} AS t ON {same}"
            )
            after = text.encode()
            return bool(found == inserted)

        written = database.copied(table, rows, schema, look)
        return None if written is None else (written, b"", after)

    def append(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[int, bytes]:
        """Copies rows into a staging table, and inserts them from there."""
        database, names = self._database, columns(schema.names)
        stage, _ = database.staged("stage", rows, schema)
        after = database.copy_out(
            f"INSERT INTO {database.place}{quoted(table)} AS t ({names}) SELECT {names} FROM pg_temp.{stage}"
            f" RETURNING {self.digest(noted)}"
        )
        return after.count(b"\n"), after

    def digest(self, names: Sequence[str], prefix: str = "t.") -> str:
        """Half of the SHA-256 of the row as text."""
        return f"substr(sha256(convert_to(ROW({columns(names, prefix)})::text, 'UTF8')), 1, 16)"

    def _left(self, key: Sequence[str], noted: Sequence[str]) -> str:
        """An expression: key and digest of a row as COPY's text has them."""
        digest = rf"E'\\\\x'||encode({self.digest(noted)}, 'hex')"
        return r"||E'\t'||".join((*(_escaped(f"t.{quoted(name)}") for name in key), digest))

    def rows(self, names: Sequence[str], rest: str) -> bytes:
        """COPY's text."""
        return self._database.copy_out(f"SELECT {columns(names, 't.')} {rest}")

    def make(self, name: str, query: str, key: Sequence[str]) -> None:
        """With a unique index."""
        self._database.execute(f"CREATE TEMPORARY TABLE {name} AS {query}")
        if key:
            self._database.execute(f"CREATE UNIQUE INDEX ON pg_temp.{name} ({columns(key)})")

    def drop(self, name: str) -> None:
        """Drops it."""
        self._database.execute(f"DROP TABLE pg_temp.{name}")

    def fill(self, table: str, names: Sequence[str], rows: bytes) -> None:
        """COPY's text, back."""
        self._database.copy(f"COPY pg_temp.{table} ({columns(names)}) FROM STDIN", (rows,))

    def hold(self, table: str, joined: str) -> None:
        """Locks the rows."""
        del table
        self._database.execute(f"WITH held AS (SELECT 1 FROM {joined} FOR UPDATE OF t) SELECT count(*) FROM held")

    def hold_table(self, table: str) -> None:
        """Who reads goes on; who writes waits."""
        self._database.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def delete(self, table: str, given: str, on: str, where: str, key: Sequence[str] = ()) -> int:
        """Deletes by a join."""
        del key
        return self.change(f"DELETE FROM {table} AS t USING {given} AS a WHERE {on} AND {where}")

    def update(self, table: str, names: Sequence[str], source: str, on: str, where: str) -> int:
        """Updates by a join."""
        values = ", ".join(f"{quoted(name)} = b.{quoted(name)}" for name in names)
        return self.change(f"UPDATE {table} AS t SET {values} FROM {source} WHERE {on} AND {where}")

    def change(self, statement: str) -> int:
        """Counts what it returns."""
        count: int = self._database.execute(f"WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed")[
            0
        ][0]
        return count


def _together(left: str, fresh: str) -> str:
    """Lines of all rows in one value; COPY would send a message for each, which costs the client more than its row."""
    return rf"coalesce(string_agg({left}||CASE WHEN {fresh} THEN E'\tt\n' ELSE E'\tf\n' END, ''), '')"


def _escaped(value: str) -> str:
    """A value of a key as COPY's text has it."""
    text = f"{value}::text"
    for found, written in (("\\\\", "\\\\\\\\"), ("\\t", "\\\\t"), ("\\n", "\\\\n"), ("\\r", "\\\\r")):
        text = f"replace({text}, E'{found}', E'{written}')"
    return text
