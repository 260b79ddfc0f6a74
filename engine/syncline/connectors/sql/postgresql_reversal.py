"""Writing to PostgreSQL so that it can be undone. Rows are kept in COPY's text format: a line a row, tabs between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.connectors.sql.names import columns, quoted
from syncline.connectors.sql.postgresql import upsert
from syncline.model.errors import Again
from syncline.sdk.destination import Written

if TYPE_CHECKING:
    from syncline.connectors.sql.postgresql import PostgresDatabase
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered


class PostgresReversal:
    """See `reversal.Dialect`."""

    aside = "pg_temp."
    lock = " FOR UPDATE OF t"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def prepare(self) -> None:
        """Nothing is to be set."""

    def begin(self) -> None:
        """Of staging tables the planner knows nothing, and could read a large table to find the rows of a batch."""
        self._database.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Holds the rows that will change before it; where others came in between, the batch is tried again."""
        database = self._database
        stage, given = database.staged("stage", rows, schema)
        place, key = database.place + quoted(table), schema.key
        others = [name for name in schema.names if name not in key]
        before = b""
        if others:
            same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
            before = database.copy_out(
                f"SELECT {columns(noted, 't.')} FROM pg_temp.{stage} AS s JOIN {place} AS t ON {same}"
                f" WHERE ({columns(others, 't.')}) IS DISTINCT FROM ({columns(others, 's.')}){self.lock}"
            )
        after = database.copy_out(
            f"{upsert(place, stage, schema)} RETURNING {columns(key, 't.')}, {self.digest(noted)}, t.xmax = 0"
        )
        # Neither a tab nor the end of a line stands in a value as it is.
        inserted, updated = after.count(b"\tt\n"), after.count(b"\tf\n")
        if updated != before.count(b"\n"):
            raise Again(f"somebody else wrote to rows of table {table!r} meanwhile", code="SYN488", after=0.0)
        return Written(inserted, updated, given - inserted - updated), before, after

    def digest(self, names: Sequence[str]) -> str:
        """Half of the SHA-256 of the row as text."""
        return f"substr(sha256(convert_to(ROW({columns(names, 't.')})::text, 'UTF8')), 1, 16)"

    def fill(self, table: str, width: int, rows: bytes) -> None:
        """COPY's text, back."""
        del width
        self._database.copy(f"COPY pg_temp.{table} FROM STDIN", (rows,))

    def index(self, table: str, key: Sequence[str]) -> None:
        """A unique index."""
        self._database.execute(f"CREATE UNIQUE INDEX ON pg_temp.{table} ({columns(key)})")

    def change(self, statement: str) -> int:
        """Counts what it returns."""
        count: int = self._database.execute(f"WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed")[
            0
        ][0]
        return count
