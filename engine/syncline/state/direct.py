"""Statements that ticks, applies and runs make: compiled once, and on SQLite given to the driver itself.

What SQLAlchemy does around a statement takes ten times as long there as the statement. On PostgreSQL, where that is
little beside the round trip, and the pool has to hear of connections that are lost, they go the usual way. How a
statement is composed, and of which types its values are, is said once for both.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete, Insert, Select, Update
    from sqlalchemy.types import TypeEngine

_DIALECT = sqlite.dialect(paramstyle="named")

_Process = Callable[[Any], Any]


class Direct:
    """A statement without lists of values, which differ in length."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows that it gives; a row has its columns by their names, and is equal to one with the same values."""
        if (driver := _driver(connection)) is None:
            return connection.execute(self._statement, values).all()
        compiled = self._for(values)
        found = driver.execute(compiled.sql, compiled.bound(values)).fetchall()
        return list(map(compiled.read if compiled.result else compiled.row, found))

    def each(self, connection: Connection, values: Mapping[str, Any]) -> Iterator[Any]:
        """Its rows one by one, within the block of the connection: of thousands, none is kept."""
        if (driver := _driver(connection)) is None:
            yield from connection.execute(self._statement, values)
            return
        compiled = self._for(values)
        for row in driver.execute(compiled.sql, compiled.bound(values)):
            yield compiled.read(row)

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first of the rows, or None."""
        rows = self.rows(connection, values)
        return rows[0] if rows else None

    def value(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first value of the first row; None where there is no row."""
        rows = self.rows(connection, values)
        return rows[0][0] if rows else None

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Runs what gives no rows; how many it changed."""
        if (driver := _driver(connection)) is None:
            return connection.execute(self._statement, values).rowcount
        compiled = self._for(values)
        return driver.execute(compiled.sql, compiled.bound(values)).rowcount

    def run_many(self, connection: Connection, several: Sequence[Mapping[str, Any]]) -> None:
        """Runs it with each of these values, which have the same names."""
        if (driver := _driver(connection)) is None:
            connection.execute(self._statement, several)
            return
        compiled = self._for(several[0])
        driver.executemany(compiled.sql, [compiled.bound(values) for values in several])

    def _for(self, values: Mapping[str, Any]) -> _Compiled:
        """For values of these names: they say which columns are written."""
        names = tuple(values)
        found = self._compiled.get(names)
        if found is None:
            found = self._compiled[names] = _compiled(self._statement, names)
        return found


class _Compiled(Struct, frozen=True):
    """A statement in SQLite's words, and how values get there and back."""

    sql: str
    constants: Mapping[str, Any]
    bind: tuple[tuple[str, _Process], ...]
    row: Callable[[Sequence[Any]], Any]
    result: tuple[tuple[int, _Process], ...]

    def bound(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {**self.constants, **values}
        for name, process in self.bind:
            given[name] = process(given[name])
        return given

    def read(self, row: tuple[Any, ...]) -> Any:
        values = list(row)
        for at, process in self.result:
            values[at] = process(values[at])
        return self.row(values)


def _compiled(statement: Select[Any] | Insert | Update | Delete, names: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=_DIALECT, column_keys=list(names))
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    columns = {str(name): column for name, column in statement.exported_columns.items()}
    return _Compiled(
        str(compiled),
        constants,
        tuple(
            (name, process)
            for bind, name in compiled.bind_names.items()
            if (process := _impl(bind.type).bind_processor(_DIALECT)) is not None
        ),
        partial(tuple.__new__, namedtuple("Row", columns)),  # noqa: PYI024 - its fields are known when the statement is
        tuple(
            (at, process)
            for at, column in enumerate(columns.values())
            if (process := _impl(column.type).result_processor(_DIALECT, None)) is not None
        ),
    )


def _impl(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.dialect_impl(_DIALECT)


def _driver(connection: Connection) -> sqlite3.Connection | None:
    """The driver's own connection, where that is SQLite's."""
    driver: Any = connection.connection.dbapi_connection
    return driver if isinstance(driver, sqlite3.Connection) else None
