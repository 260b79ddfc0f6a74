"""What must hold in a simulation: after every step, and once nothing is wrong any more."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import load_signer
from syncline.audit.verify import verify
from syncline.executor.services.facilities import audit_origin
from syncline.model.condition import ConditionType, Truth
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS
from syncline.reconciler.status import SOURCE
from tests.simulation.declared import WHEN
from tests.simulation.places import Good, good

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.state.store import AppliedObject
    from tests.simulation.world import Fire, World


def hold(so: bool, otherwise: str) -> None:
    """Ends the simulation where something isn't so."""
    if not so:
        raise AssertionError(otherwise)


def always(world: World) -> None:
    """What holds at every moment, between transactions."""
    _tables(world)


def _tables(world: World) -> None:
    """No row is lost or doubled: what is in a table is what its checkpoint covers."""
    warehouse, records = world.warehouse, world.application.records
    for flow, saved in warehouse.checkpoints.items():
        stream = flow.rpartition("/")[2].partition("-")[0]
        rows = warehouse.rows.get(stream, [])
        seen = (saved, rows, len(rows), len(records[stream]))
        before = world.looked_at.get(flow)
        if before is not None and before[1] is rows and (before[0], *before[2:]) == (saved, *seen[2:]):
            continue  # rows are only added to a list, or come in another one
        world.looked_at[flow] = seen
        at = int((json.loads(saved)["position"] or {}).get("at", 0))
        given = world.good.setdefault(stream, Good()).of(records[stream])
        expected = given.first(at)
        match stream:
            case "log":
                hold(rows == expected, f"the log has {rows}, and its cursor is past {expected}")
            case "people":
                # A flow that was retired and declared again reads from the start, into the table that there is.
                hold(given.every.issuperset(rows), f"people are {rows}, which they never were")
                hold(
                    dict(expected).keys() <= dict(rows).keys(), f"people are {rows}, and the cursor is past {expected}"
                )
            case "catalog":
                hold(rows == given.rows[: len(rows)], f"the catalog has {rows}, which it never had at its source")
            case _:
                pass


def ran(world: World, name: object, runs: set[str]) -> None:
    """When a run has ended for a start: the start isn't doubled."""
    if len(runs) > 1:
        world.kernel.crashes.append(f"{name} was run twice: {sorted(runs)}")


def led(world: World, connection: Any, lease: str, what: str) -> None:
    """In a transaction that writes: the lease that this takes is of the process that writes."""
    process = world.kernel.process
    row = connection.exec_driver_sql("SELECT process FROM leases WHERE name = ?", (lease,)).one_or_none()
    holder = int(row[0].split(" ")[1]) if row is not None and row[0] else 0
    if process is None or holder != process.number:
        # Kept, since the program may take an error of a thread of its own for a defect, and go on.
        world.kernel.crashes.append(f"{process and process.name} writes {what}, and the lease is {holder or 'free'}")


# --- schedules --------------------------------------------------------------------------------------------------------


@dataclass
class Schedules:
    """Since when schedules are there, and when they were suspended; by the clocks of those who applied them."""

    since: dict[ObjectKey, dt.datetime] = field(default_factory=dict)
    changed: dict[ObjectKey, list[dt.datetime]] = field(default_factory=dict)

    def put(self, world: World, applied: AppliedObject) -> None:
        """A schedule was applied."""
        if applied.key.kind == "Schedule":
            self.since.setdefault(applied.key, dt.datetime.fromisoformat(applied.applied))
            self.changed.setdefault(applied.key, []).append(world.now())


