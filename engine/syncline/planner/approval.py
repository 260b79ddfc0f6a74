"""What an approval is about: the effects of a plan in canonical form, and whether those of another plan are among them.

Effects are what matters to data: which objects change in which way, to which declaration, and what that does. Serials,
revisions, times and estimates are no part of them, so that the same change gives the same digest on a branch, in CI and
at the merge, however long that takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from syncline.audit import canonical_json
from syncline.kinds.changes import Required
from syncline.model.change import Action, Change, Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.model.plan import Plan
from syncline.model.step import PutObject, RestoreCursor

VERSION: Final = "syncline/approval/v1"
_EFFECTS: Final = "syncline/effects/v1"
#: Effects that are estimates of others.
_ESTIMATES: Final = frozenset({EffectKind.rows_counted, EffectKind.rows_reread, EffectKind.work_needed})
#: Effects that can be undone, and yet are what an approver should see.
_OPENING: Final = frozenset(
    {
        EffectKind.host_contacted,
        EffectKind.account_changed,
        EffectKind.protection_changed,
        EffectKind.cursor_restored,
    }
)
#: Kinds that bound what all others may do.
_BOUNDS: Final = frozenset({"Tenant", "Policy", "Source"})


class Act(Struct, frozen=True):
    """
    What happens to one object: the action, its former name, the digest of what it is declared as afterwards, and the
    effects on data as (kind, subject, message).
    """

    key: ObjectKey
    action: str
    previous: str = ""
    declaration: str = ""
    effects: frozenset[tuple[str, str, str]] = frozenset()

    def beyond(self, approved: Act) -> str:
        """What of this isn't among what was approved, for people; '' where all of it is."""
        if (self.action, self.previous) != (approved.action, approved.previous):
            was = f" from {approved.previous}" if approved.previous else ""
            return f"{self.action} instead of {approved.action}{was}"
        more = sorted(self.effects - approved.effects)
        if more:
            kind, subject, message = more[0]
            others = f", and {len(more) - 1} more" if len(more) > 1 else ""
            return f"{message or f'{kind} of {subject}'}{others}"
        return "" if self.declaration == approved.declaration else "it is declared differently"


def acts_of(plan: Plan) -> tuple[Act, ...]:
    """What a plan does to each object, in the order of keys."""
    digests = {step.key: step.digest for step in plan.steps if isinstance(step, PutObject)}
    restored = {str(step.key): step.revision for step in plan.steps if isinstance(step, RestoreCursor)}
    ordered = sorted(plan.changes, key=lambda c: c.key)
    return tuple(_act(change, digests.get(change.key, ""), restored) for change in ordered)


def _act(change: Change, declaration: str, restored: Mapping[str, str]) -> Act:
    effects = frozenset(
        (str(e.kind), e.subject, _said(e, restored)) for e in change.effects if e.kind not in _ESTIMATES
    )
    previous = str(change.previous) if change.previous is not None else ""
    return Act(change.key, change.action.name, previous, declaration, effects)


def _said(effect: Effect, restored: Mapping[str, str]) -> str:
    """What of an effect's message is approved: how much was read since isn't, and which commit it goes back to is."""
    if effect.kind is EffectKind.cursor_restored:
        return f"its position goes back to where it was under {restored.get(effect.subject, '')}"
    return "" if effect.basis == "state" else effect.message


def needs_approval(change: Change, required: Required) -> bool:
    """Whether a change is one that an approval is demanded for."""
    if required == "always" or change.key.kind in _BOUNDS:
        return True
    if change.action in {Action.delete, Action.replace}:
        return True
    return any(not e.reversible or e.kind in _OPENING for e in change.effects)


def effects_of(plan: Plan) -> dict[str, Any]:
    """The canonical effects of a plan, as plain data."""
    return _plain(acts_of(plan), plan.basis.environment)


def _plain(acts: tuple[Act, ...], environment: str) -> dict[str, Any]:
    changes = [
        {
            "object": str(act.key),
            "action": act.action,
            "previous": act.previous,
            "declaration": act.declaration,
            "effects": [list(effect) for effect in sorted(act.effects)],
        }
        for act in acts
    ]
    return {"version": _EFFECTS, "environment": environment, "changes": changes}


def effects_digest(plan: Plan) -> str:
    """SHA-256 (hex) of the canonical effects (RFC 8785): what an approver approves."""
    return hashlib.sha256(canonical_json.dumps(effects_of(plan))).hexdigest()


class Approval(Struct, frozen=True):
    """
    What approvers sign: effects, and the state that they were found on. `lineage`, `serial` and `revision` are that
    state's; `made` and `expires` are RFC 3339 UTC.
    """

    acts: tuple[Act, ...]
    environment: str
    lineage: str
    serial: int
    revision: str
    made: str
    expires: str

    @property
    def effects(self) -> str:
        """The digest of the effects."""
        return hashlib.sha256(canonical_json.dumps(_plain(self.acts, self.environment))).hexdigest()

    @property
    def text(self) -> bytes:
        """The file: one line of canonical JSON."""
        data = {
            "version": VERSION,
            "effects": _plain(self.acts, self.environment),
            "digest": self.effects,
            "state": {"lineage": self.lineage, "serial": self.serial, "revision": self.revision},
            "made": self.made,
            "expires": self.expires,
        }
        return canonical_json.dumps(data) + b"\n"

    @property
    def id(self) -> str:
        """SHA-256 (hex) of the file."""
        return hashlib.sha256(self.text).hexdigest()

    def act(self, key: ObjectKey) -> Act | None:
        """What was approved for an object; None for nothing."""
        return next((act for act in self.acts if act.key == key), None)


def approval_of(plan: Plan, made: str, expires: str) -> Approval:
    """The approval of all effects of a plan."""
    basis = plan.basis
    return Approval(acts_of(plan), basis.environment, basis.lineage, basis.serial, basis.revision, made, expires)


def parse(data: bytes) -> Approval:
    """Reads the file of an approval; ValueError where it is none, or isn't in the one form that it has."""
    try:
        read = json.loads(data)
        state, effects = read["state"], read["effects"]
        approval = Approval(
            acts=tuple(_read(change) for change in effects["changes"]),
            environment=effects["environment"],
            lineage=state["lineage"],
            serial=state["serial"],
            revision=state["revision"],
            made=read["made"],
            expires=read["expires"],
        )
        texts = (approval.environment, approval.lineage, approval.revision, approval.made, approval.expires)
        if not all(isinstance(text, str) for text in texts) or not isinstance(approval.serial, int):
            raise TypeError("of other types")
        same = approval.text == data
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it isn't an approval ({error})") from None
    if not same:
        raise ValueError("it isn't an approval of this version in canonical form")
    return approval


def _read(change: Mapping[str, Any]) -> Act:
    effects = frozenset((kind, subject, message) for kind, subject, message in change["effects"])
    key = ObjectKey.parse(change["object"])
    return Act(key, change["action"], change["previous"], change["declaration"], effects)
