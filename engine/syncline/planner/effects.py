"""The effects of changes on data, each hung on the change that causes it.

Effects are found for flows (syncs and imports), since that is where data moves. A flow is what it refers to: its own
declaration, its mapping, the integrations, connectors and credentials of both ends. What it referred to before counts
as well: when a tenant's own integration is retired, its name means the shared one. Subscriptions move no data, but they
contact hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.model.change import POSITIONS, Action, Change, Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.planner.compiled import Flows
from syncline.planner.flow_effects import flow_effects, hosts
from syncline.planner.observed import Observed
from syncline.planner.retirement import dropped_tables
from syncline.planner.row_effects import rows_dropped
from syncline.planner.subscription_effects import subscription_effects, told_hosts
from syncline.planner.webhook_effects import webhook_effects

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Flow


def with_effects(
    changes: tuple[Change, ...],
    before: Flows,
    after: Flows,
    observed: Observed,
    former: Desired | None,
    desired: Desired,
) -> tuple[Change, ...]:
    """The changes with the effects they cause. A changed flow whose position no longer applies becomes a replace."""
    position_of = {change.key: index for index, change in enumerate(changes)}
    moved = {change.previous: change.key for change in changes if change.previous is not None}
    known = frozenset(h for item in before.values() for s in (item.flow.source, item.flow.target) for h in hosts(s))
    effects: dict[int, list[Effect]] = {}
    pairs = {moved.get(key, key): item for key, item in before.items()}
    for key in sorted({*pairs, *after}):
        old, new = pairs.get(key), after.get(key)
        causes = [c for item in (new, old) if item for c in _causes(item.flow)]
        # A flow none of whose parts is in the plan is the same before and after, and needs no comparing.
        cause = next((c for c in (moved.get(c, c) for c in causes) if c in position_of), None)
        if cause is not None:
            effects.setdefault(position_of[cause], []).extend(flow_effects(old, new, observed, known))
    gone = {key: item for key, item in pairs.items() if key not in after}
    left = [item.flow for item in (*after.values(), *(item for key, item in pairs.items() if key in after))]
    for key, effect in dropped_tables(gone, left, former):
        if key in position_of:
            flow = gone[key].flow
            effects.setdefault(position_of[key], []).extend((effect, rows_dropped(flow, observed.tally(flow.key))))
    told = known | (told_hosts(former) if former is not None else frozenset())
    for index, effect in subscription_effects(desired, position_of, told):
        effects.setdefault(index, []).append(effect)
    for index, effect in webhook_effects(desired, former, position_of, told):
        effects.setdefault(index, []).append(effect)
    return tuple(_finish(change, tuple(dict.fromkeys(effects.get(i, ())))) for i, change in enumerate(changes))


def changed_flows(changes: tuple[Change, ...], after: Flows) -> tuple[ObjectKey, ...]:
    """The flows that are new, or that anything they consist of changes for; in key order."""
    touched = {change.key for change in changes}
    reset = {e.subject for change in changes for e in change.effects if e.kind in POSITIONS}
    return tuple(
        key
        for key, item in sorted(after.items())
        if str(key) in reset or any(cause in touched for cause in _causes(item.flow))
    )


def _causes(flow: Flow) -> Iterator[ObjectKey]:
    """What a flow consists of, nearest first."""
    yield from (flow.key, flow.mapping.key)
    sides = (flow.source, flow.target)
    yield from (side.integration.key for side in sides)
    yield from (side.connector.key for side in sides)
    yield from (side.auth.key for side in sides if side.auth is not None)


def _finish(change: Change, effects: tuple[Effect, ...]) -> Change:
    if change.previous is not None:
        moved = Effect(EffectKind.history_moved, str(change.key), f"cursors and history of {change.previous} follow")
        effects = (moved, *effects)
    resets = any(e.kind is EffectKind.cursor_reset for e in effects)
    starts_over = resets and change.action is Action.update and change.key.is_flow
    action = Action.replace if starts_over else change.action
    return replace(change, action=action, effects=effects)
