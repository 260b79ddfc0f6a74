"""The one place where conditions are written: by an apply, by the daemon's checks, at the end of a run, of the source.

What is said is decided in `conditions.py`; here it is put beside what is known of the others, and kept. A kill before
this leaves what was said last; the next apply, check or run of the object says it anew.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.kinds import KIND_BY_NAME
from syncline.model.condition import ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.errors import Again, Stalled, SynclineError, Waiting
from syncline.model.key import FIRST, ObjectKey
from syncline.model.run import UNDOING
from syncline.reconciler.conditions import (
    CHECKED,
    DEPENDENCY,
    WAITING,
    Moment,
    aged,
    checked,
    declared,
    delivered,
    depending,
    failed,
    looked,
    ran,
    still_drifted,
    suspension,
    waits,
    well,
)
from syncline.reconciler.hold import foremost
from syncline.reconciler.needs import Needs, all_below, all_needed, needs, reference, secret_problem, secret_refs
from syncline.reconciler.rotation import Reminder, reminders, rotation_of
from syncline.secrets.contract import Unavailable

if TYPE_CHECKING:
    from syncline.executor.flows.applied import Applied
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest
    from syncline.model.proposal import Proposal
    from syncline.settings import Settings
    from syncline.state.store import RunRecord, StateReader, StateStore


#: Reasons why a commit isn't applied that have a name of their own.
_REASONS: Final = {"SYN662": "RefNotFound", "SYN663": "HistoryRewritten", "SYN664": "NotSigned"}
#: Most findings that the status of a source names.
MOST_FINDINGS: Final = 3
#: What the status of the first source, the repository that declares others, is kept under.
SOURCE: Final = ObjectKey("", "Source", FIRST)


def source_key(name: str) -> ObjectKey:
    """What the status of a source is kept under; '' is the first."""
    return ObjectKey("", "Source", name) if name else SOURCE


def after_apply(
    settings: Settings,
    store: StateStore,
    desired: Desired,
    revision: str,
    held: Mapping[ObjectKey, Waiting],
    *,
    patient: bool,
    source: str = "",
) -> None:
    """
    After an apply: `desired` is all that is applied now, `held` what of a source's commit `revision` couldn't be yet.

    `patient`: whoever applies tries again by itself. What is new or changed is ready until something is known against
    it; of credentials, their secrets are looked for.
    """
    declarations = store.generations()
    graph = needs(desired)
    users = (key for key in desired.objects if key.kind in {"Sync", "Import", "Subscription"})
    used = all_below(users, graph)
    now, chance = _now(), random.random()  # noqa: S311 - so that objects aren't tried at the same moment
    ages = _ages(store, desired, now)

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        found: dict[ObjectKey, Status] = {}
        for key, manifest in desired.objects.items():
            if key not in declarations:
                continue  # somebody else applied meanwhile: of what they retired, nothing is kept
            generation, declared_by = declarations[key]
            at = Moment(now, declared_by, chance)
            known = before.get(key)
            if known is None or known.generation != generation or waited(known):
                fresh = _fresh(settings, manifest, generation, at, to_check=key in used)
                known = still_drifted(known, fresh)
            found[key] = suspension(known, manifest.spec, at)
            if key in ages:
                found[key] = aged(found[key], at, ages[key])
        at = Moment(now, revision, chance)
        for key, error in held.items():
            known = before.get(key)
            if known is None or waits_for(known, revision) is None or known.retry <= at.text:
                known = waits(known or found.get(key) or Status(key), at, error, again=patient)
            found[key] = known
        key = source_key(source)
        found[key] = _source(found.get(key) or before.get(key) or Status(key), at, None, held, again=patient)
        found = _settled(found, desired, graph, now)
        gone = [Status(key) for key in before if key not in found and key not in declarations and key != SOURCE]
        return [*found.values(), *gone], _told(before, found)

    store.change_statuses(None, make)


def source_failed(
    store: StateStore, revision: str, error: SynclineError, *, after: float | None, source: str = ""
) -> None:
    """Why the newest commit of a source isn't applied; `after` is in seconds until it is tried again, by itself."""
    key, at = source_key(source), Moment(_now(), revision)
    retry = "" if after is None else at.after(1, after)

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        known = before.get(key)
        found = replace(_source(known or Status(key), at, error, {}, again=after is not None), retry=retry)
        if known is not None and _same(known, found):
            found = replace(known, retry=retry)  # told of once, however often it comes again
        return [found], _told(before, {key: found})

    store.change_statuses([key], make)


