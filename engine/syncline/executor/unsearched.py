"""Where a person may be and nobody can look: flows that write personal data and don't say by which field a person is
told, and flows that are retired, whose rows stay. A request names them, and somebody says what was done there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.admission import tenant_spec
from syncline.executor.former import former
from syncline.executor.holds import holds_over, told
from syncline.manifests.locations import table_of
from syncline.model.errors import SynclineError
from syncline.planner.personal import personal_classes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from syncline.executor.engine import Engine
    from syncline.kinds.mapping import MappedField
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow
    from syncline.state.store import StateStore

_RUNS: Final = 1_000_000
_BY_HAND: Final = "acknowledge it once the person is erased there by hand"


class Unsearched(Struct, frozen=True):
    """A flow whose destination isn't searched for such persons, where that is, why, and which holds cover it."""

    key: ObjectKey
    to: str
    why: str
    held: str = ""


def unsearched(engine: Engine, tenant: str, kind: str, today: dt.date) -> tuple[Unsearched, ...]:
    """The flows of a tenant that may have written such persons and aren't searched for them, in order."""
    found = [*_undeclared(engine, tenant, kind), *_retired(engine, tenant, kind)]
    return tuple(_under_holds(engine, one, item, today) for one, item in sorted(found, key=lambda pair: pair[0].key))


def _under_holds(engine: Engine, one: Unsearched, item: CompiledFlow | None, today: dt.date) -> Unsearched:
    applied = engine.applied()
    if item is not None:
        holds = list(holds_over(applied, item, engine.facilities.settings.root, today))
    else:
        name = f"{one.key.kind}/{one.key.name}"
        holds = [hold for hold in tenant_spec(applied.desired, one.key.tenant).holds if hold.covers(name, today)]
    return replace(one, held="; ".join(map(told, holds)))


def _undeclared(engine: Engine, tenant: str, kind: str) -> Iterator[tuple[Unsearched, CompiledFlow]]:
    for key, item in engine.applied().flows.items():
        if key.tenant != tenant or kind in item.compiled.spec.subject:
            continue
        if classes := personal_classes(item):
            why = (
                f"it writes {', '.join(classes)}, and its mapping {item.flow.mapping.key.name} doesn't say by which "
                f"field a {kind} is told: declare `subject` there, or {_BY_HAND}"
            )
            yield Unsearched(key, item.flow.spec.to, why), item


def _retired(engine: Engine, tenant: str, kind: str) -> Iterator[tuple[Unsearched, CompiledFlow | None]]:
    """Flows that have run, aren't applied any more, and left rows or rejects."""
    store, flows = engine.facilities.store, engine.applied().flows
    ran = [key for key in store.tenants().objects(tenant) if key.is_flow and key not in flows and store.runs(key, 1)]
    left = [key for key in ran if _has_rejects(store, key) or not _dropped(store, key)]
    known = _formerly(engine, tenant, left) if left else {}
    for key in left:
        item = known.get(key)
        if item is None:
            why = "it is retired, and no applied commit that Git has here says what it wrote"
            yield Unsearched(key, _destination(store, key), f"{why}: {_BY_HAND}"), None
        elif (item.compiled.spec.subject or personal_classes(item)) and (
            _has_rejects(store, key) or not _searched_by_another(engine, item, kind)
        ):
            yield Unsearched(key, item.flow.spec.to, f"it is retired, and its rows stayed there: {_BY_HAND}"), item


def _searched_by_another(engine: Engine, item: CompiledFlow, kind: str) -> bool:
    """Whether an applied flow writes the same table and tells such persons by the same field, made in the same way."""
    root, telling = engine.facilities.settings.root, _telling(item, kind)
    return telling is not None and any(
        key.tenant == item.flow.key.tenant
        and _telling(other, kind) == telling
        and table_of(other.flow, root) == table_of(item.flow, root)
        for key, other in engine.applied().flows.items()
    )


def _telling(item: CompiledFlow, kind: str) -> MappedField | None:
    """The field that tells such persons, as it is declared."""
    spec = item.compiled.spec
    return next((field for field in spec.fields if field.to == spec.subject.get(kind)), None)


def _formerly(engine: Engine, tenant: str, keys: Sequence[ObjectKey]) -> dict[ObjectKey, CompiledFlow | None]:
    """Retired flows as they were applied last, by the commits that Git has; None of one that none of them declares."""
    facilities = engine.facilities
    try:
        then = former(facilities.settings, facilities.store, tenant, known=keys)
    except SynclineError:
        return {}
    return {key: then.flow(key) for key in keys}


def _dropped(store: StateStore, key: ObjectKey) -> bool:
    """Whether the table of a retired flow is known to be dropped, after its last run."""
    (last,) = store.runs(key, 1)
    return any(one.reason == "TableDropped" and one.time >= last.started for one in store.events(key))


def _has_rejects(store: StateStore, key: ObjectKey) -> bool:
    return any(True for run in store.runs(key, _RUNS) for _ in store.rejects(run.id))


def _destination(store: StateStore, key: ObjectKey) -> str:
    """Where the last run of a flow wrote, by its receipt; '' where none has one."""
    receipts = (run.receipt for run in store.runs(key, _RUNS) if run.receipt)
    return next((str(receipt.get("destination", "")) for receipt in receipts), "")
