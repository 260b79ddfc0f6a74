"""Which database an integration means, from its configuration: `path` is SQLite, `url` PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from syncline.model.errors import Invalid
from syncline.model.reserved import HELP, is_reserved
from syncline.model.secret import Secret
from syncline.sdk.source import Instance


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A database file. Its folder is made when it is opened."""

    path: Path


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """A server, a database and a schema. `url` holds no credentials; `user` empty leaves the choice to libpq."""

    url: str
    schema: str
    user: str = ""
    password: Secret | None = None


Settings = SqliteSettings | PostgresSettings


def settings(instance: Instance) -> Settings:
    """
    Reads the configuration of an instance.

    `path` is relative to the instance's root, stays inside it, and out of reserved folders. `url` is
    `postgresql://host:port/database`, with libpq's parameters (`?sslmode=verify-full&sslrootcert=…`) but without user
    and password: those come from an AuthConfig of type `basic`. Anything else is `Invalid`.
    """
    config = instance.config
    match config.get("path"), config.get("url"):
        case str(path), None:
            return SqliteSettings(_inside(instance, path))
        case None, str(url):
            return _postgres(instance, url)
        case _:
            raise _invalid(f"{instance.name}: a database needs either `path` (SQLite) or `url` (PostgreSQL)")


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


def _postgres(instance: Instance, url: str) -> PostgresSettings:
    try:
        parts = urlsplit(url)
        credentials = parts.username is not None or parts.password is not None
    except ValueError:
        raise _invalid("`url` is not a URL") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise _invalid(f"`url` has the scheme {parts.scheme!r}", "Use postgresql://host:port/database.")
    if credentials or "password=" in parts.query or "user=" in parts.query:
        raise _invalid("`url` holds a user or a password", "Put them into an AuthConfig of type basic.")
    schema = instance.config.get("schema", "public")
    if not isinstance(schema, str) or not schema or schema.startswith("pg_"):
        raise _invalid("`schema` is not a name of a schema that can be written to")
    match instance.credentials.type:
        case "none":
            return PostgresSettings(url, schema)
        case "basic":
            user = instance.credentials.settings.get("username", "")
            if not user and (secret := instance.credentials.secrets.get("username")) is not None:
                user = secret.reveal()
            return PostgresSettings(url, schema, user, instance.credentials.secrets.get("password"))
        case other:
            raise _invalid(f"PostgreSQL can't use an AuthConfig of type {other}", "Use type basic.")


def _invalid(message: str, help: str = "") -> Invalid:  # noqa: A002 - the field's word
    return Invalid(message, code="SYN481", help=help)
