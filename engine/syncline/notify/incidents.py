"""What isn't as it should be, by cause: fifty flows that wait for one integration are one incident, and it is that one.

Read off the conditions and what stands on what, as `explain` does; nothing is decided anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.codes import CODES
from syncline.model.condition import Condition, ConditionType, Status
from syncline.model.key import ObjectKey
from syncline.model.notice import SEVERITIES
from syncline.model.proposal import BRANCHES
from syncline.notify.suspects import suspects

if TYPE_CHECKING:
    from syncline.reconciler.needs import Needs

#: Reasons that say more than a code does, for people.
_WORDS: Final = {
    "Unreachable": "can't be reached",
    "RunInterrupted": "its run broke off",
    "RunFailed": "its run failed",
    "PolicyDenied": "policy denies it",
    "SecretMissing": "a secret can't be had",
    "CheckFailed": "its check failed",
    "SourceChanged": "its source is another than declared",
    "DestinationChanged": "its destination isn't as its runs left it",
    "AdoptionProposed": "its destination isn't as its runs left it, and a commit that declares it so is proposed",
    "AdoptionFailed": "its destination isn't as its runs left it, and a commit that declares it so can't be proposed",
    "DueSoon": "its credential is to be replaced soon",
    "Overdue": "its credential should have been replaced",
    "DeliveryFailed": "its messages don't arrive",
    "PartlyApplied": "the newest commit is applied in part",
    "Waiting": "its newest declaration waits",
}


#: What may be wrong with an object that is ready.
_BESIDES: Final = (ConditionType.drifted, ConditionType.rotation_due)
_BRANCH: Final = re.compile(rf"{BRANCHES}[\w./@-]+")
_RUN_FAILED: Final = frozenset({"RunFailed", "RunInterrupted"})


class Incident(Struct, frozen=True):
    """
    An object that isn't as it should be by itself, not by what it stands on. `severity` is `error` where a person must
    act, else `warning`; `since` RFC 3339 UTC; `waiting` are those that wait for it, in key order. `branch` is where a
    commit is proposed that ends it.
    """

    key: ObjectKey
    severity: str
    reason: str
    code: str
    since: str
    revision: str
    waiting: tuple[ObjectKey, ...] = ()
    branch: str = ""

    @property
    def title(self) -> str:
        """What is wrong, in words of this program: never those of a system, which may hold data."""
        known = CODES.get(self.code)
        said = known.title if known is not None else _WORDS.get(self.reason, self.reason)
        said = f"{said}, on branch {self.branch}" if self.branch else said
        return f"flows over it fail: {said}" if self.reason == "FlowsFail" else said

    @property
    def help(self) -> str:
        """What to do about it; '' where nothing is known to help."""
        known = CODES.get(self.code)
        return known.remedy if known is not None else ""

    def seen_by(self, tenant: str) -> Incident | None:
        """
        As a tenant's subscription sees it; None where it is none of its business. Of a shared cause, a tenant is told
        which object it is, and who of its own waits for it. '' sees everything.
        """
        if not tenant or self.key.tenant == tenant:
            return self
        own = tuple(key for key in self.waiting if key.tenant == tenant)
        return replace(self, waiting=own) if own and not self.key.tenant else None


def incidents(statuses: Mapping[ObjectKey, Status], graph: Needs) -> dict[ObjectKey, Incident]:
    """Every incident, by the object that is its cause, in key order. What is suspended isn't one."""
    wrong = {key: found for key, status in statuses.items() if (found := _wrong(status)) is not None}
    roots: dict[ObjectKey, frozenset[ObjectKey]] = {}

    def causes(key: ObjectKey) -> frozenset[ObjectKey]:
        found = roots.get(key)
        if found is None:
            roots[key] = frozenset({key})  # should anything ever stand on itself
            below = [one for one in graph.get(key, ()) if one in wrong and statuses[one].failing]
            found = roots[key] = frozenset().union(*map(causes, below)) if below else frozenset({key})
        return found

    waiting: dict[ObjectKey, list[ObjectKey]] = {}
    for key in sorted(wrong):
        for cause in causes(key):
            waiting.setdefault(cause, [])
            if cause != key:
                waiting[cause].append(key)
    each = {
        cause: replace(_incident(statuses[cause], wrong[cause]), waiting=tuple(waiting[cause])) for cause in waiting
    }
    return dict(sorted(_suspected(each, statuses, graph).items()))


def _suspected(
    found: dict[ObjectKey, Incident], statuses: Mapping[ObjectKey, Status], graph: Needs
) -> dict[ObjectKey, Incident]:
    """With what fails in the same way over the same integration as one incident, of that integration."""
    alone = {key: i.code for key, i in found.items() if statuses[key].failing and i.reason in _RUN_FAILED}
    for integration, flows in suspects(alone, graph).items():
        if integration in found:
            continue  # something is known against it, and these fail for another reason
        parts = [found.pop(flow) for flow in flows]
        found[integration] = Incident(
            integration,
            max((part.severity for part in parts), key=SEVERITIES.index),
            "FlowsFail",
            parts[0].code,
            min(part.since for part in parts),
            parts[0].revision,
            flows,
        )
    return found


def _wrong(status: Status) -> Condition | None:
    """The condition that says what is wrong; None where nothing is known to be."""
    if status.holds(ConditionType.suspended):
        return None
    if status.failing:
        return status.condition(ConditionType.ready)
    return next((status.condition(kind) for kind in _BESIDES if status.holds(kind)), None)


def _incident(status: Status, condition: Condition) -> Incident:
    code = condition.message.partition("]")[0].removeprefix("[") if condition.message.startswith("[SYN") else ""
    passing = status.holds(ConditionType.reconciling) or not status.failing
    severity = "warning" if passing else "error"
    found = _BRANCH.search(condition.message) if condition.reason == "AdoptionProposed" else None
    branch = found[0] if found is not None else ""  # of our own words, as no name in it is a system's
    return Incident(status.key, severity, condition.reason, code, condition.changed, condition.revision, branch=branch)
