"""Who isn't to come back: rows of `suppressions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from syncline.model.suppression import Suppression
from syncline.state.rows import storable
from syncline.state.tables import suppressions as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row, Select

    from syncline.state.database import Database


class SqlSuppressions:
    """See `Suppressions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, request: str) -> Suppression | None:
        """A suppression by its request; None where there is none."""
        return next(iter(self._read(select(table).where(table.c.id == request))), None)

    def about(self, tenant: str, subject: str) -> Suppression | None:
        """That of a person which isn't lifted; None where there is none."""
        mine = (table.c.tenant == tenant) & (table.c.subject == subject) & (table.c.lifted == "")
        return next(iter(self._read(select(table).where(mine).order_by(table.c.id).limit(1))), None)

    def active(self, tenant: str, kinds: Sequence[str]) -> tuple[Suppression, ...]:
        """Those of these kinds of people which aren't lifted."""
        theirs = (table.c.tenant == tenant) & (table.c.lifted == "") & table.c.kind.in_(kinds)
        return self._read(select(table).where(theirs).order_by(table.c.id))

    def listed(self, tenant: str, limit: int) -> tuple[Suppression, ...]:
        """Those of a tenant (all, for an empty name), lifted ones too, newest first."""
        query = select(table).order_by(table.c.since.desc(), table.c.id).limit(limit)
        return self._read(query.where(table.c.tenant == tenant) if tenant else query)

    def put(self, suppression: Suppression) -> None:
        """Keeps one; durable when it returns. One that was lifted stays so."""
        about = {
            "tenant": suppression.tenant,
            "kind": suppression.kind,
            "subject": suppression.subject,
            "since": suppression.since,
        }
        changing = {
            "sealed": suppression.sealed,
            "lifted": suppression.lifted,
            "lifted_by": storable(suppression.by),
            "reason": storable(suppression.reason),
        }
        new = self._database.insert(table).values(id=suppression.id, **about, **changing)
        with self._database.write(durable=True) as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=["id"], set_=changing, where=table.c.lifted == "")
            )

    def _read(self, query: Select[Any]) -> tuple[Suppression, ...]:
        with self._database.read() as connection:
            return tuple(_suppression(row) for row in connection.execute(query))


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        row.id, row.tenant, row.kind, row.subject, row.since, row.sealed, row.lifted, row.lifted_by, row.reason
    )
