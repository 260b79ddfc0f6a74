"""Which version the tables have, and bringing them to the program's own. Alembic is imported only where there is work.

The revisions are written down here so that a start costs one query and no look at the scripts; a test compares.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.state.database import Database

#: Every revision in `migrations/versions`, oldest first.
REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0010",
    "0008",
    "0012",
    "0011",
    "0009",
    "0017",
    "0019",
    "0020",
    "0021",
    "0024",
    "0025",
    "0026",
    "0027",
    "0028",
    "0029",
    "0030",
)
HEAD = REVISIONS[-1]

SCRIPTS = Path(__file__).parent / "migrations"


def ready(database: Database) -> bool:
    """Whether the tables are there, at the program's version; False where there are none yet.

    `Stalled` where they are of an older version (which a reader doesn't change) or of one that isn't known.
    """
    with database.read() as connection:
        version = database.version(connection)
    if version is None:
        return False
    _refuse_unknown(version, database.name)
    if version != HEAD:
        raise Stalled(
            f"the state in {database.name} has version {version}, and this program reads {HEAD}",
            code="SYN613",
            help="Run `syncline apply`, which brings it up to date.",
        )
    return True


def migrate(database: Database) -> None:
    """Brings the tables to `HEAD` in one transaction. Of two processes at once, one does it and the other waits."""
    with database.read() as connection:
        if database.version(connection) == HEAD:
            return
    with database.write(durable=True) as connection:
        if database.schema is not None:
            # SQLite's transaction already keeps others out.
            database.patient(connection)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({zlib.crc32(database.schema.encode())})")
        version = database.version(connection)
        if version == HEAD:
            return
        if version is None:
            _refuse_foreign(connection, database)
        else:
            _refuse_unknown(version, database.name)
        if database.schema is not None:
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"')
        _upgrade(connection, database.schema)


def _upgrade(connection: Connection, schema: str | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    command.upgrade(config, "head")


def _refuse_unknown(version: str, name: str) -> None:
    if version not in REVISIONS:
        raise Stalled(
            f"the state in {name} has version {version}, which this program doesn't know: it knows up to {HEAD}",
            code="SYN612",
            help="Use the version of Syncline that wrote it, or a newer one. Nothing was changed.",
        )


def _refuse_foreign(connection: Connection, database: Database) -> None:
    """Keeps our tables out of a file that is somebody else's. A schema of PostgreSQL was named for us by its owner."""
    if database.schema is None and connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
        raise Stalled(
            f"{database.name} is a database of something else than Syncline's state",
            code="SYN614",
            help="Name another file for the state.",
        )
