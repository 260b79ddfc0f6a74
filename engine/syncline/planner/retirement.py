"""What becomes of the tables of flows that are retired: they stay, unless the flow's own declaration says otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from syncline.kinds.tenant import TenantSpec
from syncline.manifests.locations import one_table
from syncline.model.change import Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.planner.flow_effects import table_of

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Flow
    from syncline.planner.compiled import Flows


def held(key: ObjectKey, declared: Desired | None) -> bool:
    """Whether a legal hold of the flow's tenant covers it, ended or not: what a plan says doesn't hang on the day."""
    tenant = declared.objects.get(ObjectKey.of_tenant(key.tenant)) if declared is not None else None
    holds = tenant.spec.holds if tenant is not None and isinstance(tenant.spec, TenantSpec) else ()
    return any(hold.covers(f"{key.kind}/{key.name}", dt.date.min) for hold in holds)


def dropped_tables(gone: Flows, left: Iterable[Flow], declared: Desired | None) -> Iterator[tuple[ObjectKey, Effect]]:
    """
    The flows among those that are retired whose tables are dropped, each with the effect that says so.

    As they were applied, and `declared` with them: what is no longer declared can't change its mind. A table stays
    where a flow that is `left` writes to it or did before, or one that is retired with `deletion: retain`, by whichever
    integration (see `one_table`), and under a legal hold.
    """
    deleting = {
        key: item.flow
        for key, item in gone.items()
        if item.flow.spec.deletion == "delete" and not held(item.flow.key, declared)
    }
    if not deleting:
        return
    keeping = [*left, *(item.flow for key, item in gone.items() if key not in deleting)]
    for key, flow in deleting.items():
        if not any(one_table(flow, other) for other in keeping):
            said = f"{table_of(flow)} is dropped with all its rows, if a flow made it (deletion: delete)"
            yield key, Effect(EffectKind.table_dropped, str(key), said, reversible=False)
