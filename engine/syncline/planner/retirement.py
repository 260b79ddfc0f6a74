"""What becomes of the tables of flows that are retired: they stay, unless the flow's own declaration says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.model.change import Effect, EffectKind
from syncline.planner.flow_effects import table_of

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import Flows


def place_of(flow: Flow) -> tuple[ObjectKey, str]:
    """Where a flow writes: an integration, and a stream of it."""
    return flow.target.integration.key, flow.target.stream


def dropped_tables(gone: Flows, left: Flows) -> Iterator[tuple[ObjectKey, Effect]]:
    """
    The flows among those that are retired whose tables are dropped, each with the effect that says so.

    As they were applied: what is no longer declared can't change its mind. A table stays where a flow that is left, or
    one that is retired with `deletion: retain`, writes to it as well.
    """
    deleting = {key: item.flow for key, item in gone.items() if item.flow.spec.deletion == "delete"}
    if not deleting:
        return
    kept = {place_of(item.flow) for item in (*left.values(), *gone.values()) if item.flow.key not in deleting}
    kept |= {place_of(item.flow) for item in left.values()}
    for key, flow in deleting.items():
        if place_of(flow) not in kept:
            said = f"{table_of(flow)} is dropped with all its rows, if a flow made it (deletion: delete)"
            yield key, Effect(EffectKind.table_dropped, str(key), said, reversible=False)