def source_well(store: StateStore, revision: str, source: str = "") -> None:
    """That the newest commit of a source is applied whole, after all."""
    key = source_key(source)

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        known = before.get(key)
        found = _kept(known, _source(known or Status(key), Moment(_now(), revision), None, {}, again=True))
        return [found], _told(before, {key: found})

    store.change_statuses([key], make)


def after_run(store: StateStore, applied: Applied, record: RunRecord, error: SynclineError | None) -> None:
    """After a run: how the flow stands. A success proves what it stands on; after a failure that is looked at."""
    key = record.key
    if (below := applied.below.get(key)) is None:
        below = tuple(k for k in all_needed(key, applied.desired) if k.kind in CHECKED)
        applied.below[key] = below
    now = _now()
    rejects = f"see `syncline runs rejects {record.id}`" if record.counts.rejected else ""
    undone = f"what run {record.parent} wrote was taken back" if record.trigger == UNDOING else ""
    again = record.trigger in {"schedule", "event"}
    ages = _ages(store, applied.desired, now)
    settle = False

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        nonlocal settle
        at = Moment(now, applied.objects[key].revision, random.random())  # noqa: S311 - spreads attempts
        found = {key: ran(before.get(key) or Status(key), at, error, rejects=rejects, undone=undone, again=again)}
        for one in below:
            at = Moment(now, applied.objects[one].revision)
            status = before.get(one) or Status(one)
            if error is None and (status.failing or not status.conditions):
                found[one] = well(status, at, "RunSucceeded", f"proved by {key}")
                settle = True
            elif isinstance(error, Again | Stalled) and not status.failing and not "" < status.retry <= at.text:
                found[one] = replace(status, retry=at.text)
            if one in ages:
                found[one] = aged(found.get(one, status), at, ages[one])
        found = {k: _kept(before.get(k), status) for k, status in found.items()}
        return found.values(), _told(before, {k: s for k, s in found.items() if k != key})

    store.change_statuses([key, *below], make)
    if settle:
        _settle(store, applied.desired)


def after_check(store: StateStore, applied: Applied, key: ObjectKey, error: SynclineError | None) -> None:
    """After a look at an integration or at credentials; what stands on them follows."""
    changed, now = False, _now()
    ages = _ages(store, applied.desired, now) if key.kind == "AuthConfig" else {}

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        nonlocal changed
        at = Moment(now, applied.objects[key].revision, random.random())  # noqa: S311 - spreads attempts
        known = before.get(key) or Status(key)
        found = checked(known, at, error)
        if key in ages:
            found = aged(found, at, ages[key])
        changed = known.failing != found.failing or not known.conditions
        return [found], _told(before, {key: found})

    store.change_statuses([key], make)
    if changed:
        _settle(store, applied.desired)


def after_delivery(store: StateStore, applied: Applied, key: ObjectKey, error: SynclineError | None) -> None:
    """After a message of a subscription arrived, or couldn't be brought to arrive."""

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        at = Moment(_now(), applied.objects[key].revision)
        known = before.get(key) or Status(key)
        ready = known.condition(ConditionType.ready)
        if error is None and not known.failing and ready is not None:
            return (), ()
        if error is not None and ready is not None and ready.reason == DEPENDENCY:
            return (), ()  # what it waits for is told by itself
        found = _kept(known, delivered(known, at, error))
        return [found], _told(before, {key: found})

    store.change_statuses([key], make)


