"""Sessions of MariaDB: how it is connected to, how parameters reach a statement, and the driver's errors as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.mariadb import types
from syncline.connectors.sql.mariadb.errors import translated
from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from syncline.connectors.sql.mariadb.wire import Wire
    from syncline.connectors.sql.settings import MariadbSettings

#: Names are quoted as everywhere here, a backslash is a character, and what doesn't fit is an error. Texts are compared
#: by their characters; a lock is waited for, but not for ever; whoever falls silent in a transaction loses its locks,
#: whether it has written yet or only locked what it is going to write.
_SESSION = (
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_ZERO_DATE,"
    "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',"
    f" collation_connection = {types.COLLATION}, tx_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 60,"
    " lock_wait_timeout = 60, idle_write_transaction_timeout = 30, idle_transaction_timeout = 30"
)

#: Seconds to wait for a connection.
_CONNECT = 10

#: A parameter, after all that only looks like one: literals, quoted names, comments, and names such as `price$1`.
_PARAMETER = re.compile(
    r"""'[^']*'|"[^"]*"|`[^`]*`|--\s[^\n]*|\#[^\n]*|/\*.*?\*/|%|(?<![\w$])\$(\d+)(?![\w$])""", re.DOTALL
)


def connect(settings: MariadbSettings) -> Wire:
    """A connection whose session is set up. `Stalled` (SYN716) where its driver isn't installed."""
    try:
        from syncline.connectors.sql.mariadb.wire import Error, Wire
    except ImportError:
        raise Stalled(
            "writing to MariaDB needs the package PyMySQL, which isn't installed",
            code="SYN716",
            help="Install syncline with it: pip install 'syncline[mariadb]'.",
        ) from None

    from syncline.sdk.http import TransportError, context_of

    secured = {"ssl": context_of(settings.tls)} if settings.tls is not None else {"ssl_disabled": True}
    password = settings.password.reveal() if settings.password is not None else ""
    with errors():
        try:
            connection = Wire(
                host=settings.host,
                port=settings.port,
                user=settings.user or None,
                password=password,
                database=settings.database,
                charset="utf8mb4",
                autocommit=True,
                local_infile=True,
                connect_timeout=_CONNECT,
                program_name="syncline",
                bounds=settings.bounds,
                **secured,
            )
        except TransportError as error:  # a key that isn't pinned
            raise Stalled(f"MariaDB: {error}", code=error.code, help=error.help) from None
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
        except (Error, OSError):
            connection.close()
            raise
        return connection


def filled(statement: str, parameters: Sequence[Any]) -> tuple[str, tuple[Any, ...] | None]:
    """A statement with the driver's own marks in the place of `$1`, `$2`…, and their values."""
    if not parameters:
        return statement, None
    given: list[Any] = []

    def mark(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0].replace("%", "%%")
        given.append(parameters[int(found[1]) - 1])
        return "%s"

    return _PARAMETER.sub(mark, statement), tuple(given)


@contextmanager
def errors() -> Iterator[None]:
    """The driver's errors as ours."""
    from syncline.connectors.sql.mariadb.wire import Error

    try:
        yield
    except Error as error:
        number, message = (*error.args, "")[:2] if error.args else (0, "")
        raise translated(number if isinstance(number, int) else 0, str(message)) from None
