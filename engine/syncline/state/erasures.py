"""Requests to erase a person: rows of `erasures`, and of `erasure_places` what became of them at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from syncline.model.erasure import Erasure, ErasurePlace
from syncline.model.key import ObjectKey
from syncline.state.rows import key_columns, storable
from syncline.state.tables import erasure_places as places
from syncline.state.tables import erasures

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from syncline.state.database import Database

_PLACE = ("request", "tenant", "kind", "name")


class SqlErasures:
    """See `Erasures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, request: str) -> Erasure | None:
        """A request by its id; None where there is none."""
        with self._database.read() as connection:
            return _one(connection, erasures.c.id == request)

    def unfinished(self, tenant: str, subject: str) -> Erasure | None:
        """The request about a person that isn't finished; None where there is none."""
        mine = (erasures.c.tenant == tenant) & (erasures.c.subject == subject) & (erasures.c.finished == "")
        with self._database.read() as connection:
            return _one(connection, mine)

    def listed(self, tenant: str, limit: int) -> tuple[Erasure, ...]:
        """Requests of a tenant (all, for an empty name), newest first."""
        query = select(erasures.c.id).order_by(erasures.c.begun.desc(), erasures.c.id)
        if tenant:
            query = query.where(erasures.c.tenant == tenant)
        with self._database.read() as connection:
            ids = connection.execute(query.limit(limit)).scalars().all()
            found = (_one(connection, erasures.c.id == request) for request in ids)
            return tuple(request for request in found if request is not None)

    def put(self, erasure: Erasure) -> None:
        """Keeps a request, with the places that it has; durable when it returns."""
        about = {
            "tenant": erasure.tenant,
            "kind": erasure.kind,
            "subject": erasure.subject,
            "begun": erasure.begun,
            "finished": erasure.finished,
        }
        request = self._database.insert(erasures).values(id=erasure.id, **about)
        with self._database.write(durable=True) as connection:
            connection.execute(
                request.on_conflict_do_update(index_elements=["id"], set_={"finished": erasure.finished})
            )
            for place in erasure.places:
                values = {
                    "destination": place.to,
                    "field": place.field,
                    "state": place.state,
                    "rows": place.rows,
                    "rejects": place.rejects,
                    "message": storable(place.message),
                }
                new = self._database.insert(places).values(request=erasure.id, **key_columns(place.key), **values)
                connection.execute(new.on_conflict_do_update(index_elements=list(_PLACE), set_=values))


def _one(connection: Connection, condition: ColumnElement[bool]) -> Erasure | None:
    row = connection.execute(select(erasures).where(condition).order_by(erasures.c.id).limit(1)).first()
    if row is None:
        return None
    query = select(places).where(places.c.request == row.id).order_by(places.c.tenant, places.c.kind, places.c.name)
    return Erasure(
        row.id,
        row.tenant,
        row.kind,
        row.subject,
        row.begun,
        row.finished,
        tuple(
            ErasurePlace(
                ObjectKey(p.tenant, p.kind, p.name), p.destination, p.field, p.state, p.rows, p.rejects, p.message
            )
            for p in connection.execute(query)
        ),
    )
