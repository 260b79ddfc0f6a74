"""Webhooks that were delivered for schedules: rows of `deliveries`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from syncline.model.delivery import Delivery
from syncline.state import tables
from syncline.state.rows import is_key, key_columns

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.state.database import Database

_ROWS, _OBJECTS = tables.deliveries, tables.objects


class SqlDeliveries:
    """See `Deliveries`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, schedule: ObjectKey, mark: str, received: str, forget: str) -> bool:
        mine = is_key(_ROWS, schedule)
        # One at a time for each schedule: PostgreSQL gives numbers before commits, and a lower one that became visible
        # after a higher one would be taken for one that was dealt with.
        alone = select(_OBJECTS.c.name).where(is_key(_OBJECTS, schedule)).with_for_update()
        with self._database.write(durable=True) as connection:
            if connection.execute(alone).first() is None:
                return False
            if connection.execute(select(_ROWS.c.number).where(mine, _ROWS.c.mark == mark)).first() is not None:
                return False
            row = key_columns(schedule) | {"mark": mark, "received": received}
            connection.execute(self._database.insert(_ROWS), row)
            connection.execute(delete(_ROWS).where(mine, _ROWS.c.mark != mark, _ROWS.c.received < forget))
            return True

    def newest(self, schedule: ObjectKey) -> Delivery | None:
        query = select(_ROWS.c.number, _ROWS.c.received).where(is_key(_ROWS, schedule))
        with self._database.read() as connection:
            row = connection.execute(query.order_by(_ROWS.c.number.desc()).limit(1)).first()
        return Delivery(row.number, row.received) if row is not None else None
