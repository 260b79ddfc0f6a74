"""What runs left that may be kept for a time only: rejects and log lines of a tenant's runs, by when they began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import delete, func, select, tuple_

from syncline.model.run import TRANSITIONS
from syncline.state import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

    from syncline.model.key import ObjectKey

#: What may expire of a run.
Left = Literal["rejects", "logs"]
_FINAL: Final = [str(state) for state, after in TRANSITIONS.items() if not after]


def count(connection: Connection, tenant: str, what: Left, before: str, but: Sequence[ObjectKey]) -> int:
    """How many records, or lines, there are of such runs; none of runs of the objects in `but`."""
    table = _table(what)
    number = func.coalesce(func.sum(table.c.count), 0) if what == "rejects" else func.count()
    query = select(number).select_from(table).where(table.c.run.in_(_runs(tenant, before, but)))
    return int(connection.execute(query).scalar_one())


def runs_with_rejects(tenant: str, before: str, but: Sequence[ObjectKey]) -> Select[Any]:
    """Such runs which have rejects."""
    runs = tables.runs
    having = select(tables.rejects.c.run).where(tables.rejects.c.run.in_(_runs(tenant, before, but)))
    return select(runs).where(runs.c.id.in_(having)).order_by(runs.c.id)


def expire(connection: Connection, tenant: str, what: Left, before: str, but: Sequence[ObjectKey]) -> int:
    """Deletes them; how many."""
    number = count(connection, tenant, what, before, but)
    table = _table(what)
    connection.execute(delete(table).where(table.c.run.in_(_runs(tenant, before, but))))
    return number


def _table(what: Left) -> Any:
    return tables.rejects if what == "rejects" else tables.run_log


def _runs(tenant: str, before: str, but: Sequence[ObjectKey]) -> Select[tuple[str]]:
    runs = tables.runs.c
    query = select(runs.id).where(runs.tenant == tenant, runs.started < before, runs.state.in_(_FINAL))
    if but:
        query = query.where(tuple_(runs.kind, runs.name).not_in([(key.kind, key.name) for key in but]))
    return query
