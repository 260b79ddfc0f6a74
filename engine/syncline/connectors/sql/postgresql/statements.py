"""Statements of a session, given to libpq itself.

What psycopg's cursors do around a statement takes two thirds of it here, and a tiny sync has seventeen of them. How
values go and come is psycopg's: `Transformer` is what its cursors adapt with. COPY goes by its cursors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from psycopg.pq.abc import PGresult

#: From so many times on a statement is prepared: planned once, as psycopg does by itself.
_OFTEN = 5

#: Statements that are prepared, or counted, at a time.
_MOST = 100

#: What a prepared statement is about may be another thing after these.
_CHANGES = (b"DROP", b"ALTER", b"ROLLBACK", b"DISCARD")


class Statements:
    """Runs statements on a connection, one thread at a time. An error is `psycopg.Error`, as that of a cursor."""

    def __init__(self, connection: psycopg.Connection) -> None:
        from psycopg.adapt import PyFormat, Transformer
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        self._server = connection.pgconn
        self._values = Transformer(connection)
        self._auto = PyFormat.AUTO
        self._error = error_from_result
        self._tuples, self._nothing = int(ExecStatus.TUPLES_OK), (ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)
        self._counts: dict[tuple[str, tuple[int, ...]], int] = {}
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs one statement or several, without parameters; the rows of the last one."""
        return self._rows(self._server.exec_(statement.encode()))

    def run_with(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Runs one statement, which may have parameters `$1` and so on; its rows. Of several it runs none."""
        given = self._values.dump_sequence(parameters, [self._auto] * len(parameters))
        types, formats = self._values.types or (), self._values.formats
        name = self._prepared(statement, types)
        if name is None:
            return self._rows(self._server.exec_params(statement.encode(), given, types, formats))
        # A null is None, which libpq takes; the declaration of `exec_prepared` doesn't know it.
        return self._rows(self._server.exec_prepared(name, given, formats))  # type: ignore[arg-type]

    def _prepared(self, statement: str, types: tuple[int, ...]) -> bytes | None:
        """The name by which a statement is prepared, if it comes often enough."""
        key = (statement, types)
        if (name := self._names.get(key)) is not None:
            return name
        if (count := self._counts.pop(key, 0) + 1) <= _OFTEN:
            if len(self._counts) >= _MOST:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = count
            return None
        if len(self._names) >= _MOST:
            self._forget()
        name = f"syncline_{len(self._names)}".encode()
        self._rows(self._server.prepare(name, statement.encode(), types))
        self._names[key] = name
        return name

    def _rows(self, result: PGresult) -> list[tuple[Any, ...]]:
        if (status := result.status) == self._tuples:
            self._values.set_pgresult(result)
            return self._values.load_rows(0, result.ntuples, tuple)
        if status not in self._nothing:
            raise self._error(result)
        if self._names and (result.command_status or b"").startswith(_CHANGES):
            self._forget()
        return []

    def _forget(self) -> None:
        """Deallocates what is prepared. Whoever comes here has just left a transaction that failed, or was in none."""
        self._names.clear()
        self._rows(self._server.exec_(b"DEALLOCATE ALL"))
