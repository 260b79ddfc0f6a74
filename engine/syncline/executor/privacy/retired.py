"""Flows that are retired, or were led elsewhere, and have run: what they wrote stays, and is searched for a person
where that can be opened.

A retired flow is known as it was applied last: by what was kept when it was retired, or, where that was before anything
was, by the commits that Git has. What a flow wrote before it was led to another table, or was declared anew under the
name of one that was retired, is known by what was kept then. Its destination is opened by its integration as that is
applied now, which has to lead to where the flow wrote.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.flows.former import former
from syncline.executor.flows.retiring import as_retired, kept
from syncline.executor.flows.rows_left import RUNS, dropped, dropped_then, may_have_rows
from syncline.executor.flows.written import telling, where
from syncline.executor.privacy.subjects import Place
from syncline.kinds.sync import endpoint
from syncline.manifests.flow import side_of
from syncline.model.errors import SynclineError
from syncline.planner.carried import carried
from syncline.planner.compiled import CompiledFlow
from syncline.planner.personal import personal_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from syncline.executor.engine import Engine
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore


class Closed(Struct, frozen=True):
    """
    What a flow wrote and can't be searched, where that is and why not; `item` is None where nobody knows what. `key` is
    what it is called among the places of a request.
    """

    key: ObjectKey
    to: str
    why: str
    item: CompiledFlow | None = None


class _Past(Struct, frozen=True):
    """A flow that isn't applied as it was; `former` is what it is called where one of its name came after it."""

    item: CompiledFlow
    former: ObjectKey | None = None

    @property
    def was(self) -> str:
        return "it wrote there before it was led elsewhere" if self.former else "it is retired, its rows stayed there"


def retired(engine: Engine, tenant: str, kind: str) -> Iterator[Place | Closed]:
    """What flows of a tenant wrote, or set aside, that aren't applied as they were then, where such persons may be."""
    store, flows = engine.facilities.store, engine.applied().flows
    ran = [key for key in store.tenants().objects(tenant) if key.is_flow and store.runs(key, 1)]
    left = [key for key in ran if key not in flows and (_has_rejects(store, key) or not dropped(store, key))]
    known = _formerly(engine, tenant, left) if left else {}
    for key in left:
        item = known.get(key)
        if item is None:
            why = "it is retired, and neither the state nor an applied commit that Git has here says what it wrote:"
            yield Closed(key, _destination(store, key), why)
        elif _tells(engine, item, key, kind) and (
            _has_rejects(store, key) or not _searched_by_another(engine, item, kind)
        ):
            yield _searched(engine, _Past(item), kind)
    for key in ran:
        yield from _former(engine, key, known.get(key), kind)


def _former(engine: Engine, key: ObjectKey, last: CompiledFlow | None, kind: str) -> Iterator[Place | Closed]:
    """What a flow wrote before it was led elsewhere, or a flow that had its name; `last` is how it was retired."""
    store, root = engine.facilities.store, engine.facilities.settings.root
    searched, before = [last] if last is not None else [], ""
    for number, (one, then) in enumerate(kept(store, key)):
        until, before = before, one.until
        if not number and key not in engine.applied().flows:
            continue  # it is the last
        if not one.wrote or dropped_then(store, key, one.until, until):
            continue
        item = then.flows.get(key)
        if item is None:
            why = "it wrote before it was led elsewhere, and what is kept doesn't say what:"
            yield Closed(one.place, "", why)
        elif _tells(engine, item, one.place, kind) and not (
            _searched_by_another(engine, item, kind) or any(_searches(other, item, kind, root) for other in searched)
        ):
            searched.append(item)
            yield _searched(engine, _Past(item, one.place), kind)


def _tells(engine: Engine, item: CompiledFlow, name: ObjectKey, kind: str) -> bool:
    """Whether somebody may be told in what a flow wrote, which is called so beside those that are applied."""
    if item.compiled.spec.subject or personal_classes(item):
        return True
    flows = {**engine.applied().flows, name: item}
    return name in carried(flows, item.flow.key.tenant, kind, engine.facilities.settings.root)


def _searched(engine: Engine, past: _Past, kind: str) -> Place | Closed:
    """The place that a flow wrote to, or why it can't be searched."""
    item = past.item
    key, to = past.former or item.flow.key, item.flow.spec.to
    if (field := item.compiled.spec.subject.get(kind)) is None:
        why = f"{past.was}, and its mapping {item.flow.mapping.key.name} didn't say by which field a {kind} is told:"
        return Closed(key, to, why, item)
    desired, root = engine.applied().desired, engine.facilities.settings.root
    as_now = (CompiledFlow(replace(item.flow, target=end), item.compiled) for end in _ends(desired, item))
    now = next((one for one in as_now if where(one.flow, root) == where(item.flow, root)), None)
    if now is None:
        name, _ = endpoint(to)
        is_there = desired.find(key.tenant, "Integration", name) is not None
        now_is = "leads to another place now" if is_there else "isn't declared any more"
        return Closed(key, to, f"{past.was}, and the integration {name} {now_is}:", item)
    return Place(now, field, former=past.former)


def _ends(desired: Desired, item: CompiledFlow) -> Iterator[Side]:
    """What may lead to where a flow wrote: its integration as that is applied now, then others of the tenant."""
    tenant, (name, stream) = item.flow.key.tenant, endpoint(item.flow.spec.to)
    own = desired.find(tenant, "Integration", name)
    others = (one for one in desired.of_kind("Integration") if one.key.tenant in {"", tenant} and one is not own)
    for integration in (own, *others):
        if integration is not None and (side := side_of(desired, integration, stream)) is not None:
            yield side


def _searched_by_another(engine: Engine, item: CompiledFlow, kind: str) -> bool:
    """
    Whether an applied flow has written the same table and tells such persons by the same field, made in the same way.
    One that hasn't would take a table that is missing for one that never was.
    """
    root = engine.facilities.settings.root
    return any(
        _searches(other, item, kind, root) and may_have_rows(engine.facilities.store, key)
        for key, other in engine.applied().flows.items()
    )


def _searches(one: CompiledFlow, other: CompiledFlow, kind: str, root: Path) -> bool:
    """Whether who is looked for where one flow wrote is found where the other did: in one table, by one field."""
    told = telling(other, kind)
    return (
        told is not None
        and one.flow.key.tenant == other.flow.key.tenant
        and telling(one, kind) == told
        and where(one.flow, root) == where(other.flow, root)
    )


def _formerly(engine: Engine, tenant: str, keys: Sequence[ObjectKey]) -> dict[ObjectKey, CompiledFlow | None]:
    """Retired flows as they were applied last; None of one of which nothing was kept, and that no commit declares."""
    facilities = engine.facilities
    found = {key: as_retired(facilities.store, key) for key in keys}
    if missing := [key for key, item in found.items() if item is None]:
        with suppress(SynclineError):
            then = former(facilities.settings, facilities.store, tenant, known=missing)
            found |= {key: then.flow(key) for key in missing}
    return found


def _has_rejects(store: StateStore, key: ObjectKey) -> bool:
    return any(True for run in store.runs(key, RUNS) for _ in store.rejects(run.id))


def _destination(store: StateStore, key: ObjectKey) -> str:
    """Where the last run of a flow wrote, by its receipt; '' where none has one."""
    receipts = (run.receipt for run in store.runs(key, RUNS) if run.receipt)
    return next((str(receipt.get("destination", "")) for receipt in receipts), "")
