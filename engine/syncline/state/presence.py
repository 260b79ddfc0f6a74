"""Presence: a session of the state's server that ends with its process, on whatever machine that runs.

A process that takes a lease keeps one connection open, and in it an advisory lock under a number of its own, which
stands beside its leases. The server drops the lock when the connection ends: at once when the process dies, and within
four seconds when its machine falls silent. So whoever can take that lock knows that nobody is there any more. A process
that only lost its connection makes another one; if it was followed in between, fencing tokens refuse what it writes.

SQLite has no server and no sessions: its file is on one machine, where `Process.gone` knows. A proxy that gives each
transaction another connection takes the meaning out of sessions: then the time of a lease decides, or tokens do.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from sqlalchemy import text

from syncline.model.errors import Again, Stalled
from syncline.state.process import Process

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.state.database import Database

#: Seconds between looks whether the connection is still there, while leases are held.
LOOK_EVERY = 1.0

# A peer that doesn't answer is given up after one second of silence and three probes of one second; a session that
# only waits is not. Names that a version of the server doesn't know are left out.
_SET_UP = text(
    "SELECT set_config(s.name, wanted.value, false) FROM (VALUES ('tcp_keepalives_idle', '1'),"
    " ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '4000'),"
    " ('idle_session_timeout', '0')) AS wanted (name, value) JOIN pg_catalog.pg_settings s ON s.name = wanted.name"
)
_LOCK = text("SELECT pg_try_advisory_lock(:session)")
_FREE = text("SELECT pg_try_advisory_xact_lock(:session)")
_STILL_THERE = text("SELECT 1")


class Presence:
    """Of this process on a database. `session` is the number of its lock; 0 where there are no sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.session = 0 if database.schema is None else secrets.randbits(62) + 1
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._connection: Connection | None = None
        self._known = False

    def ensure(self) -> None:
        """Makes sure of the connection and its lock; `Again` or `Stalled` where the server can't be had."""
        if not self.session:
            return
        with self._lock:
            if self._connection is not None and self._lost(self._connection):
                self._drop()
            with self._database.translated():
                if self._connection is None:
                    connection = self._open.enter_context(self._database.read())
                    connection.execute(_SET_UP)
                    self._connection = connection
                if not self._known:
                    # Not to be had yet where the server hasn't noticed that an earlier connection of ours was cut.
                    self._known = bool(self._connection.execute(_LOCK, {"session": self.session}).scalar_one())

    def close(self) -> None:
        """Ends the session."""
        with self._lock:
            self._drop()

    def _lost(self, connection: Connection) -> bool:
        try:
            with self._database.translated():
                connection.execute(_STILL_THERE)
        except (Again, Stalled):
            return True
        return False

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # back in the pool, it would keep the lock
        self._connection, self._known = None, False
        with suppress(Again, Stalled):
            self._open.close()


def ended(connection: Connection, process: str) -> bool:
    """Whether a process, as it is noted beside a lease, has surely ended; in a transaction."""
    known = Process.parse(process)
    if known is None:
        return False
    return known.gone() or bool(known.session and connection.execute(_FREE, {"session": known.session}).scalar_one())
