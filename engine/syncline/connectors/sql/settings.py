"""
Which database an integration means, from its configuration: a `path` is a file of SQLite or, where `engine` says so, of
DuckDB; a `url` is a server of PostgreSQL or MariaDB, as its scheme says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from syncline.model.errors import Invalid
from syncline.model.hosts import is_local
from syncline.model.reserved import HELP, is_reserved
from syncline.model.secret import Secret
from syncline.model.tls import OLDEST, Oldest, oldest
from syncline.sdk.http.authorities import read_authorities
from syncline.sdk.source import Instance


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A database file. Its folder is made when it is opened."""

    path: Path


@dataclass(frozen=True, slots=True)
class DuckdbSettings:
    """A database file of DuckDB. Its folder is made when it is opened."""

    path: Path


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """A server, a database and a schema. `url` holds no credentials; `user` empty leaves the choice to libpq."""

    url: str
    schema: str
    user: str = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class MariadbSettings:
    """A server and a database. With `tls`, nothing is said in the clear; `ca` has the only authorities (PEM)."""

    host: str
    port: int
    database: str
    user: str = ""
    password: Secret | None = None
    tls: bool = True
    ca: str = ""
    tls_min: Oldest = OLDEST


Settings = SqliteSettings | DuckdbSettings | PostgresSettings | MariadbSettings


def settings(instance: Instance) -> Settings:
    """
    Reads the configuration of an instance.

    `path` is relative to the instance's root, stays inside it, and out of reserved folders. `url` is
    `postgresql://host:port/database`, with libpq's parameters (`?sslmode=verify-full&sslrootcert=…`), or
    `mariadb://host:port/database`, without user and password: those come from an AuthConfig of type `basic`. MariaDB is
    spoken to over TLS unless `tls` is `off`, or it is on this machine and `tls` isn't `verify`; over 1.3, unless
    `tlsMin` is `1.2`. Anything else is `Invalid`.
    """
    config = instance.config
    match config.get("path"), config.get("url"):
        case str(path), None:
            file = _inside(instance, path)
            return DuckdbSettings(file) if config.get("engine") == "duckdb" else SqliteSettings(file)
        case None, str(url):
            return _server(instance, url)
        case _:
            raise _invalid(f"{instance.name}: a database needs either `path` (of its file) or `url` (of its server)")


def _inside(instance: Instance, path: str) -> Path:
    if not path or "\0" in path:
        raise _invalid("`path` is not the path of a file")
    base = instance.root.resolve()
    found = (base / path).resolve()
    if found == base or not found.is_relative_to(base):
        raise _invalid(f"`path` {path!r} leads out of the folder that holds the data", "Use a path inside it.")
    if is_reserved(found, base, instance.home):
        raise Invalid(f"{instance.name}: `path` {path!r} is in a reserved folder", code="SYN218", help=HELP)
    return found


def _server(instance: Instance, url: str) -> PostgresSettings | MariadbSettings:
    try:
        parts = urlsplit(url)
        credentials = parts.username is not None or parts.password is not None
        port = parts.port
    except ValueError:
        raise _invalid("`url` is not a URL") from None
    if parts.scheme not in {"postgresql", "postgres", "mariadb"}:
        raise _invalid(
            f"`url` has the scheme {parts.scheme!r}", "Use postgresql://host:port/database, or mariadb:// likewise."
        )
    if credentials or "password=" in parts.query or "user=" in parts.query:
        raise _invalid("`url` holds a user or a password", "Put them into an AuthConfig of type basic.")
    user, password = _login(instance)
    if parts.scheme == "mariadb":
        database = unquote(parts.path.strip("/"))
        if not parts.hostname or not database or "/" in database or parts.query:
            raise _invalid("`url` is not one of MariaDB", "Use mariadb://host:port/database.")
        tls = str(instance.config.get("tls") or ("off" if is_local(parts.hostname) else "verify"))
        ca = read_authorities(instance.root, str(instance.config.get("ca", "")), "`ca`")
        least = oldest(instance.config.get("tlsMin"))
        return MariadbSettings(parts.hostname, port or 3306, database, user, password, tls != "off", ca, least)
    schema = instance.config.get("schema", "public")
    if not isinstance(schema, str) or not schema or schema.startswith("pg_"):
        raise _invalid("`schema` is not a name of a schema that can be written to")
    return PostgresSettings(url, schema, user, password)


def _login(instance: Instance) -> tuple[str, Secret | None]:
    match instance.credentials.type:
        case "none":
            return "", None
        case "basic":
            user = instance.credentials.settings.get("username", "")
            if not user and (secret := instance.credentials.secrets.get("username")) is not None:
                user = secret.reveal()
            return user, instance.credentials.secrets.get("password")
        case other:
            raise _invalid(f"a database can't use an AuthConfig of type {other}", "Use type basic.")


def _invalid(message: str, help: str = "") -> Invalid:  # noqa: A002 - the field's word
    return Invalid(message, code="SYN481", help=help)
