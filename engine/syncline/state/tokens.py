"""Sealed tokens: replaced by compare-and-swap, after a claim that keeps others from asking the server as well.

A claim belongs to a process and runs out by the database's clock; that of a process which is known to be gone is free
at once. A version rises with each change and never falls, so that a late writer finds that it is late.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from syncline.state.presence import ended
from syncline.state.process import Process
from syncline.state.store import SealedToken, TokenKey
from syncline.state.tables import tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from syncline.state.database import Database

_MINE = tuple(tokens.c[name] == bindparam(f"of_{name}") for name in ("tenant", "name", "basis"))
_READ = select(tokens).where(*_MINE)
_LOCKED = _READ.with_for_update()
_CHANGE = update(tokens).where(*_MINE, tokens.c.version == bindparam("of_version"))
_EMPTY = {"version": 0, "sealed": None, "expires": 0.0, "changed": "", "process": "", "claimed": 0.0}


def read(database: Database, key: TokenKey) -> SealedToken | None:
    """A token as it is kept; None where there is none and never was."""
    with database.read() as connection:
        row = connection.execute(_READ, _named(key)).first()
    return None if row is None else _token(row)


def read_all(database: Database) -> tuple[SealedToken, ...]:
    """Every token that is there, by name."""
    query = select(tokens).where(tokens.c.sealed.is_not(None))
    with database.read() as connection:
        rows = connection.execute(query.order_by(tokens.c.tenant, tokens.c.name, tokens.c.basis)).all()
    return tuple(map(_token, rows))


def claim(database: Database, key: TokenKey, version: int, seconds: float) -> bool:
    """Takes the right to replace a version, unless another holds it or the version has moved on."""
    with database.write() as connection:
        row = connection.execute(_LOCKED, _named(key)).first()
        if row is None:
            _make(database, connection, key)
            row = connection.execute(_LOCKED, _named(key)).one()
        now = database.now(connection)
        if row.version != version or (row.claimed > now and not ended(connection, row.process)):
            return False
        return _change(connection, key, version, {"process": str(Process.current()), "claimed": now + seconds})


def unclaim(database: Database, key: TokenKey, version: int) -> None:
    """Gives a claim back."""
    with database.write() as connection:
        _change(connection, key, version, {"process": "", "claimed": 0.0})


def swap(database: Database, key: TokenKey, version: int, sealed: bytes | None, expires: float) -> bool:
    """Replaces a version, and ends the claim on it; False where it has moved on. Durable: it can't be had again."""
    changed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {"version": version + 1, "sealed": sealed, "expires": expires, "changed": changed}
    with database.write(durable=True) as connection:
        if version == 0:
            _make(database, connection, key)
        return _change(connection, key, version, {**values, "process": "", "claimed": 0.0})


def _make(database: Database, connection: Connection, key: TokenKey) -> None:
    """An empty version 0, where there is no row yet."""
    values = {"tenant": key.tenant, "name": key.name, "basis": key.basis, **_EMPTY}
    connection.execute(database.insert(tokens).values(values).on_conflict_do_nothing())


def _change(connection: Connection, key: TokenKey, version: int, values: dict[str, Any]) -> bool:
    return connection.execute(_CHANGE, _named(key) | {"of_version": version} | values).rowcount > 0


def _named(key: TokenKey) -> dict[str, Any]:
    return {"of_tenant": key.tenant, "of_name": key.name, "of_basis": key.basis}


def _token(row: Row[Any]) -> SealedToken:
    return SealedToken(TokenKey(row.tenant, row.name, row.basis), row.version, row.sealed, row.expires, row.changed)
