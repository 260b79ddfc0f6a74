"""Keys of what is kept to undo imports: one a run, which is destroyed when that goes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from syncline.executor.batches.holds import writers_of
from syncline.executor.flows.retiring import kept
from syncline.executor.start import is_final
from syncline.kinds.import_ import ImportSpec
from syncline.manifests.locations import table_of
from syncline.model import units
from syncline.model.errors import SynclineError
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.reversal import Reversing

#: Runs of a flow that are looked at; when one of them has ended, where it keeps something; and where it may have once.
ALL: Final = 1_000_000
NEWEST: Final = 1_000
FEW: Final = 100


def images_of(run: str) -> str:
    """What the key of a run's images is for."""
    return f"images/{run}"


def destroy_images(engine: Engine, item: CompiledFlow) -> int:
    """
    Destroys the keys of what is kept of a table, by any flow that writes to it, or did before it was retired or led
    elsewhere, so that backups of its database can't be read for it; how many there were. The leases of those that write
    to it are held.
    """
    facilities, tenant = engine.facilities, item.flow.key.tenant
    store, root = facilities.store, facilities.settings.root
    runs = {run.id for key in writers_of(engine.applied(), item, root) for run in store.runs(key, ALL)}
    table = table_of(item.flow, root)
    for key in store.tenants().objects(tenant):
        for one, then in kept(store, key) if key.is_flow else ():
            former = then.flows.get(key)
            if former is not None and table_of(former.flow, root) == table:
                runs |= {run.id for run in store.runs(key, ALL) if not one.until or run.started <= one.until}
    return sum(facilities.keys.destroy(tenant, images_of(run)) for run in sorted(runs))


def has_keys(engine: Engine, key: ObjectKey, newest: int = ALL) -> bool:
    """Whether something may be kept of a run of a flow, of so many: its key is there."""
    facilities = engine.facilities
    return any(facilities.keys.exists(key.tenant, images_of(run.id)) for run in facilities.store.runs(key, newest))


def destroy_expired(
    engine: Engine, flows: Iterable[ObjectKey], now: dt.datetime, destination: Reversing, newest: int = ALL
) -> int:
    """
    Destroys the keys of what was kept of runs whose window is over, of flows that write to one destination, so many of
    each; how many there were. What is kept for longer, since it was written under a longer window, keeps its key, and
    so does what can't be looked at, which is raised at the end.
    """
    facilities, count, failed = engine.facilities, 0, None
    for key in flows:
        spec = engine.applied().flow(key).flow.spec
        if not isinstance(spec, ImportSpec):
            continue
        window = units.duration(spec.rollback.window) if spec.rollback is not None else 0.0
        over = rfc3339(now - dt.timedelta(seconds=window))
        for run in facilities.store.runs(key, newest):
            if not is_final(run) or run.finished >= over:  # its last write was before it had finished
                continue
            if not facilities.keys.exists(key.tenant, images_of(run.id)):
                continue
            try:
                if destination.kept(run.id) is None:
                    count += facilities.keys.destroy(key.tenant, images_of(run.id))
            except SynclineError as error:
                failed = failed or error
    if failed is not None:
        raise failed
    return count
