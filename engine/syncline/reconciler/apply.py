"""Applying a plan: under the lease, against the state it was made from, journalled step by step.

The journal makes a kill harmless: the steps of the broken apply that were taken stay taken, and the next apply plans
from what is there. Nothing is left half: each step is one transaction that also marks itself done. What can't be
applied for the moment is held back with all that has to do with it, and the rest goes on (`hold.py`).
"""

from __future__ import annotations

import datetime as dt
import json
import secrets as random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from syncline.executor.flows.applied import Latest
from syncline.executor.flows.retiring import keep_retiring
from syncline.executor.retention.dropping import Dropping
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Denied, Invalid, Waiting
from syncline.model.event import Action, Event, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor
from syncline.planner.compiled import compile_flows
from syncline.planner.demands import Demands, demands_of
from syncline.planner.serialize import digest as plan_digest
from syncline.planner.serialize import step_data
from syncline.policy.check import diagnostics
from syncline.policy.decisions import Decisions, lasting
from syncline.policy.rules.declared import bound_policies
from syncline.reconciler.approvals import Judged
from syncline.reconciler.hold import Held, foremost, parts_of
from syncline.reconciler.judging import after, blamed, check_policy, possible
from syncline.reconciler.preconditions import check_fresh, check_moves, check_owned
from syncline.reconciler.status import after_apply, waits_for
from syncline.reconciler.steps import take

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.services.facilities import Facilities
    from syncline.manifests.desired import Desired
    from syncline.model.plan import Basis, Plan, PolicyResult
    from syncline.planner.compiled import Flows
    from syncline.reconciler.approvals import Gate
    from syncline.state.store import AppliedObject, Author, Lease, StateStore


#: Steps whose evidence is held in memory and recorded at once; the first apply of a repository has thousands.
EVENTS_AT_ONCE = 500
#: Objects or decisions that one event names; how many there are is counted beside them, or in the plan.
LISTED = 50


class Applied(Struct, frozen=True):
    """A plan as applied. `steps` were taken; `serial` is the state's after it. `held` are the objects whose changes
    were held back, and what each waits for.
    """

    plan: Plan
    digest: str
    id: str
    serial: int
    steps: int
    held: Held = {}


@contextmanager
def flows_at_rest(plan: Plan, store: StateStore) -> Iterator[dict[ObjectKey, Waiting]]:
    """
    Keeps runs from beginning of the flows that the plan retires, moves, or resets the position of.

    Gives those of them that are running, with what to say of each: its run would go on under a name, or save a
    position, that is no longer there. Of other flows a run may be under way: it keeps to what was applied when it
    began.
    """
    running: dict[ObjectKey, Waiting] = {}
    touched: set[ObjectKey] = set()
    for step in plan.steps:
        match step:
            case MoveObject(key, previous):
                touched |= {key, previous}
            case DropTable(key) | DeleteObject(key) | ResetCursor(key, _) | RestoreCursor(key, _):
                touched.add(key)
            case PutObject():
                pass
    with ExitStack() as held:
        for key in sorted(k for k in touched if k.is_flow):
            try:
                held.enter_context(store.lease(f"run/{key}"))
            except Waiting as waiting:
                run = next((f"run {r.id}" for r in store.runs(key, 5) if TRANSITIONS[r.state]), "a run")
                running[key] = Waiting(
                    f"{run} of {key}, which the plan changes, is under way ({waiting.on})",
                    code="SYN643",
                    help="Wait until it has ended, or stop it (it can be resumed), then apply again.",
                    on=waiting.on,
                )
        yield running


def _demands(applied: Mapping[ObjectKey, AppliedObject]) -> Demands:
    """
    What the tenants and policies that are applied demand of changes: what a commit says of that counts once it is
    applied.
    """
    found = [from_document(one.document) for key, one in applied.items() if key.kind in {"Tenant", "Policy"}]
    return demands_of(found, bound_policies(desired_of(found)))


def apply_plan(
    facilities: Facilities,
    plan: Plan,
    step_taken: Callable[[str], None],
    *,
    patient: bool = False,
    author: Author | None = None,
    gate: Gate | None = None,
    decisions: Decisions | None = None,
) -> Applied:
    """
    Takes the steps of a plan, but for those that have to wait, with all that has to do with them.

    `Invalid` when it is stale or carries errors, `Denied` when policy refuses what it leads to, `Waiting` while another
    writer holds the lease, or where nothing is left to be applied. `step_taken` gets one line for each step. `patient`:
    the caller applies again by itself what was held back, each object after its own backoff, so that waiting is no
    error. `author`: whose commit it is. `gate`: judges which changes have to wait for an approval. `decisions`: what
    policy said when this process made the plan, which holds as long as all that it was asked about is the same.
    """
    if has_errors(plan.findings):
        raise Invalid(
            "the plan carries errors", code="SYN642", diagnostics=plan.findings, help="Correct them and plan again."
        )
    store = facilities.store
    with store.lease("apply", "") as lease, flows_at_rest(plan, store) as running:
        check_fresh(plan, store)
        check_moves(plan, store)
        apply = _Apply(facilities, plan, lease, step_taken, patient, author, gate, decisions or Decisions())
        return apply.execute(running)


