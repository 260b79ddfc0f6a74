"""Policy's word before a run begins, or undoing one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.model.errors import Denied
from syncline.model.event import Action, Event, EventOutcome
from syncline.policy.check import diagnostics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.executor.services.recorder import Recorder
    from syncline.model.key import ObjectKey
    from syncline.model.plan import PolicyResult


def permitted(recorder: Recorder, key: ObjectKey, results: Sequence[PolicyResult], at: str) -> Event:
    """What tells that policy allows it, `at` the beginning of what; `Denied` where not, once the log says that."""
    denied = [result for result in results if not result.allowed]
    event = recorder.event(
        Action.policy_decision,
        outcome=EventOutcome.denied if denied else EventOutcome.success,
        key=key,
        at=at,
        rules=sorted({result.rule for result in denied or results}),
        decisions=len(results),
        excepted=[f"{result.rule} {result.object}" for result in results if result.verdict == "excepted"][:50],
    )
    if denied:
        recorder.record([event])
        raise Denied(
            f"policy denies {key}: {denied[0].message}",
            diagnostics=diagnostics(tuple(denied)),
            help="Correct what the findings name and apply it.",
        )
    return event
