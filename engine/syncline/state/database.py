"""Connections of the state store, and everything in which SQLite and PostgreSQL differ: transactions, clock, upserts,
errors. No table is named here.

Durability on SQLite (WAL). Every commit survives the death of the process. Against loss of power, a commit is
`durable` (`synchronous=FULL`: the log is on the disk before the call returns) or not (`NORMAL`: the last few may be
undone, in order, and nothing is ever damaged). The journal and the objects, sealed rejects and final runs with their
receipts are durable. Copies of cursors, runs under way, logs, metrics and leases are not: the truth of a cursor is at
the destination, a run that lost its last state is resumed, and no holder of a lease survives the loss of power. A
durable commit carries all earlier ones with it. PostgreSQL does as its server is set up, which is durable always
unless somebody chose otherwise.

Clock. Leases use the database's: `clock_timestamp()` on PostgreSQL; on SQLite, whose file is on one machine, that
machine's wall clock.
"""

from __future__ import annotations

import copy
import errno
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Semaphore
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event, exc, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool

from syncline.model.errors import Again, Bug, Stalled
from syncline.state.libpq import secured

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.dialects import postgresql

BUSY_SECONDS = 10.0
#: Pages that a connection to SQLite keeps, in KiB: there are a dozen, and the system keeps the file's pages as well.
PAGES_KIB = 512
CONNECT_SECONDS = 10

#: What libpq is told. A server that falls silent is given up within fifteen seconds, so that who waits for it goes on.
_NETWORK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

#: Seconds after which the server ends a session that fell silent in a transaction, whose locks others wait for: its
#: machine was cut off, and the server can't know. No transaction of ours waits for anything but the server.
SILENT_SECONDS = 20
#: Seconds for which a statement waits for a row that another session holds, as on SQLite; who waited in vain ends the
#: sessions of ours that have been silent for half of that, since a server under load was seen to miss its own time.
LOCK_SECONDS = BUSY_SECONDS
#: Seconds for which a migration may be silent.
PATIENT_SECONDS = 60
#: What sessions of a state are called. Data may be in the same database, in sessions that are rightly silent for long.
_NAME = "syncline-state"
_END_SILENT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = current_setting('application_name')"
    " AND usename = current_user AND datname = current_database() AND state LIKE 'idle in transaction%'"
    " AND state_change < clock_timestamp() - make_interval(secs => :seconds)"
)
_LOCK_NOT_AVAILABLE = "55P03"

# Connections beyond one a thread are never needed at once; a pool that runs dry says so instead of waiting for ever.
MOST = 32
POOL = {"pool_size": 8, "max_overflow": MOST - 8, "pool_timeout": BUSY_SECONDS, "hide_parameters": True}

_UNREACHABLE_HELP = "It is tried again by itself where the work is repeated; else run the command again."


@cache
def _insert(table: Table, *, in_sqlite: bool) -> sqlite.Insert | postgresql.Insert:
    if in_sqlite:
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 20 ms, not needed where the state is in SQLite

    return postgresql.insert(table)