def after_look(
    store: StateStore, applied: Applied, key: ObjectKey, changed: str, proposal: Proposal | None = None
) -> None:
    """After a look at a flow's destination: what somebody `changed` there, '' where all is as its runs left it, and how
    it stands with a commit that declares it so.
    """

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        at = Moment(_now(), applied.objects[key].revision)
        known = before.get(key) or Status(key)
        found = _kept(before.get(key), looked(known, at, changed, proposal))
        return [found], _drifted(known, found)

    store.change_statuses([key], make)


def secrets_error(settings: Settings, manifest: Manifest) -> SynclineError | None:
    """Why an object's secrets can't be had on this machine; None where they can, or it has none."""
    for ref in secret_refs(manifest.spec):
        problem = secret_problem(settings, manifest.key.tenant, ref)
        if problem is not None:
            return Unavailable(reference(ref), problem)
    return None


def next_attempt(store: StateReader, keys: Iterable[ObjectKey], now: dt.datetime) -> float:
    """Seconds until the first of these objects is due to be tried again; a second at least."""
    due = [status.retry for status in store.statuses(list(keys)).values() if status.retry]
    return max(1.0, (dt.datetime.fromisoformat(min(due)) - now).total_seconds()) if due else 1.0


def waited(status: Status) -> bool:
    """Whether a declaration of it had to wait."""
    ready = status.condition(ConditionType.ready)
    return ready is not None and ready.reason == WAITING


def waits_for(status: Status, revision: str) -> Waiting | None:
    """What its declaration of this commit waits for before it can be applied; None where it doesn't."""
    ready = status.condition(ConditionType.ready)
    if ready is None or (ready.reason, ready.revision) != (WAITING, revision):
        return None
    code, _, message = ready.message.removeprefix("[").partition("] ")
    return Waiting(message, code=code)


# --- Parts -----------------------------------------------------------------------------------------------------------


def _fresh(settings: Settings, manifest: Manifest, generation: int, at: Moment, *, to_check: bool) -> Status:
    """What is known of a declaration that was just applied."""
    found = declared(manifest.key, generation, manifest.spec, at)
    if manifest.key.kind not in CHECKED:
        return found
    error = secrets_error(settings, manifest)
    if error is not None:
        return checked(found, at, error)
    return replace(found, retry=at.text) if to_check else found


def _findings(error: SynclineError) -> str:
    """Codes and places of what is wrong with a commit. What they say isn't for everybody who may see a source."""
    found = [d for d in getattr(error, "diagnostics", ()) if d.severity == "error"]
    named = list(dict.fromkeys(f"{d.code} at {d.place}" if d.place else d.code for d in found))
    more = f" and {len(named) - MOST_FINDINGS} more" if len(named) > MOST_FINDINGS else ""
    return f": {', '.join(named[:MOST_FINDINGS])}{more}" if named else ""


def _source(
    status: Status, at: Moment, error: SynclineError | None, held: Mapping[ObjectKey, Waiting], *, again: bool
) -> Status:
    if error is not None:
        reason = _REASONS.get(error.code, type(error).__name__)
        found = failed(status, at, reason, error, again=again, more=_findings(error))
        if isinstance(error, Waiting | Again):
            return found
        denied = error.code.startswith("SYN5")
        return found.with_(at.no(ConditionType.policy_compliant, "Denied", error.told)) if denied else found
    if held:
        first = foremost(held)
        some = f"{len(held)} of the commit's objects wait, the first because {first.message}"
        return failed(status, at, "PartlyApplied", Waiting(some, code=first.code, on=first.on), again=again)
    return well(status, at, "Applied").with_(at.yes(ConditionType.policy_compliant, "Allowed"))


def _ages(store: StateReader, desired: Desired, now: dt.datetime) -> dict[ObjectKey, Reminder | None]:
    """How the credentials stand whose replacement is declared. Where there are none, the state isn't asked."""
    if not any(rotation_of(manifest) for manifest in desired.of_kind("AuthConfig")):
        return {}
    return dict(reminders(desired, store.credentials(), now))


def _settle(store: StateStore, desired: Desired) -> None:
    """Brings what stands on others in line with them."""
    graph = needs(desired)

    def make(before: Mapping[ObjectKey, Status]) -> tuple[Iterable[Status], Iterable[Occurrence]]:
        found = _settled(before, desired, graph, _now())
        return found.values(), _told(before, found)

    store.change_statuses(None, make)


