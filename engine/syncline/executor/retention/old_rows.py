"""Retention: rows that are older than their flow keeps them are deleted, and what runs left with us for too long.

What is to be deleted is in the log before it is, and how many were after it; a pass that was killed is made again. Runs
don't write what is too old by now (`cutoff.py`).
"""

from __future__ import annotations

import datetime as dt
from contextlib import closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.batches.cutoff import aged_of
from syncline.executor.batches.guard import check_deletes
from syncline.executor.batches.holds import holds_over, told
from syncline.executor.batches.rejects import destroy_keys, generation_of
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.locations import table_of
from syncline.model import units
from syncline.model.errors import Denied, Invalid, SynclineError, Waiting
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.sdk.destination import Fence, Fencing
from syncline.sdk.offers import offers
from syncline.sdk.retention import Aged, Retaining

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.planner.compiled import CompiledFlow
    from syncline.state.store import Lease

#: `due`: it would be deleted. `deleted`: it was. `held`: a legal hold keeps it. `refused`: a guard does. `busy`: a
#: run is under way, so that it is to be tried again. `failed`.
State = Literal["due", "deleted", "held", "refused", "busy", "failed"]


class Retained(Struct, frozen=True):
    """What became of one thing that is kept for a time: the rows of a flow, or a tenant's rejects or logs.

    `what` is `rows`, `rejects` or `logs`; `before` (RFC 3339) is what is too old; `count` how many are of `there` (0
    where that isn't counted).
    """

    key: ObjectKey
    what: str
    before: str
    state: State
    count: int = 0
    there: int = 0
    to: str = ""
    by: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "object": str(self.key),
            "what": self.what,
            "destination": self.to,
            "by": self.by,
            "before": self.before,
            "state": self.state,
            "count": self.count,
            "there": self.there,
            "message": self.message,
        }


def retaining(applied: Applied, tenant: str = "") -> tuple[ObjectKey, ...]:
    """Flows and tenants that keep something for a time only: all, or those of one tenant."""
    flows = (key for key, item in applied.flows.items() if item.flow.spec.retention is not None)
    tenants = (m.key for m in applied.desired.of_kind("Tenant") if _own(applied, m.key.name))
    return tuple(key for key in (*sorted(flows), *sorted(tenants)) if not tenant or tenant in {key.tenant, key.name})


def expected(engine: Engine, key: ObjectKey, now: dt.datetime) -> tuple[Retained, ...]:
    """What a pass would delete of a flow or a tenant; nothing is changed."""
    return _pass(engine, key, now, doing=False)


def retain(engine: Engine, key: ObjectKey, now: dt.datetime) -> tuple[Retained, ...]:
    """Deletes what is too old of a flow or a tenant. What keeps it from that is told in the result, and in the log."""
    return _pass(engine, key, now, doing=True)


def _pass(engine: Engine, key: ObjectKey, now: dt.datetime, *, doing: bool) -> tuple[Retained, ...]:
    if key.kind == "Tenant":
        return tuple(_left(engine, key, now, doing=doing))
    item = engine.applied().flow(key)
    aged = aged_of(item, now)
    if aged is None:
        return ()
    found = Retained(key, "rows", rfc3339(aged.before), "due", to=item.flow.spec.to, by=aged.column)
    try:
        holds = "; ".join(map(told, holds_over(engine.applied(), item, engine.facilities.settings.root, now.date())))
        _check_alone(engine, item)
        with engine.facilities.store.lease(f"run/{key}", "") if doing else nullcontext() as lease:
            found = _at_destination(engine, item, aged, lease, replace(found, message=holds))
    except Waiting as error:
        return (replace(found, state="busy", message=f"{error.code} {error.told}"),)
    except SynclineError as error:
        found = replace(found, state="failed", message=f"{error.code} {error.told}")
    if doing and (found.count or found.state not in {"due", "deleted"}):
        _record(engine, found)
    return (found,)


def _check_alone(engine: Engine, item: CompiledFlow) -> None:
    """`Invalid` (SYN853) where another flow writes to the table and keeps its rows longer, or is another tenant's."""
    root, own = engine.facilities.settings.root, item.flow
    table = table_of(own, root)[1:]
    for key, other in engine.applied().flows.items():
        flow = other.flow
        if table_of(flow, root)[1:] != table or (
            key.tenant == own.key.tenant and flow.spec.retention == own.spec.retention
        ):
            continue
        raise Invalid(
            f"{key} writes to {own.target.stream} too, and doesn't keep its rows for the same time",
            code="SYN853",
            help="Declare the same retention in every flow that writes to the table, or write to another one.",
        )


