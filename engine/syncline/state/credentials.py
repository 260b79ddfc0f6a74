"""Since when credentials are what they are: a keyed digest of each, never a value, and when it was first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from syncline.model.key import ObjectKey
from syncline.state.rows import is_key, key_columns
from syncline.state.store import SeenCredential
from syncline.state.tables import credentials

if TYPE_CHECKING:
    from syncline.state.database import Database


def read_all(database: Database) -> dict[ObjectKey, SeenCredential]:
    """What is known of every credential that was seen, by its AuthConfig."""
    query = select(credentials).order_by(credentials.c.tenant, credentials.c.kind, credentials.c.name)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return {ObjectKey(r.tenant, r.kind, r.name): SeenCredential(r.digest, r.seen, r.replaced) for r in rows}


def see(database: Database, key: ObjectKey, digest: str, time: str) -> SeenCredential:
    """What is known of a credential that was just seen; written only when it is another than before."""
    query = select(credentials).where(is_key(credentials, key))
    with database.read() as connection:
        row = connection.execute(query).first()
    if row is not None and row.digest == digest:
        return SeenCredential(row.digest, row.seen, row.replaced)
    found = SeenCredential(digest, time, row is not None)
    new = database.insert(credentials)
    values = {"digest": found.digest, "seen": found.seen, "replaced": found.replaced}
    with database.write() as connection:
        connection.execute(
            new.values(key_columns(key) | values).on_conflict_do_update(
                index_elements=["tenant", "kind", "name"], set_=values
            )
        )
    return found