def _settled(
    statuses: Mapping[ObjectKey, Status], desired: Desired, graph: Needs, now: dt.datetime
) -> dict[ObjectKey, Status]:
    """The statuses, each in view of what it stands on; what others stand on comes first."""
    found = dict(statuses)
    for key in sorted(graph, key=lambda k: (KIND_BY_NAME[k.kind].order, k)):
        status = found.get(key)
        if status is None or key not in desired.objects:
            continue
        ready = status.condition(ConditionType.ready)
        blockers = tuple(s for needed in graph[key] if (s := found.get(needed)) is not None and s.failing)
        at = Moment(now, ready.revision if ready is not None else "")
        if ready is None or ready.reason != WAITING:
            found[key] = _kept(status, depending(status, at, blockers))
    return found


def _kept(before: Status | None, after: Status) -> Status:
    """The status as it was, where it says the same: so that saying it again writes nothing."""
    if before is after:
        return after
    return before if before is not None and _same(before, after) and before.retry == after.retry else after


def _same(one: Status, other: Status) -> bool:
    """Whether two statuses say the same, whenever they came to."""
    if bool(one.retry) is not bool(other.retry) or len(one.conditions) != len(other.conditions):
        return False
    return all(a.says(b) for a, b in zip(one.conditions, other.conditions, strict=True))


def _told(before: Mapping[ObjectKey, Status], after: Mapping[ObjectKey, Status]) -> Iterator[Occurrence]:
    """What there is to tell of objects that stopped or began to be ready, or aren't for another reason than before, and
    of credentials that are to be replaced.
    """
    for key, status in after.items():
        old = before.get(key)
        yield from _reminded(old, status)
        ready = status.condition(ConditionType.ready)
        was = old.condition(ConditionType.ready) if old is not None else None
        if ready is None:
            continue
        same = was is not None and (was.status, was.reason) == (ready.status, ready.reason)
        newer = key.kind == "Source" and not status.failing and (was is None or was.revision != ready.revision)
        if same and not newer:
            continue
        if status.failing and ready.reason == DEPENDENCY:
            continue  # the cause is told, once
        if status.failing:
            yield Occurrence(key, Mood.warning, ready.reason, ready.message, ready.revision)
        elif old is not None and old.failing and was is not None and was.reason != DEPENDENCY:
            yield Occurrence(key, Mood.normal, "Ready", ready.message, ready.revision)
        elif newer:
            yield Occurrence(key, Mood.normal, ready.reason, "the commit is applied", ready.revision)


def _as_left(key: ObjectKey) -> str:
    """What is told when nothing differs any more."""
    return "its destination is as its runs left it" if key.is_flow else "all is as it was left"


def _drifted(before: Status, after: Status) -> Iterator[Occurrence]:
    """What there is to tell where a destination began or ceased to differ, or differs in another way than before."""
    was, now = before.condition(ConditionType.drifted), after.condition(ConditionType.drifted)
    if now is None or (was is not None and (was.status, was.message) == (now.status, now.message)):
        return
    if now.status is Truth.true:
        yield Occurrence(after.key, Mood.warning, "Drifted", now.message, now.revision)
    elif was is not None and was.status is Truth.true:
        yield Occurrence(after.key, Mood.normal, "DriftGone", _as_left(after.key), now.revision)


def _reminded(old: Status | None, status: Status) -> Iterator[Occurrence]:
    """That it became time to replace a credential, or that it was replaced; told once."""
    kind = ConditionType.rotation_due
    due, was = status.condition(kind), old.condition(kind) if old is not None else None
    if due is None or (was is not None and (was.status, was.reason) == (due.status, due.reason)):
        return
    if due.status is Truth.true:
        yield Occurrence(status.key, Mood.warning, f"Rotation{due.reason}", due.message, due.revision)
    elif was is not None and was.status is Truth.true and due.status is Truth.false:
        yield Occurrence(status.key, Mood.normal, "Rotated", due.message, due.revision)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