def _at_destination(engine: Engine, item: CompiledFlow, aged: Aged, lease: Lease | None, found: Retained) -> Retained:
    """What became of the rows; without a lease, what would."""
    facilities, flow = engine.facilities, item.flow
    opener = engine.opener(item, engine.applied(), facilities.settings, engine.resolve, facilities.keep)
    opener.ledgers = ledgers(facilities)
    try:
        with closing(opener.destination()) as destination:
            if not offers(destination, Retaining):
                raise Invalid(f"{found.to} can't delete rows by their age", code="SYN853")
            stream, name = flow.target.stream, str(flow.key)
            old, there = destination.aged(stream, aged)
            found = replace(found, count=old, there=there)
            if found.message:
                return replace(found, state="held")
            check_deletes(flow.spec.guards, old, lambda: there)
            if lease is None or not old:
                return found
            _record(engine, found)  # durable before anything goes
            rows = destination
            if offers(destination, Fencing):
                destination.fence(name, Fence(facilities.store.lineage, lease.token))
            deleted = rows.delete_aged(name, stream, aged, partial(check_deletes, flow.spec.guards))
            return replace(found, state="deleted", count=deleted)
    except Denied as error:
        return replace(found, state="refused", message=f"{error.code} {error.told}")
    finally:
        facilities.recorder.record(facilities.recorder.secret_uses(flow.key, opener.secrets.names))


def _left(engine: Engine, key: ObjectKey, now: dt.datetime, *, doing: bool) -> Iterator[Retained]:
    """What runs of a tenant left with us: rejects and log lines; none of flows under a legal hold."""
    applied, store = engine.applied(), engine.facilities.store
    own = _own(applied, key.name)
    held = [
        flow
        for flow, item in applied.flows.items()
        if flow.tenant == key.name and any(holds_over(applied, item, engine.facilities.settings.root, now.date()))
    ]
    for what, age in own.items():
        before = rfc3339(now - dt.timedelta(seconds=age))
        count = store.left_before(key.name, what, before, held)
        found = Retained(key, what, before, "due", count)
        if doing and count:
            _record(engine, found)
            # Unreadable first, in backups as well: a kill leaves what the next pass deletes.
            busy = _destroyed(engine, key.name, before, held) if what == "rejects" else {}
            found = replace(found, state="deleted", count=store.expire_left(key.name, what, before, [*held, *busy]))
            _record(engine, found)
            if busy:
                yield replace(found, state="busy", count=count - found.count, message="; ".join(busy.values()))
                if not found.count:
                    continue
        yield found


def _destroyed(engine: Engine, tenant: str, before: str, held: list[ObjectKey]) -> dict[ObjectKey, str]:
    """Destroys the keys of a tenant's rejects; which flows are busy, so that theirs stay, and by whom."""
    keys, store = engine.facilities.keys, engine.facilities.store
    busy: dict[ObjectKey, str] = {}
    for run in store.left_runs(tenant, before, held):
        if run.key in busy:
            continue
        try:
            with store.lease(f"run/{run.key}", ""):  # nobody seals them anew, or retries them, meanwhile
                newest = max(map(generation_of, store.rejects(run.id)), default=-1)
                destroy_keys(keys, run.key, run.id, newest + 1)
        except Waiting as error:
            busy[run.key] = f"{error.code} {error.told}"
    return busy


def _own(applied: Applied, tenant: str) -> dict[Literal["rejects", "logs"], float]:
    """What a tenant keeps for a time of what its runs leave, with the age in seconds."""
    manifest = applied.desired.find("", "Tenant", tenant)
    if manifest is None or not isinstance(manifest.spec, TenantSpec) or manifest.spec.retention is None:
        return {}
    spec = manifest.spec.retention
    ages: Iterable[tuple[Literal["rejects", "logs"], str | None]] = (("rejects", spec.rejects), ("logs", spec.logs))
    return {what: units.duration(text) for what, text in ages if text is not None}


def _record(engine: Engine, found: Retained) -> None:
    outcome = {"failed": EventOutcome.failure, "held": EventOutcome.denied, "refused": EventOutcome.denied}
    recorder = engine.facilities.recorder
    event = recorder.event(
        Action.retention_delete,
        outcome=outcome.get(found.state, EventOutcome.success),
        key=found.key,
        what=found.what,
        state=found.state,
        before=found.before,
        count=found.count,
        there=found.there,
        by=found.by,
        reason=found.message,
    )
    recorder.record([event])
