"""Reading from DuckDB: one transaction. The file is opened as for writing, since a flow may write to it besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.duckdb.database import DuckdbDatabase
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.reading import Readable
from syncline.model.errors import Stalled
from syncline.model.schema import MAX_PRECISION, DataType

if TYPE_CHECKING:
    from syncline.connectors.sql.settings import DuckdbSettings

_TYPES = {
    "TINYINT": "int32",
    "SMALLINT": "int32",
    "INTEGER": "int32",
    "UTINYINT": "int32",
    "USMALLINT": "int32",
    "BIGINT": "integer",
    "UINTEGER": "integer",
    "HUGEINT": "number",
    "UHUGEINT": "number",
    "BOOLEAN": "boolean",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "TIMESTAMP": "datetime",
    "TIMESTAMP_S": "datetime",
    "TIMESTAMP_MS": "datetime",
    "JSON": "json",
    "BLOB": "binary",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

_KEYS = """
SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = current_database()
  AND schema_name = 'main' AND lower(table_name) = lower($1) AND constraint_type = 'PRIMARY KEY'
"""


class DuckdbReading:
    """A connection to a file that is read."""

    native = frozenset({"integer", "int32", "float", "boolean", "binary"})
    place = ""

    def __init__(self, settings: DuckdbSettings) -> None:
        if not settings.path.is_file():
            raise Stalled(f"DuckDB: there is no file {settings.path.name}", code="SYN482", help="Correct `path`.")
        self._database = DuckdbDatabase(settings)

    def columns(self, query: str, table: str, *, exact: bool) -> tuple[Readable, ...]:
        """The columns of a query."""
        del table, exact
        return tuple(
            _readable(str(name), str(type_)) for name, type_, *_ in self._database.execute_one(f"DESCRIBE {query}")
        )

    def keys(self, table: str) -> tuple[tuple[str, ...], ...]:
        """The primary key."""
        return tuple(tuple(names) for (names,) in self._database.execute(_KEYS, (table,)))

    def begin(self) -> None:
        """A snapshot."""
        self._database.execute("BEGIN")

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._database.execute_one(statement, parameters)

    def parameter(self, column: Readable, number: int) -> str:
        """A parameter of the column's type, which comes as text but for bytes."""
        return f"CAST(${number} AS {column.native})"

    def given(self, column: Readable, text: str) -> Any:
        """The text; of bytes, they themselves."""
        return bytes.fromhex(text) if column.type.name == "binary" else text

    def close(self) -> None:
        """Closes the connection."""
        self._database.close()


def _readable(name: str, native: str) -> Readable:
    value = f"t.{quoted(name)}"
    text = f"CAST({value} AS VARCHAR)"
    if (found := _DECIMAL.fullmatch(native)) and int(found[1]) <= MAX_PRECISION:
        return Readable(name, native, DataType("decimal", int(found[1]), int(found[2])), text, value)
    if native == "UBIGINT":
        return Readable(name, native, DataType("decimal", 20, 0), text, value)
    if native.endswith("]") or native.startswith(("STRUCT", "MAP")):
        return Readable(name, native, DataType("json"), f"CAST(to_json({value}) AS VARCHAR)", value)
    data_type = DataType(_TYPES.get(native, "string"))
    if native == "FLOAT":
        return Readable(name, native, data_type, f"CAST({value} AS DOUBLE)", value)
    return Readable(name, native, data_type, value if data_type.name in DuckdbReading.native else text, value)
