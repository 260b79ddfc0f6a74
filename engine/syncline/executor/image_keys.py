"""Keys of what is kept to undo imports: one a run, which is destroyed when that goes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from syncline.executor.holds import writers_of
from syncline.executor.start import is_final
from syncline.kinds.import_ import ImportSpec
from syncline.model import units
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.reversal import Reversing

#: Runs of a flow that are looked at.
_RUNS: Final = 1_000_000


def images_of(run: str) -> str:
    """What the key of a run's images is for."""
    return f"images/{run}"


def destroy_images(engine: Engine, item: CompiledFlow) -> int:
    """
    Destroys the keys of what is kept of a table, by any flow that writes to it, so that backups of its database can't
    be read for it; how many there were. The leases of all of them are held.
    """
    facilities, tenant = engine.facilities, item.flow.key.tenant
    sharing = writers_of(engine.applied(), item, facilities.settings.root)
    runs = (run.id for key in sharing for run in facilities.store.runs(key, _RUNS))
    return sum(facilities.keys.destroy(tenant, images_of(run)) for run in runs)


def has_keys(engine: Engine, key: ObjectKey) -> bool:
    """Whether something may be kept of a run of a flow: its key is there."""
    facilities = engine.facilities
    return any(facilities.keys.exists(key.tenant, images_of(run.id)) for run in facilities.store.runs(key, _RUNS))


def destroy_expired(engine: Engine, integration: ObjectKey, now: dt.datetime, destination: Reversing) -> int:
    """
    Destroys the keys of what was kept of runs whose window is over, at one destination; how many there were. What is
    kept for longer, since it was written under a longer window, keeps its key.
    """
    facilities, count = engine.facilities, 0
    for key, item in engine.applied().flows.items():
        spec = item.flow.spec
        if item.flow.target.integration.key != integration or not isinstance(spec, ImportSpec):
            continue
        window = units.duration(spec.rollback.window) if spec.rollback is not None else 0.0
        over = rfc3339(now - dt.timedelta(seconds=window))
        for run in facilities.store.runs(key, _RUNS):
            if not is_final(run) or run.finished >= over:  # its last write was before it had finished
                continue
            if facilities.keys.exists(key.tenant, images_of(run.id)) and destination.kept(run.id) is None:
                count += facilities.keys.destroy(key.tenant, images_of(run.id))
    return count
