"""
Which database an integration means, from its configuration: a `path` is a file of SQLite or, where `engine` says so, of
DuckDB; a `url` is a server of PostgreSQL or MariaDB, as its scheme says.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from syncline.connectors.tls import declared_tls, tls_of
from syncline.model.errors import Invalid
from syncline.model.hosts import is_local
from syncline.model.reserved import HELP, is_reserved
from syncline.model.secret import Secret
from syncline.sdk.http.egress import Egress
from syncline.sdk.http.tls import Tls
from syncline.sdk.source import Instance


class SqliteSettings(Struct, frozen=True):
    """A database file. Its folder is made when it is opened."""

    path: Path


class DuckdbSettings(Struct, frozen=True):
    """A database file of DuckDB. Its folder is made when it is opened."""

    path: Path


class PostgresSettings(Struct, frozen=True):
    """A server, a database and a schema. `url` holds no credentials; `user` empty leaves the choice to libpq.

    `tls` is what is asked beyond what the URL says, None for nothing: TLS is what other machines are asked for anyway.
    `bounds` is where it may be, None: anywhere.
    """

    url: str
    schema: str
    user: str = ""
    password: Secret | None = None
    tls: Tls | None = None
    bounds: Egress | None = None


class MariadbSettings(Struct, frozen=True):
    """A server and a database. `tls` None: all is said in the clear. `bounds` is where it may be, None: anywhere."""

    host: str
    port: int
    database: str
    user: str = ""
    password: Secret | None = None
    tls: Tls | None = None
    bounds: Egress | None = None


Settings = SqliteSettings | DuckdbSettings | PostgresSettings | MariadbSettings


def settings(instance: Instance) -> Settings:
    """
    Reads the configuration of an instance.

    `path` is relative to the instance's root, stays inside it, and out of reserved folders. `url` is
    `postgresql://host:port/database`, with libpq's parameters (`?sslmode=require&ssl_min_protocol_version=TLSv1.2`), or
    `mariadb://host:port/database`, without user and password: those come from an AuthConfig of type `basic` or `mtls`.
    PostgreSQL on another machine is spoken to over TLS, its certificate verified, unless the URL says an `sslmode`;
    MariaDB is unless its setting `tls` is `off`; on this machine only where the setting is `verify`,
    or something is asked of TLS: by the integration's `tls`, or by a client certificate. Anything else is `Invalid`.
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
    bounds = instance.network.databases
    asked = bool(declared_tls(instance).model_fields_set or "certificate" in instance.credentials.secrets)
    if parts.scheme == "mariadb":
        database = unquote(parts.path.strip("/"))
        if not parts.hostname or not database or "/" in database or parts.query:
            raise _invalid("`url` is not one of MariaDB", "Use mariadb://host:port/database.")
        spoken = instance.config.get("tls") or ("verify" if asked or not is_local(parts.hostname) else "off")
        tls = tls_of(instance) if spoken != "off" else None
        return MariadbSettings(parts.hostname, port or 3306, database, user, password, tls, bounds)
    schema = instance.config.get("schema", "public")
    if not isinstance(schema, str) or not schema or schema.startswith("pg_"):
        raise _invalid("`schema` is not a name of a schema that can be written to")
    return PostgresSettings(url, schema, user, password, tls_of(instance) if asked else None, bounds)


def _login(instance: Instance) -> tuple[str, Secret | None]:
    match instance.credentials.type:
        case "none":
            return "", None
        case "basic" | "mtls":
            user = instance.credentials.settings.get("username", "")
            if not user and (secret := instance.credentials.secrets.get("username")) is not None:
                user = secret.reveal()
            return user, instance.credentials.secrets.get("password")
        case other:
            raise _invalid(f"a database can't use an AuthConfig of type {other}", "Use type basic or mtls.")


def _invalid(message: str, help: str = "") -> Invalid:  # noqa: A002 - the field's word
    return Invalid(message, code="SYN481", help=help)