class Database:
    """A pool of connections to one SQLite file or one schema of PostgreSQL; safe to share between threads.

    `name` is what messages call it, without its password. `clock` is SQLite's, for tests.
    """

    def __init__(
        self, engine: Engine, name: str, schema: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.engine = engine
        self.name = name
        self.schema = schema
        self._clock = clock
        self._fences: tuple[Callable[[Connection], None], ...] = ()
        self._sqlite = engine.dialect.name == "sqlite"
        self._lent = _Lent(engine)
        # A single statement needs no BEGIN around it: one round trip instead of three.
        self._reading = engine if self._sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which each statement sees one moment; not two statements the same."""
        with self.translated(), self._lent.read() if self._sqlite else self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction, committed at the end of the block. On SQLite it is the only writer from its start."""
        begun = self._lent.write("FULL" if durable else "NORMAL") if self._sqlite else self.engine.begin()
        with self.translated(), begun as connection:
            for fence in self._fences:
                fence(connection)
            yield connection

    def fenced(self, fence: Callable[[Connection], None]) -> Database:
        """The same database, on which every transaction that writes begins with `fence`, which raises to refuse it."""
        fenced = copy.copy(self)
        fenced._fences = (*self._fences, fence)  # noqa: SLF001 - our own class
        return fenced

    def overwrite(self, connection: Connection) -> None:
        """Has what this connection deletes be overwritten in SQLite's file; on PostgreSQL the vacuum does it later."""
        if self._sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete=ON")

    def now(self, connection: Connection) -> float:
        """The database's clock, in seconds since 1970; not the start of the transaction, which may have waited."""
        if self._sqlite:
            return self._clock()
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say what to do where the row exists; both databases take the same words.

        One for each table: what it composes to say `excluded` costs more than running it.
        """
        return _insert(table, in_sqlite=self._sqlite)

    def version(self, connection: Connection) -> str | None:
        """The revision in `alembic_version`, None where there is no such table."""
        if self._sqlite:
            known = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
            table = "alembic_version"
        else:
            table = f'"{self.schema}".alembic_version'
            known = f"SELECT to_regclass('{table}')"
        if connection.exec_driver_sql(known).scalar() is None:
            return None
        found = connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalar()  # noqa: S608 - no input in it
        return None if found is None else str(found)

    def close(self) -> None:
        """Closes all connections."""
        self._lent.close()
        self.engine.dispose()

    def end_silent(self) -> None:
        """Ends sessions of ours, here or on machines that were cut off, that hold locks and have fallen silent."""
        with suppress(exc.DBAPIError, exc.TimeoutError), self._reading.connect() as connection:
            connection.execute(_END_SILENT, {"seconds": LOCK_SECONDS / 2})

    def patient(self, connection: Connection) -> None:
        """Has the rest of a transaction wait for locks as long as it takes; who waits for it itself doesn't end it."""
        if not self._sqlite:
            connection.exec_driver_sql(
                f"SET LOCAL lock_timeout = 0; SET LOCAL application_name = '{_NAME}-patient'; "
                f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENT_SECONDS}s'"
            )

    def translated(self) -> _Translated:
        """For a block, turns the driver's errors into ours, without the values that a statement had."""
        return _Translated(self)


class _Translated:
    """`Database.translated`. No generator, which costs several times as much: every look at the state is in one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        """Nothing is to be done before an error."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            return
        name = self._database.name
        if isinstance(error, sqlite3.Error):
            raise _of_sqlite(error, name) from error
        if isinstance(error, exc.DBAPIError):
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                self._database.end_silent()
            raise _ours(error, name) from error
        if isinstance(error, exc.TimeoutError):
            raise Again(f"no connection to {name} became free", code="SYN615", help=_UNREACHABLE_HELP) from error


class _Lent:
    """Connections to SQLite, lent to one after the other: what a pool does around a short transaction takes as long as
    that. One whose block fails goes back to the pool, which rolls it back. As many are lent as the pool has; who comes
    then waits for one, as there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Connection] = []
        self._left = Semaphore(MOST)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        connection = self._taken()
        try:
            yield connection
        except BaseException:
            self._give_up(connection)
            raise
        self._give_back(connection)

    @contextmanager
    def write(self, level: str) -> Iterator[Connection]:
        """A transaction of the only writer. Said to the driver itself, which takes a tenth of the time."""
        connection = self._taken()
        try:
            driver: Any = connection.connection.dbapi_connection
            if connection.info.get("synchronous") != level:
                driver.execute(f"PRAGMA synchronous={level}")
                connection.info["synchronous"] = level
            driver.execute("BEGIN IMMEDIATE")
            yield connection
            driver.commit()
        except BaseException:
            self._give_up(connection)
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Gives those that are lent to nobody back to the pool."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> Connection:
        if not self._left.acquire(timeout=BUSY_SECONDS):
            raise exc.TimeoutError
        with suppress(IndexError):
            return self._idle.pop()
        try:
            return self._engine.connect()
        except BaseException:
            self._left.release()
            raise

    def _give_back(self, connection: Connection) -> None:
        try:
            if connection.in_transaction():  # as SQLAlchemy takes it, of statements that it ran: SQLite's own is over
                connection.rollback()
            self._idle.append(connection)
        finally:
            self._left.release()

    def _give_up(self, connection: Connection) -> None:
        try:
            connection.close()
        finally:
            self._left.release()


def open_sqlite(path: Path, clock: Callable[[], float] = time.time) -> Database:
    """Opens a SQLite file; makes it (mode 600) and its folder (mode 700) where they are missing."""
    path = path.absolute()
    name = str(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unusable(name, error.strerror or str(error)) from error

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(connection)
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA cache_size=-{PAGES_KIB}")
        except BaseException:
            connection.close()
            raise
        return connection

    return Database(create_engine("sqlite://", creator=connect, poolclass=QueuePool, **POOL), name, clock=clock)


def open_sqlite_reader(path: Path) -> Database:
    """Opens an existing SQLite file for reading only."""
    path = path.absolute()
    # Reading a WAL database takes its `-shm` file, which can't be made in a folder that isn't ours to write; without a
    # log beside it the file is then complete, and as nobody can write there, nobody changes it under us.
    logged = path.with_name(path.name + "-wal").exists()
    immutable = "" if logged or os.access(path.parent, os.W_OK) else "&immutable=1"
    uri = f"file:{quote(str(path))}?mode=ro{immutable}"

    def opened(more: str = "") -> sqlite3.Connection:
        return sqlite3.connect(
            uri + more, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def connect() -> sqlite3.Connection:
        connection = opened()
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            log = path.with_name(path.name + "-wal")
            if immutable or (log.exists() and log.stat().st_size):
                raise
            # The disk is full, so that `-shm` can't be made, by anybody; without a log the file is complete.
            connection = opened("&immutable=1")
        except BaseException:
            connection.close()
            raise
        return connection

    return Database(create_engine("sqlite://", creator=connect, poolclass=QueuePool, **POOL), str(path))


def open_postgresql(url: str, schema: str) -> Database:
    """Opens a schema of a PostgreSQL database (`postgresql://…`, with libpq's parameters)."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        connect_args=_NETWORK | secured(url) | dict(parsed.query) | {"application_name": _session_name(schema)},
        execution_options={"schema_translate_map": {None: schema}},
        **POOL,
    )
    event.listen(engine, "connect", _bounded)
    shown = parsed.set(drivername="postgresql", password=None, query={}).render_as_string()
    return Database(engine, shown, schema)


