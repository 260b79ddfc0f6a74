"""The check of a database: connects, and says what answered, as whom and over which TLS. Writes nothing."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from syncline.connectors.sql.settings import DuckdbSettings, MariadbSettings, PostgresSettings, SqliteSettings, settings
from syncline.model.errors import Stalled
from syncline.sdk.http import Spoken
from syncline.sdk.reached import Reached

if TYPE_CHECKING:
    from syncline.connectors.sql.mariadb.database import MariadbDatabase
    from syncline.connectors.sql.postgresql.database import PostgresDatabase
    from syncline.sdk.source import Instance


def check(instance: Instance) -> Reached:
    """What the database of an instance is. Raises what a run would: `Again`, `Stalled` or `Invalid`."""
    match settings(instance):
        case SqliteSettings() | DuckdbSettings() as found:
            return _file(instance, found)
        case PostgresSettings() as found:
            from syncline.connectors.sql.postgresql.database import PostgresDatabase

            began = time.perf_counter()
            database = PostgresDatabase(found, None)
            try:
                return _postgresql(database, found, began)
            finally:
                database.close()
        case MariadbSettings() as found:
            from syncline.connectors.sql.mariadb.database import MariadbDatabase

            began = time.perf_counter()
            server = MariadbDatabase(found)
            try:
                return _mariadb(server, found, began)
            finally:
                server.close()


def _file(instance: Instance, found: SqliteSettings | DuckdbSettings) -> Reached:
    """A file that isn't there yet is made by the first run, not by a check."""
    path, began = found.path, time.perf_counter()
    system = "SQLite" if isinstance(found, SqliteSettings) else "DuckDB"
    if not path.exists():
        parent = next(p for p in path.parents if p.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            raise Stalled(
                f"{path} isn't there, and {parent} can't be written", code="SYN452", help="Give Syncline access to it."
            )
        return Reached(f"{path}: not there yet; the first run makes it", system, time.perf_counter() - began)
    from syncline.connectors.sql.opening import open_database

    database = open_database(instance)
    try:
        version = database.version()
    finally:
        database.close()
    writable = " and writable" if os.access(path, os.W_OK) else ", not writable"
    return Reached(f"{path}: readable{writable}", version, time.perf_counter() - began)


def _postgresql(database: PostgresDatabase, found: PostgresSettings, began: float) -> Reached:
    version = database.version()
    user, name, host, port = database.execute(
        "SELECT current_user::text, current_database()::text, coalesce(host(inet_server_addr()), 'a local socket'),"
        " coalesce(inet_server_port()::text, '')"
    )[0]
    tls = database.execute("SELECT version, cipher FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()")
    place = f"database {name}, schema {found.schema}, at {host}{':' + port if port else ''}"
    return Reached(
        place,
        version,
        time.perf_counter() - began,
        identity=user,
        tls=Spoken(str(tls[0][0]), str(tls[0][1])) if tls else None,
    )


def _mariadb(database: MariadbDatabase, found: MariadbSettings, began: float) -> Reached:
    version = database.version()
    ((user,),) = database.execute("SELECT current_user()")
    spoken = dict(database.execute("SHOW SESSION STATUS WHERE variable_name IN ('Ssl_version', 'Ssl_cipher')"))
    place = f"database {found.database}, at {found.host}:{found.port}"
    tls = Spoken(spoken["Ssl_version"], spoken["Ssl_cipher"]) if spoken.get("Ssl_version") else None
    return Reached(place, version, time.perf_counter() - began, identity=user, tls=tls)
