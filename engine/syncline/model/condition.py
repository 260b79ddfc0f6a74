"""How an object stands: conditions in Kubernetes' shape, and what they add up to.

A condition says one thing about one object: its type, whether it holds, why in a word and in a sentence, the revision
that was looked at, and since when it is so (Kubernetes API conventions, "Typical status properties"). A status is the
conditions of one object, with when it is tried again. Conditions are never in Git; `reconciler/status.py` alone makes
them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.key import ObjectKey

#: Codes that runs end with where the source turned out to be another than is declared: its records, casts or fields.
SOURCE_CHANGED: Final = frozenset({"SYN424", "SYN425", "SYN706"})


class ConditionType(StrEnum):
    """What a condition is about. One that isn't there is unknown."""

    #: Nothing that is known keeps it from working.
    ready = "Ready"
    #: It isn't where it should be, and is tried again without anybody's help.
    reconciling = "Reconciling"
    #: It stays as it is until a person acts.
    stalled = "Stalled"
    #: What is there differs from what is declared.
    drifted = "Drifted"
    #: Policy allows it.
    policy_compliant = "PolicyCompliant"
    #: Its credential is to be replaced, soon or already.
    rotation_due = "RotationDue"
    #: It is kept from running on purpose.
    suspended = "Suspended"


class Truth(StrEnum):
    """Whether a condition holds."""

    true = "True"
    false = "False"
    unknown = "Unknown"


class Condition(Struct, frozen=True):
    """One condition. `reason` is one word in CamelCase; `changed` (RFC 3339 UTC) is when `status` last became another.

    `revision` is the commit of the declaration that it is about; '' where that was no commit.
    """

    type: ConditionType
    status: Truth
    reason: str
    message: str = ""
    revision: str = ""
    changed: str = ""

    def says(self, other: Condition) -> bool:
        """Whether it says the same as another one, since whenever."""
        mine = (self.type, self.status, self.reason, self.message, self.revision)
        return mine == (other.type, other.status, other.reason, other.message, other.revision)


class Status(Struct, frozen=True):
    """The conditions of an object, in the order of their types. `generation` is that of the declaration that they are
    of, 0 for none; `attempts` are those that failed since it last was well; `retry` (RFC 3339 UTC) is when the next one
    is due, '' for none.
    """

    key: ObjectKey
    conditions: tuple[Condition, ...] = ()
    generation: int = 0
    attempts: int = 0
    retry: str = ""

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of a type, if it is known."""
        return next((c for c in self.conditions if c.type is kind), None)

    def holds(self, kind: ConditionType) -> bool:
        """Whether a condition is known to hold."""
        found = self.condition(kind)
        return found is not None and found.status is Truth.true

    @property
    def failing(self) -> bool:
        """Whether it is known not to be ready."""
        ready = self.condition(ConditionType.ready)
        return ready is not None and ready.status is Truth.false

    def with_(self, *conditions: Condition) -> Status:
        """
        With these conditions instead of those of their types. The time of a condition moves only when its status does.

        >>> old = Condition(ConditionType.ready, Truth.true, "Applied", changed="2026-11-26T01:00:00Z")
        >>> new = Condition(ConditionType.ready, Truth.true, "RunSucceeded", changed="2026-11-26T02:00:00Z")
        >>> Status(ObjectKey("", "Tenant", "acme"), (old,)).with_(new).conditions[0].changed
        '2026-11-26T01:00:00Z'
        """
        found = {c.type: c for c in self.conditions}
        for condition in conditions:
            before = found.get(condition.type)
            same = before is not None and before.status is condition.status
            found[condition.type] = replace(condition, changed=before.changed) if same and before else condition
        return replace(self, conditions=tuple(found[kind] for kind in ConditionType if kind in found))


class Mood(StrEnum):
    """Whether an occurrence is how things should go."""

    normal = "Normal"
    warning = "Warning"


class Occurrence(Struct, frozen=True):
    """Something that happened to an object, for people. `number` rises; `time` is RFC 3339 UTC; `run` is the run that
    it is of, if any. The audit log is the evidence; this is what `syncline events` shows, kept for a while only.
    """

    key: ObjectKey
    mood: Mood
    reason: str
    message: str = ""
    revision: str = ""
    run: str = ""
    number: int = 0
    time: str = ""
