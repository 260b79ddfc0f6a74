"""What is really there of what is applied: looking at it, bringing it back, and declaring it as somebody left it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from syncline import workflow
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.manifests.commits import Made
    from syncline.model.drift import ObjectDrift
    from syncline.model.key import ObjectKey
    from syncline.settings import Settings


ONLY: Final = "Only columns that were dropped, or have another type that a mapping can declare, can be adopted."


def look(
    settings: Settings, keys: Iterable[ObjectKey], *, rows: int = 0, heal: bool = False, give_up: bool = False
) -> tuple[ObjectDrift, ...]:
    """
    What is really there of applied objects (destinations of flows, webhooks, schedules, credentials, data keys),
    against what was left there; conditions follow.

    `rows`: so many records of each source are read besides, and compared with the rows one by one. `heal`: what can be
    brought back is, by registering, by going on from now, or by runs that read everything again; then it is looked at
    once more; with `give_up`, webhooks that can't be deleted at a former system are forgotten.
    """
    keys = sorted(keys)
    for tenant in sorted({key.owner for key in keys}):
        for right in ("see", *(["read"] if rows else ()), *(["run"] if heal else ())):
            workflow.demand(settings, tenant, right)
    from syncline.executor.drift.flow_drift import FlowDrift
    from syncline.executor.drift.row_drift import with_rows
    from syncline.reconciler.look import look as observed

    with workflow.engine(settings) as running:
        store = running.facilities.store
        found: list[ObjectDrift] = []
        for key in keys:
            one = observed(running, store, key, heal=heal or None, give_up=give_up)
            if heal and isinstance(one, FlowDrift) and one.healable:
                _heal(running, key)
                one = observed(running, store, key)
            found.append(with_rows(running, one, rows) if rows and isinstance(one, FlowDrift) else one)
        return tuple(found)


def _heal(running: Engine, key: ObjectKey) -> None:
    from syncline.executor.progress import Silent
    from syncline.executor.work import Work

    running.run(Work(key, trigger="drift", full_refresh=True), Silent())


def drifting(settings: Settings) -> tuple[ObjectKey, ...]:
    """What is applied and can be looked at: flows, and what else `syncline drift` compares."""
    from syncline.executor.access.roles import hidden
    from syncline.executor.flows.applied import read_applied
    from syncline.reconciler.look import looked_at
    from syncline.state.open import open_reader

    unseen = hidden(settings)
    with closing(open_reader(settings.state_url)) as reader:
        applied = read_applied(reader)
        found = sorted([*applied.flows, *looked_at(applied, reader)])
    return tuple(key for key in found if key.owner not in unseen)


def adopt(settings: Settings, found: ObjectDrift, branch: str = "") -> tuple[Made, ObjectKey, dict[str, str]]:
    """
    Makes a commit that declares a flow's destination as somebody left it: the commit, the mapping that it changes, and
    the columns, with the types that they have now, or '' where it gives them up. `Invalid` (SYN752) where that isn't
    all that differs.
    """
    from syncline.executor.flows.applied import read_applied
    from syncline.manifests.demands.adoption import adopt as commit
    from syncline.state.open import open_reader

    columns = found.adoptable
    if found.unknown or not columns or len(columns) < len(found.acted):
        others = [finding.place for finding in found.acted if finding.place.removeprefix("column ") not in columns]
        what = found.unknown or (f"{', '.join(others)} can't be adopted" if others else "nothing was changed there")
        raise Invalid(f"{found.key}: {what}", code="SYN752", help=ONLY)
    with closing(open_reader(settings.state_url)) as reader:
        mapping = read_applied(reader).flow(found.key).flow.mapping.key
    made = commit(settings.root, mapping, columns, branch or f"adopt-{found.key.name}")
    return made, mapping, columns
