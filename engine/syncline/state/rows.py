"""How rows name objects and hold times and texts: what every table of the state has alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam

from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table


def is_key(table: Table, key: ObjectKey) -> ColumnElement[bool]:
    """The condition that a row is of one object."""
    return (table.c.tenant == key.tenant) & (table.c.kind == key.kind) & (table.c.name == key.name)


def of_object(table: Table) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a row is of the object whose `key_columns` are given when the statement is run."""
    return tuple(table.c[name] == bindparam(name) for name in ("tenant", "kind", "name"))


def key_columns(key: ObjectKey) -> dict[str, str]:
    """An object's name as columns."""
    return {"tenant": key.tenant, "kind": key.kind, "name": key.name}


def storable(text: str) -> str:
    """Text for people as both databases can keep it: without NUL and lone surrogates, which bad input may bring in."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def now() -> str:
    """The time as rows have it: RFC 3339 UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
