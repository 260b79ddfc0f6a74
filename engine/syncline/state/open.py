"""Opening the state by its URL. The database's libraries are imported only once there is a database to open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid
from syncline.state.empty import EmptyState

if TYPE_CHECKING:
    from syncline.state.sql import SqlStore
    from syncline.state.store import StateReader

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def open_store(url: str, *, schema: str = "syncline") -> SqlStore:
    """Opens the state for reading and writing; makes it, or brings it up to date, where that is needed.

    `url` is `sqlite:///` and a path (one that starts with `/` is absolute) or `postgresql://…`, which `schema` is for.
    `Invalid` for any other; `Stalled` for a state that can't be used or is newer than the program; `Again` if it can't
    be reached.
    """
    from syncline.state import schema as versions
    from syncline.state.database import open_postgresql, open_sqlite
    from syncline.state.sql import SqlStore

    path = _sqlite_path(url, schema)
    database = open_postgresql(_postgresql(url), schema) if path is None else open_sqlite(path)
    try:
        versions.migrate(database)
        return SqlStore(database)
    except BaseException:
        database.close()
        raise


def open_reader(url: str, *, schema: str = "syncline") -> StateReader:
    """Opens the state for reading only; an `EmptyState` where none was ever made. Changes nothing."""
    path = _sqlite_path(url, schema)
    if path is not None and not path.exists():
        return EmptyState()
    from syncline.state import schema as versions
    from syncline.state.database import open_postgresql, open_sqlite_reader
    from syncline.state.reader import SqlReader

    database = open_postgresql(_postgresql(url), schema) if path is None else open_sqlite_reader(path)
    try:
        if not versions.ready(database):
            database.close()
            return EmptyState()
        return SqlReader(database)
    except BaseException:
        database.close()
        raise


def _sqlite_path(url: str, schema: str) -> Path | None:
    """The path in a SQLite URL; None for PostgreSQL."""
    if url.startswith(_POSTGRESQL) and _SCHEMA.fullmatch(schema):
        return None
    path = url.removeprefix(_SQLITE)
    if url.startswith(_POSTGRESQL):
        raise Invalid(
            f"{schema!r} can't be the schema of the state",
            code="SYN617",
            help="Use lower-case letters, digits and underscores, at most 63, and no digit first.",
        )
    if path in {"", ":memory:", url}:
        scheme = url.partition(":")[0] if "://" in url else "a path"
        raise Invalid(
            f"the state's URL is neither SQLite's nor PostgreSQL's: it begins with {scheme}",
            code="SYN617",
            help="Write sqlite:///PATH/state.db or postgresql://USER@HOST/DATABASE.",
        )
    return Path(path)


def _postgresql(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
