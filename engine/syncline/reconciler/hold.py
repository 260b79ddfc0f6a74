"""Taking a plan in parts: what can't be applied for the moment is held back, and the rest isn't kept waiting.

Changes that have to do with each other are one part, and a part is applied whole or not at all: objects of which one
refers to another before or after the change, and a position with whatever makes it void. So no object ever works with
half of a change. What is left over is simply what the next plan of the same commit holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.load import from_document
from syncline.model.change import POSITIONS
from syncline.model.errors import Waiting
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor, Step

if TYPE_CHECKING:
    from syncline.model.plan import Plan
    from syncline.state.store import AppliedObject

#: What each object that is held back waits for.
Held = Mapping[ObjectKey, Waiting]


def foremost(held: Held) -> Waiting:
    """What is told of all that is held back: a missing approval first, since waiting alone doesn't bring it."""
    return min(held.values(), key=lambda waiting: waiting.on != "approval")


def without(
    plan: Plan, blocked: Held, applied: Mapping[ObjectKey, AppliedObject]
) -> tuple[Plan, dict[ObjectKey, Waiting]]:
    """The plan without the parts that something blocked is in, and why each of their objects is held back."""
    if not blocked:
        return plan, {}
    parts = parts_of(plan, applied)
    blocked = {key: error for key, error in blocked.items() if key in parts}
    reasons: dict[int, Waiting] = {}
    for key, error in sorted(blocked.items()):
        reasons.setdefault(parts[key], error)
    named = {key for change in plan.changes for key in (change.key, change.previous) if key is not None}
    held = {key: blocked.get(key, reasons[parts[key]]) for key in sorted({*named, *blocked}) if parts[key] in reasons}
    former = {change.previous for change in plan.changes}
    taken = replace(
        plan,
        changes=tuple(c for c in plan.changes if c.key not in held),
        steps=tuple(s for s in plan.steps if parts[s.key] not in reasons),
    )
    return taken, {key: error for key, error in held.items() if key not in former}


def parts_of(plan: Plan, applied: Mapping[ObjectKey, AppliedObject]) -> dict[ObjectKey, int]:
    """The number of the part that each object of a plan belongs to."""
    touched = {key for step in plan.steps for key in _keys(step)}
    by_name: dict[tuple[str, str, str], list[ObjectKey]] = {}
    for key in touched:
        by_name.setdefault((key.tenant, key.kind, key.base), []).append(key)
    ties: dict[ObjectKey, set[ObjectKey]] = {key: set() for key in touched}

    def tie(one: ObjectKey, others: Iterable[ObjectKey]) -> None:
        for other in others:
            if other in ties and one in ties:
                ties[one].add(other)
                ties[other].add(one)

    for step in plan.steps:
        tie(step.key, _keys(step))
        documents = [step.document] if isinstance(step, PutObject) else []
        documents += [applied[key].document for key in _keys(step) if key in applied]
        for document in documents:
            tie(step.key, (key for name in _referred(document) for key in by_name.get(name, ())))
    for change in plan.changes:
        resets = [e.subject for e in change.effects if e.kind in POSITIONS]
        tie(change.key, (ObjectKey.parse(subject) for subject in resets))
    return _connected(ties)


def _keys(step: Step) -> tuple[ObjectKey, ...]:
    match step:
        case MoveObject(key, previous):
            return key, previous
        case PutObject() | ResetCursor() | RestoreCursor() | DropTable() | DeleteObject():
            return (step.key,)


def _referred(document: str) -> Iterator[tuple[str, str, str]]:
    """Tenant, kind and name of all that a declaration may refer to: of its own tenant, or shared."""
    manifest = from_document(document)
    tenant = manifest.key.tenant
    if tenant:
        yield "", "Tenant", tenant
    for reference in KIND_BY_NAME[manifest.key.kind].references(manifest.spec):
        for owner in {tenant, ""}:
            yield owner, reference.kind, reference.name


def _connected(ties: Mapping[ObjectKey, set[ObjectKey]]) -> dict[ObjectKey, int]:
    """The number of the connected part that each key is in."""
    found: dict[ObjectKey, int] = {}
    for number, start in enumerate(ties):
        ahead = [start]
        while ahead:
            key = ahead.pop()
            if key not in found:
                found[key] = number
                ahead += ties[key]
    return found
