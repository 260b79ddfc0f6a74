"""What was applied of flows that are retired: rows of `retired_flows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from syncline.model.key import ObjectKey
from syncline.model.retired_flow import RetiredFlow
from syncline.state.rows import is_key, key_columns
from syncline.state.tables import retired_flows as table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from syncline.state.database import Database


class SqlRetiredFlows:
    """See `RetiredFlows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, key: ObjectKey) -> RetiredFlow | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(is_key(table, key))).first()
        return None if row is None else RetiredFlow(key, row.applied, tuple(row.documents))

    def keep(self, retiring: Sequence[RetiredFlow], standing: Collection[ObjectKey]) -> None:
        with self._database.read() as connection:
            kept = [ObjectKey(*row) for row in connection.execute(select(table.c.tenant, table.c.kind, table.c.name))]
        again = [key for key in kept if key in standing]
        if not retiring and not again:
            return
        with self._database.write(durable=True) as connection:
            for key in again:
                connection.execute(delete(table).where(is_key(table, key)))
            for flow in retiring:
                values = {"applied": flow.applied, "documents": list(flow.documents)}
                new = self._database.insert(table).values(**key_columns(flow.key), **values)
                another = table.c.applied != flow.applied
                keys = ["tenant", "kind", "name"]
                connection.execute(new.on_conflict_do_update(index_elements=keys, set_=values, where=another))
