"""What figures over all tenants are summed from, and what was told of a month: rows of `metrics` and `statistics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from syncline.state import tables

if TYPE_CHECKING:
    from syncline.state.database import Database


class SqlStatistics:
    """See `ToldStatistics`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, month: str) -> str | None:
        """What was told of a month; None where nothing was yet."""
        known = tables.statistics
        with self._database.read() as connection:
            return connection.execute(select(known.c.told).where(known.c.month == month)).scalar()

    def tell(self, month: str, told: str) -> str:
        """Keeps what is told of a month unless something was told of it before; what is to be told. Durable."""
        known = tables.statistics
        new = self._database.insert(known).values(month=month, told=told)
        with self._database.write(durable=True) as connection:
            connection.execute(new.on_conflict_do_nothing(index_elements=["month"]))
            return str(connection.execute(select(known.c.told).where(known.c.month == month)).scalar_one())

    def totals(self, start: str, end: str) -> list[tuple[str, str, str, float]]:
        """Sums of counters over hours from `start` to before `end`: tenant, kind of object, counter, value."""
        m = tables.metrics
        by = (m.c.tenant, m.c.kind, m.c.counter)
        query = (
            select(*by, func.sum(m.c.value)).where(m.c.period >= start, m.c.period < end).group_by(*by).order_by(*by)
        )
        with self._database.read() as connection:
            return [(tenant, kind, name, float(value)) for tenant, kind, name, value in connection.execute(query)]
