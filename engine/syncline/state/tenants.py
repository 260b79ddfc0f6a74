"""What the state has of a tenant, table by table, and the journal of tenants that leave.

Each table says here how its rows are told to be a tenant's; a test demands it of every new one. A tenant's own manifest
is shared, so that what is kept under its name is the tenant's as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import LargeBinary, and_, delete, func, not_, or_, select, tuple_, union

from syncline.model.key import ObjectKey
from syncline.model.offboarding import LeavingStep, Offboarding
from syncline.state import tables
from syncline.state.rows import storable
from syncline.state.sealed import sealed

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

    from syncline.state.database import Database

#: Rows that are read at a time.
PAGE: Final = 500

#: Tables without a row that is a tenant's, and why.
OF_NOBODY: Final = {
    tables.meta: "one row, of the state",
    tables.audit_heads: "one row, of the log",
    tables.applies: "of commits",
    tables.history: "of commits",
    tables.approval_bases: "of sources",
    tables.statistics: "sums over tenants, out of which none's own can be read",
    tables.offboardings: "the journal itself, which is evidence",
    tables.offboarding_steps: "the journal itself, which is evidence",
}

_OBJECTS: Final = (
    tables.objects,
    tables.cursors,
    tables.positions,
    tables.runs,
    tables.metrics,
    tables.credentials,
    tables.statuses,
    tables.events,
    tables.approval_uses,
    tables.subscriptions,
    tables.outbox,
    tables.deliveries,
    tables.proposals,
    tables.retired_flows,
    tables.erasure_places,
)
_BY_TENANT: Final = (
    tables.tokens,
    tables.write_marks,
    tables.write_effects,
    tables.write_records,
    tables.erasures,
    tables.suppressions,
)

_Keep = Iterable[ObjectKey]
#: Which rows of a table are a tenant's, but for those of some of its objects.
_Mine = Callable[[str, _Keep], "ColumnElement[bool]"]


def _of_objects(table: Table) -> _Mine:
    def mine(tenant: str, keep: _Keep) -> ColumnElement[bool]:
        kept = [and_(table.c.kind == key.kind, table.c.name == key.name) for key in keep]
        own = and_(table.c.tenant == tenant, *map(not_, kept))
        if table is tables.cursors and kept:  # it says who may see what is kept
            return own
        return or_(own, and_(table.c.tenant == "", table.c.kind == "Tenant", table.c.name == tenant))

    return mine


def _of_tenant(table: Table) -> _Mine:
    return lambda tenant, _: table.c.tenant == tenant


def _of_runs(table: Table) -> _Mine:
    return lambda tenant, keep: table.c.run.in_(select(tables.runs.c.id).where(_MINE[tables.runs](tenant, keep)))


def _named(table: Table, *forms: str) -> _Mine:
    """By a name that begins with the tenant's; names of tenants have no character that LIKE takes for another."""
    return lambda tenant, _: or_(*(table.c.name.like(form.format(tenant)) for form in forms))


def _steps(tenant: str, _: _Keep) -> ColumnElement[bool]:
    """Steps of applies that are over, by the object in their JSON."""
    column, ended = tables.steps.c.step, select(tables.applies.c.id).where(tables.applies.c.finished != "")
    objects = [f'%"object": "{tenant}/%', f'%"object": "Tenant/{tenant}"%']
    return and_(tables.steps.c.apply.in_(ended), or_(*(column.like(form) for form in objects)))


#: In the order in which they are deleted: what hangs on a row before the row.
_MINE: dict[Table, _Mine] = {
    tables.rejects: _of_runs(tables.rejects),
    tables.run_log: _of_runs(tables.run_log),
    **{table: _of_objects(table) for table in _OBJECTS},
    **{table: _of_tenant(table) for table in _BY_TENANT},
    tables.budgets: _named(tables.budgets, "account {}/%", "tenant {} %"),
    tables.leases: _named(tables.leases, "run/{}/%", "turn/{}/%"),
    tables.steps: _steps,
}
#: Their names.
TABLES: Final = tuple(str(table.name) for table in _MINE)  # plain: SQLAlchemy has names of a class of its own
#: Tables whose rows are of no use to anybody else, or sealed; what is in rejects is exported decrypted.
_NOT_EXPORTED: Final = frozenset({tables.rejects, tables.leases, tables.budgets, tables.steps})


