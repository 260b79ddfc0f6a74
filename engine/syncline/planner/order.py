"""The order of steps, such that an apply may be killed after any of them: the next plan then has the rest.

Positions are reset first, under the name that a moved flow had: once a part of what makes them void is recorded, or
moved to where the rest doesn't find it yet, no plan would know of it. Moves are next; none of them touches a name that
another one does, so that they have no order. Declarations follow by phase of their kind, then key; deletes are last and
in reverse, so that nothing loses what it refers to. A table is dropped before its flow is forgotten: what a kill leaves
is a flow whose table is gone, which is retired again.
"""

from __future__ import annotations

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.desired import Desired
from syncline.manifests.load import to_document
from syncline.model.change import Action, Change, EffectKind
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor, Step


def _phase(change: Change) -> tuple[int, str]:
    return KIND_BY_NAME[change.key.kind].order, str(change.key)


def steps(changes: tuple[Change, ...], desired: Desired, back_to: str = "") -> tuple[Step, ...]:
    """The steps that make the changes, in the order in which they are taken; `back_to` is whose positions are restored.

    A position that is restored says what it depends on, so that it isn't reset by the plan that has the rest.
    """
    kept = sorted((c for c in changes if c.action is not Action.delete), key=_phase)
    # Of any change: what a retired integration leaves behind may be another place for flows that stay.
    resets = {e.subject: e.message for c in changes for e in c.effects if e.kind is EffectKind.cursor_reset}
    former = {c.key: c.previous for c in kept if c.previous is not None}
    reset = [key for key in desired.objects if str(key) in resets]
    found: list[Step] = [ResetCursor(former.get(key, key), resets[str(key)]) for key in sorted(reset)]
    restored = {e.subject for c in changes for e in c.effects if e.kind is EffectKind.cursor_restored}
    found.extend(RestoreCursor(key, back_to) for key in sorted(desired.objects) if str(key) in restored)
    found.extend(MoveObject(key, previous) for key, previous in former.items())
    for change in kept:
        manifest = desired.objects[change.key]
        found.append(PutObject(change.key, manifest.digest, to_document(manifest), str(manifest.place)))
    gone = sorted((c for c in changes if c.action is Action.delete), key=_phase, reverse=True)
    dropped = {e.subject for c in gone for e in c.effects if e.kind is EffectKind.table_dropped}
    for change in gone:
        if str(change.key) in dropped:
            found.append(DropTable(change.key))
        found.append(DeleteObject(change.key))
    return tuple(found)
