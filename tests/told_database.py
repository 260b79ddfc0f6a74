"""What a state tells its database, as that is told it: SQLite's driver is told much past SQLAlchemy, and tells of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.event import listen

if TYPE_CHECKING:
    from syncline.state.database import Database


def told(database: Database, tell: Callable[[str], None]) -> None:
    """Calls `tell` from now on with each statement, `COMMIT` too, before it takes effect, in the thread that makes it."""
    engine = database.engine
    if engine.dialect.name != "sqlite":
        listen(engine, "before_cursor_execute", lambda _connection, _cursor, statement, *_: tell(statement))
        listen(engine, "commit", lambda _: tell("COMMIT"))
        return

    def tells(driver: Any, *_: object) -> None:
        driver.set_trace_callback(tell)

    database.close()  # nobody goes on with a connection that was made before; others are made when they are needed
    listen(engine, "connect", tells)
