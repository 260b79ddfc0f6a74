"""
New states for tests, without Alembic each time: what the migrations execute on an empty database is recorded once in a
process and executed again for every later one. `tests/unit/state/test_schema.py` runs the migrations themselves, and
`test_recorded_migrations.py` compares the two.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from syncline.state import schema as versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

#: Each state has a lineage of its own, which the first migration draws.
_LINEAGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Recorder:
    """Stands for `schema._upgrade`: the migrations the first time on each sort of database, their record after it.

    `upgrade` is what it stands for.
    """

    def __init__(self, upgrade: Callable[[Connection, str | None], None]) -> None:
        self.upgrade = upgrade
        self._recorded: dict[str, tuple[str, list[tuple[str, Any]]]] = {}

    def recorded(self, sort: str) -> bool:
        """Whether a database of this sort (`sqlite`, `postgresql`) is made from the record by now."""
        return sort in self._recorded

    def __call__(self, connection: Connection, schema: str | None) -> None:
        sort = connection.dialect.name
        if not _empty(connection, schema):
            self.upgrade(connection, schema)
        elif sort in self._recorded:
            before, statements = self._recorded[sort]
            for text, parameters in statements:
                connection.exec_driver_sql(_renamed(text, before, schema or ""), _drawn(parameters))
        else:
            with _recording(connection) as statements:
                self.upgrade(connection, schema)
            self._recorded[sort] = (schema or "", statements)


@contextmanager
def recorded_migrations() -> Iterator[Recorder]:
    """Within the block, states are made from the record."""
    with pytest.MonkeyPatch.context() as patch:
        current = versions._upgrade
        recorder = Recorder(current.upgrade if isinstance(current, Recorder) else current)
        patch.setattr(versions, "_upgrade", recorder)
        yield recorder


@contextmanager
def _recording(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, _many: bool) -> None:
        if text.split(maxsplit=1)[0].upper() not in {"SELECT", "PRAGMA"}:
            statements.append((text, parameters))

    event.listen(connection, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", record)


def _empty(connection: Connection, schema: str | None) -> bool:
    if schema is None:
        return not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return not connection.exec_driver_sql(
        "SELECT count(*) FROM pg_tables WHERE schemaname = %(schema)s", {"schema": schema}
    ).scalar_one()


def _renamed(text: str, before: str, schema: str) -> str:
    """The statement with the schema that it is executed in now."""
    return re.sub(rf'(?<![\w"])"?{before}"?\.', f'"{schema}".', text) if before else text


def _drawn(parameters: Any) -> Any:
    """The parameters, with another lineage in place of the recorded one."""
    if isinstance(parameters, dict):
        return {name: _fresh(value) for name, value in parameters.items()}
    return tuple(_fresh(value) for value in parameters)


def _fresh(value: Any) -> Any:
    return str(uuid4()) if isinstance(value, str) and _LINEAGE.fullmatch(value) else value
