"""Reading from SQLite: one read transaction on a file that is never written. Any value may be in any column there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.reading import Readable, no_query
from syncline.connectors.sql.sqlite.database import NOTES, errors
from syncline.model.errors import Stalled
from syncline.model.schema import DataType

if TYPE_CHECKING:
    from syncline.connectors.sql.settings import SqliteSettings

_LOOK = "_syncline_look"


class SqliteReading:
    """A connection to a file that is read."""

    native = frozenset({"binary"})
    place = ""

    def __init__(self, settings: SqliteSettings) -> None:
        if not settings.path.is_file():
            raise Stalled(f"SQLite: there is no file {settings.path.name}", code="SYN482", help="Correct `path`.")
        with errors():
            self._connection = sqlite3.connect(
                f"{settings.path.as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None, check_same_thread=False
            )

    def columns(self, query: str, table: str, *, exact: bool) -> tuple[Readable, ...]:
        """The columns of a query, by way of a view of this connection; of our tables, with the types that we noted."""
        del exact
        self._run(f"CREATE TEMP VIEW {_LOOK} AS {query}")
        rows = self._run(f"SELECT name, type FROM pragma_table_xinfo('{_LOOK}') ORDER BY cid")
        self._run(f"DROP VIEW temp.{_LOOK}")
        noted: dict[str, str] = {}
        if table and self._run("SELECT 1 FROM sqlite_schema WHERE name = ?", (NOTES,)):
            of = f"SELECT column_name, type FROM {NOTES} WHERE table_name = ?"
            noted = {str(name): str(type_) for name, type_ in self._run(of, (table.lower(),))}
        return tuple(_readable(name, noted.get(name, ""), type_) for name, type_ in rows)

    def keys(self, table: str) -> tuple[tuple[str, ...], ...]:
        """The primary key, and unique indexes over columns that are never null."""
        rows = self._run('SELECT name, pk, "notnull", upper(type) FROM pragma_table_info(?) ORDER BY pk', (table,))
        primary = tuple(name for name, pk, *_ in rows if pk)
        rowid = len(primary) == 1  # an INTEGER PRIMARY KEY is never null, others may be
        full = {name for name, pk, required, type_ in rows if required or (pk and rowid and type_ == "INTEGER")}
        found = [primary] if primary and set(primary) <= full else []
        for (index,) in self._run('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,)):
            names = tuple(str(name) for (name,) in self._run("SELECT name FROM pragma_index_info(?)", (index,)))
            if set(names) <= full and names not in found:
                found.append(names)
        return tuple(found)

    def begin(self) -> None:
        """A snapshot, from the first query on."""
        self._run("BEGIN")

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query, values as text: what a column's type doesn't tell, the text does."""
        named = {str(number): value for number, value in enumerate(parameters, 1)}
        return [tuple(map(_text, row)) for row in self._run(statement, named)]

    def parameter(self, column: Readable, number: int) -> str:
        """A parameter."""
        del column
        return f"${number}"

    def given(self, column: Readable, text: str) -> Any:
        """A value of the sort that is stored; decimals and times are texts here."""
        match column.type.name:
            case "integer" | "int32" | "boolean":
                return int(text)
            case "float":
                return float(text)
            case "binary":
                return bytes.fromhex(text)
            case _:
                return text

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _run(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        with errors():
            try:
                return self._connection.execute(statement, parameters).fetchall()
            except (
                sqlite3.Warning,
                sqlite3.ProgrammingError,
            ) as error:  # several statements: until Python 3.12 a warning
                raise no_query(f"SQLite: {error}") from None


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bytes) else repr(value)


def _readable(name: str, noted: str, declared: str) -> Readable:
    value = f"t.{quoted(name)}"
    if noted:
        return Readable(name, noted, DataType.parse(noted), value, value)
    kind = declared.upper()
    # "Determination Of Column Affinity" of its documentation; what may be anything is read as text.
    if "INT" in kind:
        data_type = DataType("integer")
    elif any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        data_type = DataType("string")
    elif "BLOB" in kind:
        data_type = DataType("binary")
    elif any(word in kind for word in ("REAL", "FLOA", "DOUB")):
        data_type = DataType("float")
    else:
        data_type = DataType("string")
    return Readable(name, declared or "of no type", data_type, value, value)