@dataclass(slots=True)
class _Apply:
    """One apply, under its lease. `execute` reads from top to bottom."""

    facilities: Facilities
    plan: Plan
    lease: Lease
    step_taken: Callable[[str], None]
    patient: bool
    author: Author | None
    gate: Gate | None
    decisions: Decisions
    store: StateStore = field(init=False)
    event: Callable[..., Event] = field(init=False)
    basis: Basis = field(init=False)
    digest: str = field(init=False)
    today: dt.date = field(init=False)
    root: Path = field(init=False)
    objects: Mapping[ObjectKey, AppliedObject] = field(init=False)
    dropping: Dropping = field(init=False)

    def __post_init__(self) -> None:
        self.store, self.event = self.facilities.store, self.facilities.recorder.event
        self.basis, self.digest = self.plan.basis, plan_digest(self.plan)
        self.today, self.root = dt.datetime.now(dt.UTC).date(), self.facilities.settings.root
        self.objects = {known.key: known for known in self.store.objects()}
        self.dropping = Dropping.of(self.facilities, self.plan)

    def execute(self, running: Held) -> Applied:
        judged = self._judged()
        blocked = {**(self._not_due() if self.patient else {}), **judged.blocked, **running}
        part, held = possible(self.plan, self.objects, blocked, self.today, self.root)
        desired = desired_of(after(part, self.objects))
        check_owned(part, self.objects, desired)
        if held and not part.steps:
            return self._all_held(desired, held, judged)
        compiled = compile_flows(desired)
        decided = self.decisions.again(desired, part.changes, self.today, self.root)
        if decided is None:
            decided = check_policy(desired, part, self.today, self.root, compiled)
        self._check_allowed(part, decided.results)
        if self.gate is not None:
            self._use_approvals(judged, {change.key for change in part.changes})
        latest = self.facilities.keep.shared_or_made(Latest, Latest)
        latest.led_to(desired, compiled, lasting(decided, desired, part.changes))
        name, serial = self._take_steps(part, held, compiled)
        if self.gate is not None and not held:
            self.store.use_approvals(self.lease, self.basis.revision, (), "", self.basis.source)
        self._tell(desired, held)
        return Applied(self.plan, self.digest, name, serial, len(part.steps), held)

    def _judged(self) -> Judged:
        """What has to wait for approvals and windows."""
        gate = self.gate
        if gate is None:
            return Judged()
        judged = gate.judge(self.plan, self.store, _demands(self.objects))
        return self._overridden(judged, gate.override) if gate.override else judged

    def _overridden(self, judged: Judged, reason: str) -> Judged:
        """
        Nothing waits for approvals or windows where a person says so; the audit log has what would have, of each tenant
        by itself, with every reason, and why.
        """
        if not judged.blocked:
            return judged
        tenants: dict[str, list[ObjectKey]] = {}
        for key in sorted(judged.blocked):
            tenants.setdefault(key.owner, []).append(key)
        events = [
            self.event(
                Action.approval_override,
                tenant=tenant,
                reason=reason,
                plan=self.digest,
                revision=self.basis.revision,
                objects=_listed(keys),
                count=len(keys),
                unapproved=_listed(key for key in keys if key in judged.unapproved),
                unapproved_count=sum(key in judged.unapproved for key in keys),
                codes=sorted(
                    {found[key].code for found in (judged.unapproved, judged.closed) for key in keys if key in found}
                ),
            )
            for tenant, keys in sorted(tenants.items())
        ]
        self.facilities.recorder.record(events)
        return replace(judged, unapproved={}, closed={})

    def _not_due(self) -> Held:
        """
        Objects that an earlier apply of the same commit held back, and whose next attempt isn't due yet.

        What belongs together is tried together, once one of it is due: else each would wait for the others' turns.
        """
        now, parts = rfc3339(), parts_of(self.plan, self.objects)
        found: dict[ObjectKey, Waiting] = {}
        due: set[int] = set()
        for key, status in self.store.statuses([step.key for step in self.plan.steps]).items():
            if (waiting := waits_for(status, self.basis.revision)) is None:
                continue
            if status.retry > now:
                found[key] = waiting
            else:
                due.add(parts[key])
        return {key: waiting for key, waiting in found.items() if parts[key] not in due}

    def _all_held(self, desired: Desired, held: Held, judged: Judged) -> Applied:
        """Nothing can be applied for the moment: an error, but for who tries again by itself."""
        if self.gate is not None:
            self.store.use_approvals(self.lease, self.basis.revision, (), judged.base, self.basis.source)
        self._tell(desired, held)
        if not self.patient:
            raise foremost(held)
        return Applied(self.plan, self.digest, "", self.store.serial(), 0, held)

    def _check_allowed(self, part: Plan, results: tuple[PolicyResult, ...]) -> None:
        """`Denied` where policy refuses what it leads to. What was decided is evidence, either way."""
        denied = tuple(r for r in results if not r.allowed)
        if denied:
            denied = blamed(denied, part, self.objects, self.today, self.root)
        basis = self.basis
        self.facilities.recorder.record(
            [
                *self._recovered(),
                self.event(Action.validate, manifests=basis.manifests, revision=basis.revision),
                self.event(
                    Action.plan,
                    plan=self.digest,
                    revision=basis.revision,
                    serial=basis.serial,
                    dirty=basis.dirty,
                    changes=json.dumps(dict(self.plan.summary), sort_keys=True),
                    environment=basis.environment,
                    source=basis.source,
                ),
                self.event(
                    Action.policy_decision,
                    outcome=EventOutcome.denied if denied else EventOutcome.success,
                    at="apply",
                    plan=self.digest,
                    decisions=len(results),
                    denied=_listed(f"{r.rule} {r.object}" for r in denied),
                    excepted=_listed(f"{r.rule} {r.object}" for r in results if r.verdict == "excepted"),
                ),
            ]
        )
        if denied:
            raise Denied(
                f"policy denies the plan: {len(denied)} violations",
                diagnostics=diagnostics(denied),
                help="Correct what the findings name, or have an exception declared.",
            )

    def _recovered(self) -> list[Event]:
        """Evidence of the steps that a killed apply took and could not tell."""
        found = []
        for entry in self.store.unfinished_apply():
            if entry.done:
                step = json.loads(entry.step)
                key, line = ObjectKey.parse(step["object"]), f"{step['step']} {step['object']}"
                found.append(
                    self.event(
                        Action.apply_step, key=key, apply=entry.apply, index=entry.index, step=line, recovered=True
                    )
                )
        return found

    def _use_approvals(self, judged: Judged, keys: set[ObjectKey]) -> None:
        """Notes which approvals allow what is about to be applied, as evidence too, before any of it is."""
        taken = [structs.replace(use, keys=tuple(key for key in use.keys if key in keys)) for use in judged.uses]
        uses = [use for use in taken if use.keys]
        revision = self.basis.revision
        self.store.use_approvals(self.lease, revision, uses, judged.base, self.basis.source)
        if uses:
            self.facilities.recorder.record(
                [
                    self.event(
                        Action.approval_use,
                        approval=use.approval,
                        effects=use.effects,
                        signers=use.signers,
                        approvers=judged.approvers,
                        objects=_listed(use.keys),
                        plan=self.digest,
                        revision=revision,
                    )
                    for use in uses
                ]
            )

    def _take_steps(self, part: Plan, held: Held, flows: Flows) -> tuple[str, int]:
        """Takes them, each journalled and told; the name of this apply, and the state's serial after it."""
        store, lease, revision = self.store, self.lease, self.basis.revision
        name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{random.token_hex(3)}"
        steps = [json.dumps(step_data(step), sort_keys=True, ensure_ascii=False) for step in part.steps]
        store.begin_apply(lease, name, self.digest, revision, steps, self.basis.environment, self.basis.source)
        events: list[Event] = []
        keep_retiring(store.fenced(lease), part.steps, self.objects, flows, self.root)
        for index, step in enumerate(part.steps):
            take(store, lease, name, index, step, self.plan, self.digest, self.dropping.drop)
            line = step.describe()
            events.append(
                self.event(Action.apply_step, key=step.key, apply=name, index=index, plan=self.digest, step=line[:500])
            )
            self.step_taken(line)
            if len(events) == EVENTS_AT_ONCE:
                self.facilities.recorder.record(events)
                events.clear()
        serial = store.serial()
        finish = self.event(
            Action.apply_finish,
            apply=name,
            plan=self.digest,
            revision=revision,
            serial=serial,
            steps=len(part.steps),
            held=_listed(held),
        )
        # Evidence first: a kill in between leaves the journal open, and the next apply tells its steps again.
        self.facilities.recorder.record([*events, finish])
        store.finish_apply(lease, name, self.author, len({step.key for step in part.steps}))
        return name, serial

    def _tell(self, desired: Desired, held: Held) -> None:
        """How all objects stand after it."""
        revision, source = self.basis.revision, self.basis.source
        after_apply(self.facilities.settings, self.store, desired, revision, held, patient=self.patient, source=source)


def _listed(named: Iterable[object]) -> list[str]:
    """The first of them by name, as many as an event says."""
    return [str(one) for one in islice(named, LISTED)]
