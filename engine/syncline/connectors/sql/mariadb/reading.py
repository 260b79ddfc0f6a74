"""Reading from MariaDB: one read-only transaction on a consistent snapshot; times and decimals as their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.mariadb.database import MariadbDatabase
from syncline.connectors.sql.mariadb.types import COLLATION
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.reading import Readable
from syncline.model.schema import MAX_PRECISION, DataType

if TYPE_CHECKING:
    from syncline.connectors.sql.settings import MariadbSettings

_LOOK = "_syncline_look"

_KEYS = """
SELECT index_name, column_name FROM information_schema.statistics AS i
WHERE table_schema = database() AND table_name = $1 AND non_unique = 0 AND NOT EXISTS (
  SELECT 1 FROM information_schema.statistics AS s WHERE s.table_schema = i.table_schema AND s.table_name = i.table_name
    AND s.index_name = i.index_name AND (s.sub_part IS NOT NULL OR s.nullable = 'YES'))
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index
"""

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_BARE = re.compile(r"\(\d+(,\d+)?\)| zerofill")
_GEOMETRIES = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
_INTS = {
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "year",
    "tinyint unsigned",
    "smallint unsigned",
    "mediumint unsigned",
}
_BINARIES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}


class MariadbReading:
    """A connection to a database that is read."""

    native = frozenset({"integer", "int32", "float", "binary"})
    place = ""

    def __init__(self, settings: MariadbSettings) -> None:
        self._database = MariadbDatabase(settings)

    def columns(self, query: str, table: str, *, exact: bool) -> tuple[Readable, ...]:
        """The columns of a table, or of a query by way of a temporary table without rows."""
        of = quoted(table)
        if not table:
            of = _LOOK
            self._database.execute(f"CREATE TEMPORARY TABLE {_LOOK} AS {query} LIMIT 0")
        rows = self._database.execute(f"SHOW FULL COLUMNS FROM {of}")
        if not table:
            self._database.execute(f"DROP TEMPORARY TABLE {_LOOK}")
        found = (_readable(row[0], row[1], row[8], exact=exact and row[2] is not None) for row in rows)
        return tuple(column for column in found if column is not None)

    def keys(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Unique keys, the primary one first."""
        found: dict[str, list[str]] = {}
        for index, column in self._database.execute(_KEYS, (table,)):
            found.setdefault(index, []).append(column)
        return tuple(map(tuple, found.values()))

    def begin(self) -> None:
        """A snapshot, in which nothing is said while its rows are on their way: that may take long."""
        self._database.execute("SET SESSION tx_isolation = 'REPEATABLE-READ', idle_transaction_timeout = 0")
        self._database.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._database.execute(statement, parameters)

    def parameter(self, column: Readable, number: int) -> str:
        """A parameter: a literal of the right sort, with which an index is used."""
        del column
        return f"${number}"

    def given(self, column: Readable, text: str) -> Any:
        """A number where the column has numbers: a text would be compared as a float."""
        match column.type.name:
            case "integer" | "int32" | "boolean":
                return int(text)
            case "decimal":
                return Decimal(text)
            case "float":
                return float(text)
            case "binary":
                return bytes.fromhex(text)
            case _:
                return text

    def close(self) -> None:
        """Closes the connection; what it sees of the data ends."""
        self._database.close()


def _readable(name: str, native: str, comment: str, *, exact: bool) -> Readable | None:
    """None for what has no counterpart: shapes."""
    value = order = f"t.{quoted(name)}"
    text = f"CAST({value} AS char CHARACTER SET utf8mb4)"
    bare = _BARE.sub("", native)
    if bare in _GEOMETRIES:
        return None
    if found := _DECIMAL.match(native):
        fits = int(found[1]) <= MAX_PRECISION
        kind = DataType("decimal", int(found[1]), int(found[2])) if fits else DataType("number")
        return Readable(name, native, kind, text, order)
    if native == "tinyint(1)":
        return Readable(name, native, DataType("boolean"), text, order)
    if bare in _INTS:
        return Readable(name, native, DataType("int32"), value, order)
    if bare in {"bigint", "int unsigned"}:
        return Readable(name, native, DataType("integer"), value, order)
    if bare == "bigint unsigned":
        return Readable(name, native, DataType("decimal", 20, 0), text, order)
    if bare == "bit":
        return Readable(name, native, DataType("decimal", 20, 0), f"CAST({value} + 0 AS char)", order)
    if bare.startswith(("float", "double")):
        # The text of a float has six digits; as a double it has all of its own.
        return Readable(name, native, DataType("float"), f"CAST({value} AS double)", order)
    if bare in {"date", "time"}:
        return Readable(name, native, DataType(bare), text, order)
    if bare in {"datetime", "timestamp"}:
        instant = bare == "timestamp" or comment == "UTC"
        return Readable(name, native, DataType("timestamp" if instant else "datetime"), text, order)
    if bare in _BINARIES:
        return Readable(name, native, DataType("binary"), value, order)
    kind = DataType("json" if comment == "JSON" and bare == "longtext" else "string")
    order = f"{text} COLLATE {COLLATION}" if exact else order
    return Readable(name, native, kind, text, order)
