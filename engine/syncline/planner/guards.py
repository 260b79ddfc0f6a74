"""Guards on a plan: what is refused unless it is asked for in so many words."""

from __future__ import annotations

import json

from syncline.model.change import Action, Change
from syncline.model.diagnostic import Diagnostic, Place
from syncline.planner.observed import Observed

#: More deletes than both look like an accident: a wrong folder, a bad merge.
MAX_DELETES = 3
MAX_DELETED_SHARE = 0.2


def _place(text: str) -> Place | None:
    file, _, rest = text.rpartition(":")
    file, _, line = file.rpartition(":")
    return Place(file, int(line), int(rest)) if file and line.isdigit() and rest.isdigit() else None


def delete_findings(changes: tuple[Change, ...], observed: Observed, *, allow_deletes: bool) -> tuple[Diagnostic, ...]:
    """Findings about deletes: of protected objects always, of many objects unless `allow_deletes`."""
    deleted = [c.key for c in changes if c.action is Action.delete]
    found = []
    for key in deleted:
        applied = observed.objects[key]
        if json.loads(applied.document).get("metadata", {}).get("protected"):
            found.append(
                Diagnostic(
                    code="SYN621",
                    message=f"{key} is protected and can't be deleted",
                    place=_place(applied.place),
                    subject=str(key),
                    expected="metadata.protected: false, applied first",
                    help="Put it back, set metadata.protected to false, apply that, then delete it.",
                )
            )
    many = len(deleted) > MAX_DELETES and len(deleted) > MAX_DELETED_SHARE * len(observed.objects)
    if many and not allow_deletes:
        found.append(
            Diagnostic(
                code="SYN620",
                message=f"the plan deletes {len(deleted)} of {len(observed.objects)} applied objects",
                expected=f"at most {MAX_DELETES}, or {MAX_DELETED_SHARE:.0%}",
                help="If it is meant, plan and apply with --allow-deletes; else look at the folder and the last merge.",
            )
        )
    return tuple(found)
