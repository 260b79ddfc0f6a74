"""
Writing to MariaDB so that it can be undone. Rows are kept as LOAD DATA takes them: the bytes of each value in
hexadecimal, commas between, a line a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from syncline.connectors.sql.names import DIGEST, FRESH, columns, quoted
from syncline.model.errors import Again, Stalled

if TYPE_CHECKING:
    from syncline.connectors.sql.mariadb.database import MariadbDatabase
    from syncline.connectors.sql.table import Table
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Written

_CHANGING = "syncline_changing"

_OWN = {DIGEST: "CAST(NULL AS binary(16))", FRESH: "CAST(NULL AS signed)"}


class MariadbReversal:
    """See `dialect.Dialect`."""

    aside = ""
    own: Mapping[str, str] = _OWN
    inserting = ""

    def __init__(self, database: MariadbDatabase, table: Table) -> None:
        self._database = database
        self._single = frozenset(column.name for column in table.columns if column.type.startswith("float"))

    def prepare(self) -> None:
        """A 0 that comes back in a column that counts by itself stays one."""
        self._database.execute("SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")

    def begin(self) -> None:
        """Nothing is to be set."""

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Holds the rows that will change before it; where others came in between, the batch is tried again."""
        database, place, key = self._database, quoted(table), schema.key
        stage = database.staged(rows, schema)
        same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
        others = [name for name in schema.names if name not in key]
        unequal = [f"NOT (t.{quoted(name)} <=> s.{quoted(name)})" for name in others]
        before = b""
        if others:
            # The rows of the batch first: by their keys, those of the table are found, and no other is locked.
            joined = f"FROM {stage} AS s STRAIGHT_JOIN {place} AS t ON {same} WHERE {' OR '.join(unequal)}"
            before = self.rows(noted, f"{joined} FOR UPDATE")
        fresh = f"t.{quoted(key[0])} IS NULL"
        self.make(
            _CHANGING,
            f"SELECT {columns(key, 's.')}, {fresh} AS {quoted(FRESH)} FROM {stage} AS s LEFT JOIN {place} AS t"
            f" ON {same} WHERE {' OR '.join([fresh, *unequal])}",
            (),
        )
        written = database.merge_staged(table, rows.frame.height, schema)
        ((inserted, updated),) = database.execute(
            f"SELECT coalesce(sum({quoted(FRESH)}), 0), coalesce(sum(NOT {quoted(FRESH)}), 0) FROM {_CHANGING}"
        )
        if (written.inserted, written.updated) != (inserted, updated) or updated != before.count(b"\n"):
            raise Again(f"somebody else wrote to rows of table {table!r} meanwhile", code="SYN488", after=0.0)
        after = self._lines(
            [
                *(self._hex(name) for name in key),
                f"hex({self.digest(noted)})",
                f"hex(CAST(s.{quoted(FRESH)} AS binary))",
            ],
            f"FROM {_CHANGING} AS s STRAIGHT_JOIN {place} AS t ON {same}",
        )
        self.drop(_CHANGING)
        return written, before, after

    def append(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[int, bytes]:
        """Loads rows into a temporary table, and inserts them from there."""
        stage, names = self._database.staged(rows, schema), columns(schema.names)
        found = self._database.execute(
            f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM {stage} RETURNING hex({self.digest(noted, '')})"
        )
        return len(found), _joined(found)

    def digest(self, names: Sequence[str], prefix: str = "t.") -> str:
        """Half of the SHA-256 over that of each value."""
        parts = [f"ifnull(sha2(CAST({self._exact(name, prefix)} AS binary), 256), '-')" for name in names]
        return f"unhex(left(sha2(concat_ws(',', {', '.join(parts)}), 256), 32))"

    def rows(self, names: Sequence[str], rest: str) -> bytes:
        """Lines of hexadecimal values."""
        return self._lines([self._hex(name) for name in names], rest)

    def make(self, name: str, query: str, key: Sequence[str]) -> None:
        """With a unique key, which can't be added later without a commit."""
        keyed = f" (UNIQUE KEY ({columns(key)}))" if key else ""
        # A rollback leaves such a table where it is.
        self._database.execute(f"DROP TEMPORARY TABLE IF EXISTS {name}")
        self._database.execute(f"CREATE TEMPORARY TABLE {name}{keyed} ENGINE = InnoDB AS {query}")

    def drop(self, name: str) -> None:
        """Drops it."""
        self._database.execute(f"DROP TEMPORARY TABLE {name}")

    def fill(self, table: str, names: Sequence[str], rows: bytes) -> None:
        """Loads the lines."""
        if not rows:
            return
        given = ", ".join(f"@v{at}" for at in range(len(names)))
        values = ", ".join(f"{quoted(name)} = unhex(@v{at})" for at, name in enumerate(names))
        self._database.copy(
            f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ','"
            f" OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\n' ({given}) SET {values}",
            (rows,),
            rows.count(b"\n"),
        )

    def hold(self, table: str, joined: str) -> None:
        """Locks the rows."""
        del table
        self._database.execute(f"SELECT count(*) FROM {joined} FOR UPDATE")

    def hold_table(self, table: str) -> None:
        """Rows that are there; that no others come can't be said in a transaction, and shows when they are deleted."""
        self._database.execute(f"SELECT count(*) FROM {table} FOR UPDATE")

    def delete(self, table: str, given: str, on: str, where: str, key: Sequence[str] = ()) -> int:
        """Deletes by a join; by key, from the rows that are given."""
        del key
        return self.change(f"DELETE t FROM {given} AS a JOIN {table} AS t ON {on} WHERE {where}")

    def update(self, table: str, names: Sequence[str], source: str, on: str, where: str) -> int:
        """Updates by a join."""
        values = ", ".join(f"t.{quoted(name)} = b.{quoted(name)}" for name in names)
        return self.change(f"UPDATE {source} JOIN {table} AS t ON {on} SET {values} WHERE {where}")

    def change(self, statement: str) -> int:
        """As MariaDB counts."""
        return self._database.change(statement)

    def _exact(self, name: str, prefix: str) -> str:
        """A value; of a single-precision number all digits, which its text doesn't have."""
        value = f"{prefix}{quoted(name)}"
        return f"({value} + 0e0)" if name in self._single else value

    def _hex(self, name: str) -> str:
        # A digest is bytes already, and so is a cast of it.
        return f"ifnull(hex(CAST({self._exact(name, 't.')} AS binary)), 'NULL')"

    def _lines(self, values: Sequence[str], rest: str) -> bytes:
        return _joined(self._database.execute(f"SELECT concat_ws(',', {', '.join(values)}) {rest}"))


def _joined(rows: Sequence[tuple[str | None]]) -> bytes:
    if any(line is None for (line,) in rows):
        raise Stalled(
            "MariaDB: a row is too long to be kept for an undo",
            code="SYN491",
            help="Raise the server's max_allowed_packet to three times the longest row, or leave rollback out.",
        )
    return "".join(f"{line}\n" for (line,) in rows).encode()