class SqlTenants:
    """See `Tenants`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, tenant: str) -> Offboarding | None:
        """The last time that a tenant was taken out, finished or not; None where it never was."""
        known, steps = tables.offboardings, tables.offboarding_steps
        newest = select(known).where(known.c.tenant == tenant).order_by(known.c.begun.desc(), known.c.id.desc())
        with self._database.read() as connection:
            row = connection.execute(newest.limit(1)).first()
            if row is None:
                return None
            query = (
                select(steps.c.what, steps.c.subject, steps.c.state, steps.c.count, steps.c.message)
                .where(steps.c.request == row.id)
                .order_by(steps.c.what, steps.c.subject)
            )
            taken = tuple(LeavingStep(*step) for step in connection.execute(query))
        return Offboarding(row.id, row.tenant, row.revision, row.begun, row.finished, row.archive, taken)

    def put(self, offboarding: Offboarding) -> None:
        """Keeps it, with the steps that it has; durable when it returns."""
        one = offboarding
        about = {"tenant": one.tenant, "revision": one.revision, "begun": one.begun}
        changes = {"finished": one.finished, "archive": one.archive}
        new = self._database.insert(tables.offboardings).values(id=one.id, **about, **changes)
        with self._database.write(durable=True) as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=changes))
            for step in one.steps:
                values = {"state": step.state, "count": step.count, "message": storable(step.message)}
                row = self._database.insert(tables.offboarding_steps).values(
                    request=one.id, what=step.what, subject=step.subject, **values
                )
                keys = ["request", "what", "subject"]
                connection.execute(row.on_conflict_do_update(index_elements=keys, set_=values))

    def counts(self, tenant: str, keep: _Keep = ()) -> dict[str, int]:
        """Rows of a tenant by table, where there are any; of the objects `keep` none are counted."""
        keep = tuple(keep)
        with self._database.read() as connection:
            found = {
                str(table.name): connection.execute(select(func.count()).where(mine(tenant, keep))).scalar_one()
                for table, mine in _MINE.items()
            }
        return {name: count for name, count in found.items() if count}

    def runs(self, tenant: str, keep: _Keep = ()) -> Iterator[str]:
        """Ids of a tenant's runs, in order, but for those of `keep`."""
        for row in self._pages(tables.runs, _MINE[tables.runs](tenant, tuple(keep))):
            yield str(row["id"])

    def objects(self, tenant: str) -> tuple[ObjectKey, ...]:
        """A tenant's objects of which there is anything; places of requests are none."""
        named = [table for table in _OBJECTS if table is not tables.erasure_places]
        query = union(*(select(t.c.tenant, t.c.kind, t.c.name).where(t.c.tenant == tenant) for t in named))
        with self._database.read() as connection:
            return tuple(sorted(ObjectKey(*row) for row in connection.execute(query)))

    def last_run(self, tenant: str) -> str:
        """When the last run of a tenant began (RFC 3339 UTC); '' where none is known."""
        query = select(func.max(tables.runs.c.started)).where(tables.runs.c.tenant == tenant)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or ""

    def rows(self, tenant: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every row of a tenant with its table, page by page; without what is sealed."""
        for table, mine in _MINE.items():
            if table not in _NOT_EXPORTED:
                for row in self._pages(table, mine(tenant, ())):
                    yield str(table.name), row

    def sealed(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Everything that is sealed: what, the tenant, the run or name that it is kept under, and the blob."""
        return sealed(self._database)

    def delete(self, tenant: str, table: str, keep: _Keep = ()) -> int:
        """Deletes a tenant's rows of a table, but for those of `keep`; how many. Durable when it returns."""
        found, mine = next((known, mine) for known, mine in _MINE.items() if known.name == table)
        with self._database.write(durable=True) as connection:
            self._database.overwrite(connection)
            return connection.execute(delete(found).where(mine(tenant, tuple(keep)))).rowcount

    def _pages(self, table: Table, mine: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
        """Rows in the order of their key, without columns of bytes; so many are in memory at a time."""
        key = list(table.primary_key.columns)
        columns = [column for column in table.columns if not isinstance(column.type, LargeBinary)]
        after: tuple[Any, ...] | None = None
        while True:
            query = select(*columns).where(mine).order_by(*key).limit(PAGE)
            if after is not None:
                query = query.where(tuple_(*key) > tuple_(*after))
            with self._database.read() as connection:
                page = _page(connection, query)
            yield from page
            if len(page) < PAGE:
                return
            after = tuple(page[-1][column.name] for column in key)


def _page(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - its documented name
