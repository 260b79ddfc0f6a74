"""What a plan leads to, and what policy says of that, at each apply anew: a plan can't carry its own permission."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of, resolve
from syncline.model.diagnostic import has_errors
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor
from syncline.planner.compiled import compile_flows
from syncline.policy.decisions import Decided
from syncline.policy.facts import facts
from syncline.policy.rule import Subjects
from syncline.reconciler.hold import Held, foremost, without

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.manifests.desired import Desired
    from syncline.model.errors import Waiting
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest
    from syncline.model.plan import Plan, PolicyResult
    from syncline.planner.compiled import Flows
    from syncline.state.store import AppliedObject


def after(plan: Plan, applied: Mapping[ObjectKey, AppliedObject]) -> list[Manifest]:
    """What will be applied after the plan."""
    documents = {key: known.document for key, known in applied.items()}
    for step in plan.steps:
        match step:
            case PutObject(key, _, document, _):
                documents[key] = document
            case MoveObject(_, previous):
                documents.pop(previous, None)
            case DeleteObject(key):
                documents.pop(key, None)
            case ResetCursor() | RestoreCursor() | DropTable():
                pass
    return [from_document(document) for document in documents.values()]


def check_policy(desired: Desired, plan: Plan, today: dt.date, root: Path, compiled: Flows | None = None) -> Decided:
    """
    Evaluates policy again on what would be there after the plan: a saved plan can't carry its own permission.

    `root` is the folder that relative paths start from; `compiled` are the flows, where somebody compiled them.
    """
    flows = compiled if compiled is not None else compile_flows(desired)
    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return Decided.of(Subjects(desired, found, plan.changes, today, root))


def possible(
    plan: Plan, applied: Mapping[ObjectKey, AppliedObject], blocked: Held, today: dt.date, root: Path
) -> tuple[Plan, dict[ObjectKey, Waiting]]:
    """
    What of a plan can be applied now, and what is held back.

    Should the parts that are left not be valid, or not be allowed, without the others, everything is held back.
    """
    part, held = without(plan, blocked, applied)
    if held and part.steps:
        result = resolve(after(part, applied))
        denied = any(not r.allowed for r in check_policy(result.desired, part, today, root).results)
        if denied or has_errors(result.diagnostics):
            first = foremost(held)
            held = {change.key: held.get(change.key, first) for change in plan.changes} | held
            part = structs.replace(plan, changes=(), steps=())
    return part, held


def blamed(
    denied: tuple[PolicyResult, ...], plan: Plan, applied: Mapping[ObjectKey, AppliedObject], today: dt.date, root: Path
) -> tuple[PolicyResult, ...]:
    """Without what policy denies of other sources' objects already as they are, such as after an exception has ended:
    this plan isn't to blame for that.
    """
    others = {str(key) for key, known in applied.items() if known.source != plan.basis.source}
    if not any(result.object in others for result in denied):
        return denied
    desired = desired_of(from_document(known.document) for known in applied.values())
    before = {
        (r.rule, r.object)
        for r in check_policy(desired, structs.replace(plan, changes=()), today, root).results
        if not r.allowed
    }
    return tuple(r for r in denied if r.object not in others or (r.rule, r.object) not in before)
