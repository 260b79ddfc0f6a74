"""The order of steps: by phase of the kind, then key; deletes last and in reverse, so nothing loses what it refers to."""

from __future__ import annotations

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.desired import Desired
from syncline.manifests.load import to_document
from syncline.model.change import Action, Change, EffectKind
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor, Step


def _phase(change: Change) -> tuple[int, str]:
    return KIND_BY_NAME[change.key.kind].order, str(change.key)


def steps(changes: tuple[Change, ...], desired: Desired) -> tuple[Step, ...]:
    """The steps that make the changes, in the order in which they are taken."""
    found: list[Step] = []
    kept = sorted((c for c in changes if c.action is not Action.delete), key=_phase)
    for change in kept:
        manifest = desired.objects[change.key]
        if change.previous is not None:
            found.append(MoveObject(change.key, change.previous))
        found.append(PutObject(change.key, manifest.digest, to_document(manifest), str(manifest.place)))
    resets = {e.subject: e.message for c in kept for e in c.effects if e.kind is EffectKind.cursor_reset}
    for key in sorted(k for k in desired.objects if str(k) in resets):
        found.append(ResetCursor(key, resets[str(key)]))
    gone = sorted((c for c in changes if c.action is Action.delete), key=_phase, reverse=True)
    found.extend(DeleteObject(change.key) for change in gone)
    return tuple(found)
