"""Reading from PostgreSQL: one repeatable-read, read-only transaction; times, decimals and the like as their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.postgresql.database import PostgresDatabase
from syncline.connectors.sql.reading import Readable
from syncline.model.schema import MAX_PRECISION, DataType

if TYPE_CHECKING:
    from syncline.connectors.sql.settings import PostgresSettings

_TYPES = {
    "smallint": "int32",
    "integer": "int32",
    "bigint": "integer",
    "oid": "integer",
    "boolean": "boolean",
    "real": "float",
    "double precision": "float",
    "date": "date",
    "time without time zone": "time",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "datetime",
    "json": "json",
    "jsonb": "json",
    "bytea": "binary",
}
_PRECISION = re.compile(r"(time|timestamp)\(\d\)")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")

_KEYS = """
SELECT (SELECT pg_catalog.json_agg(a.attname ORDER BY pg_catalog.array_position(i.indkey::int2[], a.attnum))
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
FROM pg_catalog.pg_index i
WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)
ORDER BY i.indisprimary DESC, i.indexrelid
"""


class PostgresReading:
    """A connection to a database that is read."""

    native = frozenset({"integer", "int32", "float", "boolean", "binary"})

    def __init__(self, settings: PostgresSettings) -> None:
        self._database = PostgresDatabase(settings)
        self.place = self._database.place
        # Queries are the declaration's own: names in them are of the integration's schema.
        self._database.execute(f"SET search_path TO {quoted(settings.schema)}")

    def columns(self, query: str, table: str, *, exact: bool) -> tuple[Readable, ...]:
        """The columns of a query."""
        del table, exact
        return tuple(_readable(name, type_) for name, type_ in self._database.describe(query))

    def keys(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Unique keys, the primary one first."""
        return tuple(tuple(names) for (names,) in self._database.execute(_KEYS, (self.place + quoted(table),)))

    def begin(self) -> None:
        """A snapshot. Between two batches the destination may take its time."""
        self._database.execute("SET idle_in_transaction_session_timeout = 0")
        self._database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._database.execute_one(statement, parameters)

    def parameter(self, column: Readable, number: int) -> str:
        """A parameter, which comes as text, of the column's type."""
        return f"CAST(${number} AS {column.native})"

    def given(self, column: Readable, text: str) -> Any:
        """The text; of bytes, as the server writes them."""
        return f"\\x{text}" if column.type.name == "binary" else text

    def close(self) -> None:
        """Closes the connection; what it sees of the data ends."""
        self._database.close()


def _readable(name: str, native: str) -> Readable:
    value = order = f"t.{quoted(name)}"
    plain = _PRECISION.sub(r"\1", native)
    if native.endswith("[]"):
        return Readable(name, native, DataType("json"), f"pg_catalog.to_json({value})::text", order)
    if (found := _NUMERIC.fullmatch(native)) and 0 <= int(found[2]) <= int(found[1]) <= MAX_PRECISION:
        return Readable(name, native, DataType("decimal", int(found[1]), int(found[2])), f"{value}::text", order)
    if native.startswith("numeric"):
        return Readable(name, native, DataType("number"), f"{value}::text", order)
    data_type = DataType(_TYPES.get(plain, "string"))
    as_is = data_type.name in PostgresReading.native or plain == "text" or native.startswith("character")
    return Readable(name, native, data_type, value if as_is else f"{value}::text", order)
