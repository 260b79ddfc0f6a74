"""Opening the state by its URL. The database's libraries are imported only once there is a database to open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Stalled
from syncline.state.empty import EmptyState
from syncline.state.url import check_schema, postgresql, sqlite_path

#: The code of a state that is of an older version.
OLDER: Final = "SYN613"

if TYPE_CHECKING:
    from syncline.state.sql import SqlStore
    from syncline.state.store import StateReader


def open_store(url: str, *, schema: str = "syncline") -> SqlStore:
    """Opens the state for reading and writing; makes it, or brings it up to date, where that is needed.

    `url` is `sqlite:///` and a path (one that starts with `/` is absolute) or `postgresql://…`, which `schema` is for.
    `Invalid` for any other; `Stalled` for a state that can't be used or is newer than the program; `Again` if it can't
    be reached.
    """
    from syncline.state import schema as versions
    from syncline.state.database import open_postgresql, open_sqlite
    from syncline.state.sql import SqlStore

    check_schema(schema)
    path = sqlite_path(url)
    database = open_postgresql(postgresql(url), schema) if path is None else open_sqlite(path)
    try:
        versions.migrate(database)
        return SqlStore(database)
    except BaseException:
        database.close()
        raise


def bring_up_to_date(url: str) -> bool:
    """Brings a state of an older version up to date, if there is one; whether it was one. Raises as `open_store`."""
    try:
        open_reader(url).close()
    except Stalled as error:
        if error.code != OLDER:
            raise
        open_store(url).close()
        return True
    return False


def is_made(url: str) -> bool:
    """Whether there is a state at a URL. Raises as `open_reader`."""
    reader = open_reader(url)
    try:
        return not isinstance(reader, EmptyState)
    finally:
        reader.close()


def open_reader(url: str, *, schema: str = "syncline") -> StateReader:
    """Opens the state for reading only; an `EmptyState` where none was ever made. Changes nothing."""
    check_schema(schema)
    path = sqlite_path(url)
    if path is not None and not os.path.exists(path):  # noqa: PTH110 - of a name that is too long it says so, too
        return EmptyState()
    from syncline.state import schema as versions
    from syncline.state.database import open_postgresql, open_sqlite_reader
    from syncline.state.reader import SqlReader

    database = open_postgresql(postgresql(url), schema) if path is None else open_sqlite_reader(path)
    try:
        if not versions.ready(database):
            database.close()
            return EmptyState()
        return SqlReader(database)
    except BaseException:
        database.close()
        raise
