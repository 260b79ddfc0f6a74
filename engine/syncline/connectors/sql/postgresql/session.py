"""Sessions of PostgreSQL: how it is connected to, and connections that are kept to be used again."""

from __future__ import annotations

import hashlib
import select
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.postgresql.errors import refused
from syncline.connectors.sql.postgresql.hosts import hosts
from syncline.connectors.sql.postgresql.statements import Statements
from syncline.model.tls import OLDEST
from syncline.state.libpq import secured, verified

if TYPE_CHECKING:
    import psycopg

    from syncline.connectors.sql.settings import PostgresSettings
    from syncline.sdk.keep import Keep

#: Dates are understood and printed as ISO 8601 in UTC, numbers with all of their digits; names are looked up nowhere
#: but in the catalogue, so that all of ours are qualified. Statements over a batch are over before compiling them pays:
#: with it, joining one took five times as long. A lock is waited for, but not for ever. Statements of a transaction
#: follow each other at once: where one doesn't, its process is stopped, and what it has locked is given to others.
_SESSION = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c extra_float_digits=1 -c bytea_output=hex -c jit=off"
    " -c search_path=pg_catalog,pg_temp -c lock_timeout=60s -c idle_in_transaction_session_timeout=30s"
    " -c default_transaction_isolation=read\\ committed -c client_min_messages=warning"
)

#: Seconds. A peer that falls silent is noticed within two minutes.
_NETWORK = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 120_000,
}


def connect(settings: PostgresSettings) -> psycopg.Connection:
    """A new connection, whose statements are transactions of their own. An error says what to do, without the login."""
    import psycopg

    login: dict[str, Any] = {}
    if settings.user:
        login["user"] = settings.user
    if settings.password is not None:
        login["password"] = settings.password.reveal()
    try:
        found = hosts(settings)
        with _secured(settings) as asked:
            return psycopg.connect(
                settings.url,
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
                prepare_threshold=None,  # `Statements` prepares
                application_name="syncline",
                options=_SESSION,
                client_encoding="utf8",
                **{**_NETWORK, **login, **asked, **found},
            )
    except psycopg.Error as error:
        raise refused(error) from None
    except OSError as error:  # its name isn't known
        raise refused(psycopg.OperationalError(str(error))) from None
    finally:
        del login


@contextmanager
def _secured(settings: PostgresSettings) -> Iterator[dict[str, str]]:
    """The parameters of libpq that ask for what is declared, while the files that they name are there.

    What isn't declared is as the URL has it, but for its mode; without `tls`, the mode is the URL's, too.
    """
    from syncline.sdk.http.tls import private_file

    tls = settings.tls
    if tls is None:
        yield secured(settings.url)
        return
    with ExitStack() as files:

        def file(content: str) -> str:
            return files.enter_context(private_file(content.encode()))

        asked = verified(settings.url)
        if tls.minimum != OLDEST:
            asked["ssl_min_protocol_version"] = f"TLSv{tls.minimum}"
        if tls.ca:
            asked["sslrootcert"] = file(tls.ca)
        if tls.chain:
            asked |= {"sslcert": file(tls.chain), "sslkey": file(tls.key.reveal() if tls.key else "")}
        yield asked


@dataclass(slots=True)
class Session:
    """A connection, statements on it, and the staging tables that were made in it."""

    connection: psycopg.Connection
    statements: Statements = field(init=False)
    stages: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.statements = Statements(self.connection)

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()


def kept(keep: Keep, identity: tuple[str, ...]) -> Session | None:
    """An idle connection that still answers: it may have been cut while nobody looked."""
    import psycopg

    while (session := keep.take(identity, Session)) is not None:
        with suppress(psycopg.Error):
            if _spoken(session.connection.fileno()):
                session.statements.run("")
            return session
        session.close()
    return None


def _spoken(descriptor: int) -> bool:
    """Whether the server said something, or hung up, while a connection was idle; found out without a word to it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def identity_of(settings: PostgresSettings) -> tuple[str, ...]:
    """What a connection is to: another password or key, after a rotation, is another. Kept as a digest only."""
    tls = settings.tls
    secrets = [part.reveal() for part in (settings.password, tls.key if tls is not None else None) if part is not None]
    return (
        "postgresql",
        settings.url,
        settings.user,
        repr(tls),
        repr(settings.bounds),
        hashlib.sha256("\0".join(secrets).encode(errors="surrogatepass")).hexdigest(),
    )
