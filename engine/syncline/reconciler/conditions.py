"""What is to be said of an object after something happened to it: pure functions from outcomes to conditions.

`status.py` keeps what these say. A failure that may pass by itself leaves an object `Reconciling`, with a next attempt;
one that needs a person leaves it `Stalled`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds.suspend import Suspendable
from syncline.model.condition import SOURCE_CHANGED, Condition, ConditionType, Status, Truth
from syncline.model.errors import Again, Denied, SynclineError, Waiting
from syncline.model.event import rfc3339
from syncline.reconciler.rotation import Reminder
from syncline.sdk.retry import RetryPolicy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from syncline.model.key import ObjectKey
    from syncline.model.proposal import Proposal

#: Between attempts at one object, in seconds: exponential with full jitter, at most five minutes.
BACKOFF: Final = RetryPolicy(initial=2.0, max=300.0)
#: Fewest seconds between two attempts, whatever is drawn.
SOONEST: Final = 1.0
#: Kinds that there is something outside to be looked at of.
CHECKED = frozenset({"AuthConfig", "Integration"})
#: Kinds of which it is said whether they are suspended.
SUSPENDED: Final = frozenset({"Sync", "Import", "Schedule", "Subscription"})
#: Reasons that others look for.
WAITING, DEPENDENCY, SECRET = "Waiting", "DependencyNotReady", "SecretMissing"
DESTINATION = "DestinationChanged"
#: How it stands with a commit that declares a destination as somebody left it, by code.
_PROPOSED: Final = {"SYN728": "AdoptionProposed", "SYN729": "AdoptionFailed"}
#: What looks say, and only looks end.
LOOKED: Final = frozenset({DESTINATION, *_PROPOSED.values()})
#: Secrets that can't be had (`model/codes/secret.py`).
_SECRET = frozenset({"SYN801", "SYN802", "SYN803", "SYN804"})


class Moment(Struct, frozen=True):
    """When something is said, about which commit, and the number in [0, 1) that the next attempt is drawn by."""

    now: dt.datetime
    revision: str = ""
    chance: float = 0.0

    @property
    def text(self) -> str:
        """The time as RFC 3339 in UTC."""
        return rfc3339(self.now)

    def say(self, kind: ConditionType, status: Truth, reason: str, message: str = "") -> Condition:
        """A condition that is found now."""
        return Condition(kind, status, reason, message, self.revision, self.text)

    def yes(self, kind: ConditionType, reason: str, message: str = "") -> Condition:
        """That it holds."""
        return self.say(kind, Truth.true, reason, message)

    def no(self, kind: ConditionType, reason: str, message: str = "") -> Condition:
        """That it doesn't."""
        return self.say(kind, Truth.false, reason, message)

    def after(self, attempts: int, at_least: float | None = None) -> str:
        """When the attempt after so many failed ones is due."""
        wait = max(SOONEST, BACKOFF.backoff(attempts, self.chance, at_least))
        return rfc3339(self.now + dt.timedelta(seconds=wait))


def well(status: Status, at: Moment, reason: str, message: str = "") -> Status:
    """Ready: nothing is left to be tried."""
    kinds = ConditionType
    said = [at.yes(kinds.ready, reason, message), at.no(kinds.reconciling, reason), at.no(kinds.stalled, reason)]
    return replace(status.with_(*said), attempts=0, retry="")


def failed(status: Status, at: Moment, reason: str, error: SynclineError, *, again: bool, more: str = "") -> Status:
    """
    Not ready, by an error. `again`: it is tried again without anybody asking, after a backoff of its own. `more` is
    put behind what the error tells.
    """
    kinds, message = ConditionType, f"[{error.code}] {' '.join(error.told.split())}{more}"
    passing = isinstance(error, Again | Waiting) and again
    attempts = status.attempts + 1
    asked = error.after if isinstance(error, Again) else None
    said = [
        at.no(kinds.ready, reason, message),
        at.say(kinds.reconciling, Truth.true if passing else Truth.false, "Retrying" if passing else reason),
        at.say(kinds.stalled, Truth.false if passing else Truth.true, reason),
    ]
    return replace(status.with_(*said), attempts=attempts, retry=at.after(attempts, asked) if again else "")


def declared(key: ObjectKey, generation: int, spec: BaseModel, at: Moment) -> Status:
    """What is known of an object when its declaration was just applied, whatever was known of an earlier one."""
    return suspension(well(Status(key, generation=generation), at, "Applied"), spec, at).with_(
        at.yes(ConditionType.policy_compliant, "Allowed")
    )


def suspension(status: Status, spec: BaseModel, at: Moment) -> Status:
    """Whether it is suspended today, of what can be."""
    if status.key.kind not in SUSPENDED or not isinstance(spec, Suspendable):
        return status
    suspend = spec.suspend
    if suspend is None or not suspend.holds(at.now.date()):
        return status.with_(at.no(ConditionType.suspended, "NotSuspended"))
    until = f" until {suspend.until}" if suspend.until else ""
    return status.with_(at.yes(ConditionType.suspended, "Declared", f"{suspend.reason}{until}"))


def waits(status: Status, at: Moment, error: Waiting, *, again: bool) -> Status:
    """A declaration of this commit that couldn't be applied yet; what was applied before goes on working."""
    return failed(status, at, WAITING, error, again=again)


