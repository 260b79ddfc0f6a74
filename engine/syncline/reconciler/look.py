"""Looking at the destination of a flow, and saying in its conditions what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.executor.drift import FlowDrift, observe_flow
from syncline.reconciler.status import after_look

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore

#: Findings that a condition names; the others are counted.
_NAMED = 3


def look(engine: Engine, store: StateStore, key: ObjectKey) -> FlowDrift:
    """
    What differs at the destination of an applied flow; `store` keeps the condition. Nothing is changed there.

    Where it couldn't be looked at, what was said last stays.
    """
    found = observe_flow(engine, key)
    if not found.unknown:
        after_look(store, engine.applied(), key, _summary(found))
    return found


def _summary(found: FlowDrift) -> str:
    said = [f"{finding.place}: {finding.message}" for finding in found.acted]
    more = [f"{len(said) - _NAMED} more"] if len(said) > _NAMED else []
    return "; ".join([*said[:_NAMED], *more])