def _session_name(schema: str) -> str:
    """What the server calls a session of a state, cut to what it keeps of a name."""
    return f"{_NAME}:{schema}".encode()[:63].decode(errors="ignore")


def _bounded(connection: Any, record: object) -> None:
    del record
    connection.execute(
        f"SET idle_in_transaction_session_timeout = '{SILENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s'"
    )
    connection.commit()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches a file of ours to WAL; one of somebody else's stays as it is, to be refused later.

    Who else is just opening it makes that fail at once, past SQLite's own time-out: hence the loop.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "alembic_version" not in tables:
        return
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


#: What libpq says without a code for which trying again is no help: a server's refusal, a parameter it can't take.
_REFUSED = re.compile(
    r"authentication failed|does not exist|invalid (\w+ value: |integer value )"
    r"|not support SSL|certificate verify failed|server certificate for"
)
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRES_STALLED = ("28", "3D", "42501", "53100", "XX")  # credentials, no database, no permission, disk full, damaged


def _said(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]


def _of_sqlite(error: sqlite3.Error, name: str) -> Again | Stalled | Bug:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _SQLITE_BUSY:
        return Again(f"{name} is busy: {_said(error)}", code="SYN615", help=_UNREACHABLE_HELP)
    if code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE}:
        return Bug(f"the state in {name} refused a statement: {_said(error)}")
    return _unusable(name, _said(error))


def _ours(error: exc.DBAPIError, name: str) -> Again | Stalled | Bug:
    """What a driver's error means for who called."""
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, name)
    said = _said(original)
    state = getattr(original, "sqlstate", None)
    if isinstance(error, exc.OperationalError) or error.connection_invalidated:
        # Without a state, the server wasn't reached, or refused us before it spoke the protocol.
        refused = state is None and _REFUSED.search(str(original)) is not None
        if refused or (state or "").startswith(_POSTGRES_STALLED):
            return _unusable(name, said)
        if state == _LOCK_NOT_AVAILABLE:
            said = f"another session has held a row for more than {LOCK_SECONDS:g} s ({said})"
            return Again(f"{name} is busy: {said}", code="SYN615", help=_UNREACHABLE_HELP)
        return Again(f"{name} doesn't answer: {said}", code="SYN615", help=_UNREACHABLE_HELP)
    if (state or "").startswith(_POSTGRES_STALLED):
        return _unusable(name, said)
    return Bug(f"the state in {name} refused a statement: {said}")


def _unusable(name: str, said: str) -> Stalled:
    help_ = "Free some space." if said in {os.strerror(errno.ENOSPC), "database or disk is full"} else ""
    if "not support SSL" in said:
        help_ = "Switch TLS on at the server, or say ?sslmode=disable in SYNCLINE_STATE where the network is trusted."
    elif "certificate" in said:
        help_ = "Check the host's name in SYNCLINE_STATE; a private authority is named there by ?sslrootcert=FILE."
    return Stalled(f"the state in {name} can't be used: {said}", code="SYN614", help=help_)