def ran(
    status: Status,
    at: Moment,
    error: SynclineError | None,
    *,
    rejects: str = "",
    undone: str = "",
    again: bool = False,
) -> Status:
    """A flow after a run of it. `rejects` says that some records were set aside, `undone` that it undid another."""
    kinds = ConditionType
    if error is None:
        reason = "RunUndone" if undone else "RunHadRejects" if rejects else "RunSucceeded"
        found = well(status, at, reason, undone or rejects)
        found = found.with_(at.yes(kinds.policy_compliant, "Allowed"))
        drifted = found.condition(kinds.drifted)
        if drifted is not None and drifted.reason in LOOKED:
            return found  # a run says nothing of rows that it didn't write: the next look does
        return found.with_(at.no(kinds.drifted, "SourceAsDeclared"))
    if isinstance(error, Denied) and error.code.startswith("SYN5"):
        found = failed(status, at, "PolicyDenied", error, again=False)
        return found.with_(at.no(kinds.policy_compliant, "Denied", error.told))
    reason = "RunInterrupted" if isinstance(error, Again | Waiting) else "RunFailed"
    found = failed(status, at, reason, error, again=again and reason == "RunInterrupted")
    if error.code in SOURCE_CHANGED:
        return found.with_(at.yes(kinds.drifted, "SourceChanged", error.told))
    return found


def looked(status: Status, at: Moment, changed: str, proposal: Proposal | None = None) -> Status:
    """
    A flow after a look at its destination; `changed` is what somebody did there, '' where all is as runs left it, and
    `proposal` how it stands with a commit that declares it so.
    """
    kinds = ConditionType
    if changed and proposal is not None:
        reason = _PROPOSED.get(proposal.code, DESTINATION)
        code = f"[{proposal.code}] " if proposal.code else ""
        return status.with_(at.yes(kinds.drifted, reason, f"{code}{changed}; {proposal.said}"))
    if changed:
        return status.with_(at.yes(kinds.drifted, DESTINATION, changed))
    drifted = status.condition(kinds.drifted)
    if drifted is not None and drifted.status is Truth.true and drifted.reason not in LOOKED:
        return status  # its source is another than declared: only a run says more of that
    return status.with_(at.no(kinds.drifted, "AsLeft"))


def still_drifted(before: Status | None, after: Status) -> Status:
    """A flow whose declaration has changed, with what is known of its destination: that hasn't changed by it."""
    drifted = before.condition(ConditionType.drifted) if before is not None else None
    return after if drifted is None or drifted.reason not in LOOKED else after.with_(drifted)


def checked(status: Status, at: Moment, error: SynclineError | None) -> Status:
    """An integration or credentials after a look at whether they work."""
    if error is None:
        return well(status, at, "Checked")
    if error.code in _SECRET:
        return failed(status, at, SECRET, error, again=True)
    reason = "Unreachable" if isinstance(error, Again | Waiting) else "CheckFailed"
    return failed(status, at, reason, error, again=True)


def delivered(status: Status, at: Moment, error: SynclineError | None) -> Status:
    """A subscription after a message of it arrived, or didn't. The outbox knows when it is tried again."""
    if error is None:
        return well(status, at, "Delivered")
    found = failed(status, at, "DeliveryFailed", error, again=False)
    trying = isinstance(error, Again | Waiting)
    said = [
        at.say(
            ConditionType.reconciling, Truth.true if trying else Truth.false, "Retrying" if trying else "DeliveryFailed"
        ),
        at.say(ConditionType.stalled, Truth.false if trying else Truth.true, "DeliveryFailed"),
    ]
    return replace(found.with_(*said), attempts=0, retry="")


def aged(status: Status, at: Moment, reminder: Reminder | None) -> Status:
    """Credentials in view of their age; when they are looked at again, unless that is due for another reason."""
    kind = ConditionType.rotation_due
    if reminder is None:
        said = at.say(kind, Truth.unknown, "AgeUnknown", "it wasn't seen yet")
        return replace(status.with_(said), retry=status.retry or rfc3339(at.now))
    said = at.say(kind, Truth.true if reminder.holds else Truth.false, reminder.reason, reminder.message)
    return replace(status.with_(said), retry=status.retry or rfc3339(reminder.next_look(at.now)))


def depending(status: Status, at: Moment, blockers: tuple[Status, ...]) -> Status:
    """An object in view of what it stands on: it waits for what isn't ready, whatever else is said of it.

    Once that is ready, an object that had failed before is tried again: how it stands isn't known until then.
    """
    kinds = ConditionType
    if blockers:
        message = "waits for " + ", ".join(str(blocker.key) for blocker in blockers)
        said = [at.no(kinds.ready, DEPENDENCY, message), at.yes(kinds.reconciling, WAITING, message)]
        return replace(status.with_(*said, at.no(kinds.stalled, DEPENDENCY)), retry="")
    ready = status.condition(kinds.ready)
    if ready is None or ready.reason != DEPENDENCY:
        return status
    if not status.attempts:
        found = well(status, at, "DependencyReady")
        return replace(found, retry=at.text) if status.key.kind in CHECKED else found
    unknown = at.say(kinds.ready, Truth.unknown, "DependencyReady", "not tried since what it waited for is ready")
    return replace(status.with_(unknown, at.yes(kinds.reconciling, "Retrying")), retry=at.text)
