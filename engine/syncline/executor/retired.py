"""Flows that are retired and have run: what they wrote stays, and is searched for a person where that can be opened.

A retired flow is known as it was applied last: by what was kept when it was retired, or, where that was before anything
was, by the commits that Git has. Its destination is opened by its integration as that is applied now, which has to lead
to where the flow wrote.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.former import former
from syncline.executor.retiring import as_kept
from syncline.executor.rows_left import RUNS, dropped, may_have_rows
from syncline.executor.subjects import Place
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.sync import endpoint
from syncline.manifests.flow import side_of
from syncline.manifests.locations import location_of, settings_of, table_of
from syncline.model.errors import SynclineError
from syncline.planner.compiled import CompiledFlow
from syncline.planner.personal import personal_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from syncline.executor.engine import Engine
    from syncline.kinds.mapping import MappedField
    from syncline.manifests.flow import Flow
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore


class Closed(Struct, frozen=True):
    """A retired flow that can't be searched, where it wrote and why not; `item` is None where nobody knows what."""

    key: ObjectKey
    to: str
    why: str
    item: CompiledFlow | None = None


def retired(engine: Engine, tenant: str, kind: str) -> Iterator[Place | Closed]:
    """Flows of a tenant that aren't applied any more and left rows or rejects in which such persons may be."""
    store, flows = engine.facilities.store, engine.applied().flows
    ran = [key for key in store.tenants().objects(tenant) if key.is_flow and key not in flows and store.runs(key, 1)]
    left = [key for key in ran if _has_rejects(store, key) or not dropped(store, key)]
    known = _formerly(engine, tenant, left) if left else {}
    for key in left:
        item = known.get(key)
        if item is None:
            why = "it is retired, and neither the state nor an applied commit that Git has here says what it wrote:"
            yield Closed(key, _destination(store, key), why)
        elif (item.compiled.spec.subject or personal_classes(item)) and (
            _has_rejects(store, key) or not _searched_by_another(engine, item, kind)
        ):
            yield _searched(engine, item, kind)


def _searched(engine: Engine, item: CompiledFlow, kind: str) -> Place | Closed:
    """The place that a retired flow wrote to, or why it can't be searched."""
    key, to = item.flow.key, item.flow.spec.to
    if (field := item.compiled.spec.subject.get(kind)) is None:
        why = (
            f"it is retired, its rows stayed there, and its mapping {item.flow.mapping.key.name} didn't say by which "
            f"field a {kind} is told:"
        )
        return Closed(key, to, why, item)
    desired, root = engine.applied().desired, engine.facilities.settings.root
    name, stream = endpoint(to)
    integration = desired.find(key.tenant, "Integration", name)
    target = side_of(desired, integration, stream) if integration is not None else None
    if target is None:
        why = f"it is retired, its rows stayed there, and the integration {name} isn't declared any more:"
        return Closed(key, to, why, item)
    now = CompiledFlow(replace(item.flow, target=target), item.compiled)
    if _where(now.flow, root) != _where(item.flow, root):
        why = f"it is retired, its rows stayed there, and the integration {name} leads to another place now:"
        return Closed(key, to, why, item)
    return Place(now, field)


def _where(flow: Flow, root: Path) -> tuple[object, ...]:
    """The table that a flow writes to; where no manifest says its place, with every setting that may lead to it."""
    integration, connector = flow.target.integration.spec, flow.target.connector.spec
    assert isinstance(integration, IntegrationSpec)
    assert isinstance(connector, ConnectorSpec)
    if location_of(integration, connector, root) is not None:
        return table_of(flow, root)
    url = connector.http.url if connector.http is not None else ""
    return (*table_of(flow, root), url, integration.endpoints, integration.region, settings_of(integration, connector))


def _searched_by_another(engine: Engine, item: CompiledFlow, kind: str) -> bool:
    """
    Whether an applied flow has written the same table and tells such persons by the same field, made in the same way.
    One that hasn't would take a table that is missing for one that never was.
    """
    root, telling = engine.facilities.settings.root, _telling(item, kind)
    return telling is not None and any(
        key.tenant == item.flow.key.tenant
        and _telling(other, kind) == telling
        and _where(other.flow, root) == _where(item.flow, root)
        and may_have_rows(engine.facilities.store, key)
        for key, other in engine.applied().flows.items()
    )


def _telling(item: CompiledFlow, kind: str) -> MappedField | None:
    """The field that tells such persons, as it is declared."""
    spec = item.compiled.spec
    return next((field for field in spec.fields if field.to == spec.subject.get(kind)), None)


def _formerly(engine: Engine, tenant: str, keys: Sequence[ObjectKey]) -> dict[ObjectKey, CompiledFlow | None]:
    """Retired flows as they were applied last; None of one of which nothing was kept, and that no commit declares."""
    facilities = engine.facilities
    found = {key: as_kept(facilities.store, key) for key in keys}
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
