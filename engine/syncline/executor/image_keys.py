"""Keys of what is kept to undo imports: one a run, which is destroyed where that goes before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.policy.locations import table_of

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.planner.compiled import CompiledFlow

#: Runs of a flow that are looked at.
_RUNS: Final = 1_000_000


def images_of(run: str) -> str:
    """What the key of a run's images is for."""
    return f"images/{run}"


def destroy_images(engine: Engine, item: CompiledFlow) -> int:
    """
    Destroys the keys of what is kept of a table, by any flow that writes to it, so that backups of its database can't
    be read for it; how many there were.
    """
    facilities, applied = engine.facilities, engine.applied()
    root, tenant = facilities.settings.root, item.flow.key.tenant
    table = table_of(item.flow, root)
    sharing = [key for key, one in applied.flows.items() if table_of(one.flow, root) == table]
    runs = (run.id for key in sharing for run in facilities.store.runs(key, _RUNS))
    return sum(facilities.keys.destroy(tenant, images_of(run)) for run in runs)
