"""What is remembered of writes to systems without transactions: an `sdk.ledger.Ledger` of a tenant and an integration.

Every change is one transaction. The checkpoint and the records of a finished batch are durable against loss of power,
too: a checkpoint of an API is nowhere else. What is noted on the way isn't: to lose it means to ask, or to send again
under the same idempotency key, as after any unknown outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, select, update

from syncline.model.ledger import Known, Mark
from syncline.state import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from syncline.state.database import Database

#: Values of a statement; both databases take a few times as many.
_CHUNK = 500

_MARKS, _EFFECTS, _RECORDS = tables.write_marks, tables.write_effects, tables.write_records


class SqlLedger:
    """A ledger in the state's database; safe to share between threads."""

    def __init__(self, database: Database, tenant: str, integration: str) -> None:
        self._database = database
        self._tenant = tenant
        self._integration = integration
        new = database.insert(_RECORDS)
        names = ("id", "version", "digest", "pending")
        self._put_record = new.on_conflict_do_update(
            index_elements=["tenant", "integration", "place", "key"], set_={name: new.excluded[name] for name in names}
        )
        self._new_effect = database.insert(_EFFECTS).on_conflict_do_nothing()
        self._new_mark = database.insert(_MARKS).on_conflict_do_nothing()

    def mark(self, flow: str) -> Mark | None:
        """How far a flow has come; None if it never wrote, or was forgotten."""
        with self._database.read() as connection:
            return self._mark(connection, flow)

    def begin(self, flow: str, epoch: str) -> Mark:
        """The mark of a flow, made with this epoch where there is none."""
        values = {"tenant": self._tenant, "flow": flow, "epoch": epoch, "checkpoint": None, "begun": False}
        with self._database.write() as connection:
            connection.execute(self._new_mark, values)
            return self._mark(connection, flow) or Mark(epoch)

    def known(self, place: str, keys: Iterable[str]) -> dict[str, Known]:
        """What is known of these records; those of which nothing is known are left out."""
        found: dict[str, Known] = {}
        with self._database.read() as connection:
            for chunk in _chunks(keys):
                rows = connection.execute(select(_RECORDS).where(self._at(place), _RECORDS.c.key.in_(chunk)))
                found.update({row.key: Known(row.id, row.version, row.digest, row.pending) for row in rows})
        return found

    def applied(self, flow: str) -> frozenset[str]:
        """Effects that were applied after the checkpoint, by the names given to `progress`."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(_EFFECTS.c.effect).where(self._of(_EFFECTS, flow))).scalars())

    def progress(self, flow: str, place: str, records: Mapping[str, Known], applied: Iterable[str] = ()) -> None:
        """Notes what has become of records, and that writes after the checkpoint are under way."""
        effects = [{"tenant": self._tenant, "flow": flow, "effect": effect} for effect in applied]
        with self._database.write() as connection:
            connection.execute(update(_MARKS).where(self._of(_MARKS, flow)).values(begun=True))
            self._put(connection, place, records)
            if effects:
                connection.execute(self._new_effect, effects)

    def save(self, flow: str, checkpoint: str, place: str, records: Mapping[str, Known]) -> None:
        """Moves the checkpoint, notes records, and forgets what was `applied`, together."""
        with self._database.write(durable=True) as connection:
            mine = self._of(_MARKS, flow)
            connection.execute(update(_MARKS).where(mine).values(checkpoint=checkpoint, begun=False))
            self._put(connection, place, records)
            connection.execute(delete(_EFFECTS).where(self._of(_EFFECTS, flow)))

    def drop(self, place: str, keys: Iterable[str]) -> None:
        """Forgets records that are gone at the destination."""
        with self._database.write() as connection:
            for chunk in _chunks(keys):
                connection.execute(delete(_RECORDS).where(self._at(place), _RECORDS.c.key.in_(chunk)))

    def drop_ids(self, place: str, ids: Iterable[str]) -> None:
        """Forgets records that are gone at the destination, by what the system calls them."""
        with self._database.write() as connection:
            for chunk in _chunks(ids):
                connection.execute(delete(_RECORDS).where(self._at(place), _RECORDS.c.id.in_(chunk)))

    def forget(self, flow: str) -> None:
        """Deletes the mark of a flow. What is known of records stays: they are still there."""
        with self._database.write(durable=True) as connection:
            self._delete(connection, flow)

    def move(self, previous: str, flow: str) -> None:
        """Renames a mark; one that `flow` already has is replaced. No effect where there is none."""
        with self._database.write(durable=True) as connection:
            if self._mark(connection, previous) is None:
                return
            self._delete(connection, flow)
            for table in (_MARKS, _EFFECTS):
                connection.execute(update(table).where(self._of(table, previous)).values(flow=flow))

    def _mark(self, connection: Connection, flow: str) -> Mark | None:
        row = connection.execute(select(_MARKS).where(self._of(_MARKS, flow))).first()
        return None if row is None else Mark(row.epoch, row.checkpoint, row.begun)

    def _put(self, connection: Connection, place: str, records: Mapping[str, Known]) -> None:
        where = {"tenant": self._tenant, "integration": self._integration, "place": place}
        rows = [
            where | {"key": key, "id": k.id, "version": k.version, "digest": k.digest, "pending": k.pending}
            for key, k in records.items()
        ]
        if rows:
            connection.execute(self._put_record, rows)

    def _delete(self, connection: Connection, flow: str) -> None:
        for table in (_MARKS, _EFFECTS):
            connection.execute(delete(table).where(self._of(table, flow)))

    def _of(self, table: Any, flow: str) -> ColumnElement[bool]:
        return and_(table.c.tenant == self._tenant, table.c.flow == flow)

    def _at(self, place: str) -> ColumnElement[bool]:
        columns = _RECORDS.c
        return and_(columns.tenant == self._tenant, columns.integration == self._integration, columns.place == place)


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    every = list(keys)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


def rename(connection: Connection, tenant: str, previous: str, integration: str) -> None:
    """Gives what is known of an integration's records to its new name; what that name had before is dropped."""
    columns = _RECORDS.c
    connection.execute(delete(_RECORDS).where(columns.tenant == tenant, columns.integration == integration))
    connection.execute(
        update(_RECORDS)
        .where(columns.tenant == tenant, columns.integration == previous)
        .values(integration=integration)
    )