def instants(name: str, since: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """The instants of a schedule by time, found by looking at every minute; written anew, to differ from the program."""
    minute = since.replace(second=0, microsecond=0) - dt.timedelta(
        days=1
    )  # the first of an hour that comes twice counts
    berlin, last = ZoneInfo("Europe/Berlin"), ""
    while minute <= until:
        when = WHEN[name][0]
        if when.startswith("every: "):
            every = int(when.removeprefix("every: ").partition("m")[0])
            if (minute.timestamp() // 60) % every == 0 and minute > since:
                yield minute
        elif when.startswith("cron"):
            local = minute.astimezone(berlin)
            before = (minute - dt.timedelta(minutes=1)).astimezone(berlin)
            skipped = before.strftime("%H:%M") == "01:59" and local.strftime("%H:%M") == "03:00"
            if (local.strftime("%H:%M") == "02:30" or skipped) and f"{local:%d}" != last:
                last = f"{local:%d}"
                if minute > since:
                    yield minute
        minute += dt.timedelta(minutes=1)


# --- in the end -------------------------------------------------------------------------------------------------------


def unsettled(world: World) -> Iterator[str]:
    """What isn't yet as it has to be, once no fault is left."""
    store = world.store
    head = world.remote.commits[world.remote.head]
    if store.applied_under()[0] != head.id and _differs(world):
        yield f"{head.id[:12]} isn't applied"
    if store.unfinished_apply():
        yield "an apply is open"
    statuses = store.statuses()
    source = statuses.get(SOURCE)
    ready = source and source.condition(ConditionType.ready)
    if not ready or ready.status is not Truth.true:
        yield f"the source isn't ready: {ready}"
    scheduled = _scheduled(world)
    for key in sorted(scheduled):
        status = statuses.get(key)
        ready = status and status.condition(ConditionType.ready)
        if not ready or ready.status is not Truth.true:
            yield f"{key} isn't ready: {ready}"
        stream = key.name.partition("-")[0]
        left = len(world.application.records[stream]) - world.warehouse.position(str(key))
        if left:
            yield f"{key} has {left} records to read"
    for run in store.runs(None, 500):
        if TRANSITIONS[run.state] and run.key in scheduled:
            yield f"run {run.id} of {run.key} is {run.state}"


def _differs(world: World) -> bool:
    from dataclasses import replace

    from syncline import workflow
    from tests.simulation.declared import Followed

    tree = Followed(world.remote, lambda: 0.0, lambda _: None).snapshot(world.remote.head)
    plan = workflow.plan(replace(world.settings, root=tree.root), state=_Reader(world.store))
    return not plan.empty


class _Reader:
    """The store, which isn't closed by who reads it."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close(self) -> None:
        """It stays open."""


def _scheduled(world: World) -> set[ObjectKey]:
    """Flows that schedules by time start now, and that nothing keeps from running."""
    declared = world.remote.commits[world.remote.head].declared
    found = set()
    for schedule in declared.schedules:
        when, streams = WHEN[schedule]
        if schedule in declared.suspended or not when.startswith("every"):
            continue
        for stream in streams:
            if stream in declared.flows and stream not in declared.suspended:
                found.add(ObjectKey("acme", "Sync", declared.flows[stream][0]))
    return found


def finally_(world: World) -> None:
    """What holds once everything is as declared."""
    always(world)
    for key in _scheduled(world):
        if key.name.startswith("people"):
            rows, expected = world.warehouse.rows.get("people", []), dict(good(world.application.records["people"]))
            hold(dict(rows) == expected, f"people are {rows} instead of {expected}")
    hold(not _differs(world), "what is applied differs from what is declared")
    _told(world)
    _none_lost(world)
    _evidence(world)


def _told(world: World) -> None:
    """Every end of a run is told once."""
    events = [e for e in world.store.events(None, None, 0, 20_000) if e.run and e.reason != "RunStarted"]
    for (run, reason), times in Counter((e.run, e.reason) for e in events).items():
        if reason in {"RunSucceeded", "RunSucceededWithRejects", "RunFailed"}:
            hold(times == 1, f"that {run} {reason} is told {times} times")


def _none_lost(world: World) -> None:
    """Every instant of a schedule that makes up for all it misses was dealt with."""
    for known in world.store.objects():
        name = known.key.name
        if known.key.kind != "Schedule" or "catchUp: all" not in WHEN[name][0]:
            continue
        since = world.schedules.since.get(known.key)
        if since is None or len(world.schedules.changed[known.key]) > 1 or "suspend" in known.document:
            continue
        fires: dict[str, list[Fire]] = {}
        for (schedule, _, moment), fire in world.fires.items():
            if schedule == str(known.key):
                fires.setdefault(moment, []).append(fire)
        for at in instants(name, since, world.now() - dt.timedelta(minutes=3)):
            found = fires.get(at.isoformat(), [])
            hold(bool(found) and all(fire.over for fire in found), f"{known.key}: nothing came of its start at {at}")


def _evidence(world: World) -> None:
    """The audit log verifies, and tells how every run ended."""
    settings = world.settings
    world.kernel.run(world.kernel.now + 5)
    origin = audit_origin(world.store.lineage)
    key = load_signer(settings)
    found = verify(DirectoryFetcher(settings.audit), origin, [key.verifier])
    hold(found.ok, f"the audit log doesn't verify: {found}")
