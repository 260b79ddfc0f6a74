"""Applying a plan: under the lease, against the state it was made from, journalled step by step.

The journal makes a kill harmless: the steps of the broken apply that were taken stay taken, and the next apply plans
from what is there. Nothing is left half: each step is one transaction that also marks itself done. What can't be
applied for the moment is held back with all that has to do with it, and the rest goes on (`hold.py`).
"""

from __future__ import annotations

import datetime as dt
import json
import secrets as random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct, field, structs

from syncline.executor.applied import Latest
from syncline.executor.dropping import Dropping
from syncline.executor.retiring import keep_retiring
from syncline.manifests.flow import flows
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of, resolve
from syncline.model.diagnostic import Diagnostic, has_errors
from syncline.model.errors import Denied, Invalid, Waiting
from syncline.model.event import Action, Event, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor
from syncline.planner.compiled import compile_flows
from syncline.planner.demands import Demands, demands_of
from syncline.planner.ownership import Ownership, shown
from syncline.planner.serialize import digest as plan_digest
from syncline.planner.serialize import step_data
from syncline.policy.check import diagnostics
from syncline.policy.decisions import Decided, Decisions, lasting
from syncline.policy.facts import facts
from syncline.policy.rule import Subjects
from syncline.policy.rules.declared import bound_policies
from syncline.reconciler.approvals import Judged
from syncline.reconciler.hold import Held, foremost, parts_of, without
from syncline.reconciler.status import after_apply, waits_for
from syncline.reconciler.steps import take

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.facilities import Facilities
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest
    from syncline.model.plan import Basis, Plan, PolicyResult
    from syncline.planner.compiled import Flows
    from syncline.reconciler.approvals import Gate
    from syncline.state.store import AppliedObject, Author, Lease, StateReader, StateStore


#: Steps whose evidence is held in memory and recorded at once; the first apply of a repository has thousands.
EVENTS_AT_ONCE = 500


class Applied(Struct, frozen=True):
    """A plan as applied. `steps` were taken; `serial` is the state's after it. `held` are the objects whose changes
    were held back, and what each waits for.
    """

    plan: Plan
    digest: str
    id: str
    serial: int
    steps: int
    held: Held = field(default_factory=dict)


def check_fresh(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when the state has moved since the plan was made, or is that of another environment."""
    basis = plan.basis
    check_environment(basis, reader.environment())
    if basis.lineage not in ("", reader.lineage):
        raise Invalid(
            "the plan was made from another state",
            code="SYN641",
            help="Plan again against this state, or set SYNCLINE_STATE to the one it was made from.",
        )
    serial = reader.serial()
    if serial != basis.serial:
        raise Invalid(
            f"the plan is stale: it was made from serial {basis.serial} of the state, which is now at {serial}",
            code="SYN641",
            help="Somebody applied in between. Plan again and look at what changed.",
        )


def check_environment(basis: Basis, applied: str) -> None:
    """`Invalid` when what is applied is of another environment than the plan is made of."""
    if applied not in {"", basis.environment, basis.formerly}:
        now = f"the environment {basis.environment!r}" if basis.environment else "a repository without environments"
        raise Invalid(
            f"the plan is of {now}, and this state is of the environment {applied!r}",
            code="SYN289",
            help="Each environment has a state of its own: set SYNCLINE_STATE or SYNCLINE_HOME. After a new name was "
            f"given to an environment: formerly: {applied}.",
        )


def check_moves(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when a move doesn't fit what is applied. No plan made here has one; a file may say anything."""
    moves = [step for step in plan.steps if isinstance(step, MoveObject)]
    applied = {o.key for o in reader.objects()} if moves else set()
    for step in moves:
        previous, key = step.previous, step.key
        same = (previous.tenant, previous.kind) == (key.tenant, key.kind)
        if not same or previous not in applied or key in applied:
            raise Invalid(
                f"the plan moves {previous} to {key}, which doesn't fit what is applied",
                code="SYN640",
                help="Make the plan again.",
            )
        applied = applied - {previous} | {key}


def check_owned(plan: Plan, objects: Mapping[ObjectKey, AppliedObject], desired: Desired) -> None:
    """`Invalid` when a plan changes what its source doesn't own or may not declare: a file may say anything."""
    owners = Ownership.of(plan.basis.source, desired.of_kind("Source"), objects)
    if not owners.several:
        return
    put = [from_document(step.document) for step in plan.steps if isinstance(step, PutObject)]
    found = list(owners.findings(put))
    for step in plan.steps:
        key = step.previous if isinstance(step, MoveObject) else step.key
        if isinstance(step, PutObject) or owners.owns(key):
            continue
        if isinstance(step, DropTable | DeleteObject | MoveObject) or key not in _changed(objects, desired):
            found.append(Diagnostic("SYN744", f"{key} is another source's", subject=str(key)))
    if found:
        raise Invalid(
            f"the plan changes what the source {shown(plan.basis.source)} doesn't own",
            code="SYN744",
            diagnostics=found,
            help="Plan again, and look at which source declares it.",
        )


def _changed(objects: Mapping[ObjectKey, AppliedObject], desired: Desired) -> set[ObjectKey]:
    """The flows that are others afterwards, such as by an integration of another source: their positions may move."""
    before = desired_of(from_document(known.document) for known in objects.values())
    now = {flow.key: flow for flow in flows(desired)}
    return {flow.key for flow in flows(before) if now.get(flow.key) != flow}


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


def after(plan: Plan, applied: Mapping[ObjectKey, AppliedObject]) -> list[Manifest]:
    """What will be applied after the plan."""
    documents = {key: known.document for key, known in applied.items()}
    for step in plan.steps:
        match step:
            case PutObject(key, _, document, _):
                documents[key] = document
            case MoveObject(_, previous):
                documents.pop(previous, None)
            case DeleteObject(key):
                documents.pop(key, None)
            case ResetCursor() | RestoreCursor() | DropTable():
                pass
    return [from_document(document) for document in documents.values()]


def check_policy(desired: Desired, plan: Plan, today: dt.date, root: Path, compiled: Flows | None = None) -> Decided:
    """
    Evaluates policy again on what would be there after the plan: a saved plan can't carry its own permission.

    `root` is the folder that relative paths start from; `compiled` are the flows, where somebody compiled them.
    """
    flows = compiled if compiled is not None else compile_flows(desired)
    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return Decided.of(Subjects(desired, found, plan.changes, today, root))


def _possible(
    plan: Plan, applied: Mapping[ObjectKey, AppliedObject], blocked: Held, today: dt.date, root: Path
) -> tuple[Plan, dict[ObjectKey, Waiting]]:
    """
    What of a plan can be applied now, and what is held back.

    Should the parts that are left not be valid, or not be allowed, without the others, everything is held back.
    """
    part, held = without(plan, blocked, applied)
    if held and part.steps:
        result = resolve(after(part, applied))
        denied = any(not r.allowed for r in check_policy(result.desired, part, today, root).results)
        if denied or has_errors(result.diagnostics):
            first = foremost(held)
            held = {change.key: held.get(change.key, first) for change in plan.changes} | held
            part = structs.replace(plan, changes=(), steps=())
    return part, held


def _blamed(
    denied: tuple[PolicyResult, ...], plan: Plan, applied: Mapping[ObjectKey, AppliedObject], today: dt.date, root: Path
) -> tuple[PolicyResult, ...]:
    """Without what policy denies of other sources' objects already as they are, such as after an exception has ended:
    this plan isn't to blame for that.
    """
    others = {str(key) for key, known in applied.items() if known.source != plan.basis.source}
    if not any(result.object in others for result in denied):
        return denied
    desired = desired_of(from_document(known.document) for known in applied.values())
    before = {
        (r.rule, r.object)
        for r in check_policy(desired, structs.replace(plan, changes=()), today, root).results
        if not r.allowed
    }
    return tuple(r for r in denied if r.object not in others or (r.rule, r.object) not in before)


def _demands(applied: Mapping[ObjectKey, AppliedObject]) -> Demands:
    """
    What the tenants and policies that are applied demand of changes: what a commit says of that counts once it is
    applied.
    """
    found = [from_document(one.document) for key, one in applied.items() if key.kind in {"Tenant", "Policy"}]
    return demands_of(found, bound_policies(desired_of(found)))


def _overridden(facilities: Facilities, plan: Plan, judged: Judged, reason: str) -> Judged:
    """
    Nothing waits for approvals or windows where a person says so; the audit log has what would have, of each tenant by
    itself, with every reason, and why.
    """
    if not judged.blocked:
        return judged
    tenants: dict[str, list[ObjectKey]] = {}
    for key in sorted(judged.blocked):
        tenants.setdefault(key.owner, []).append(key)
    digest = plan_digest(plan)
    events = [
        facilities.recorder.event(
            Action.approval_override,
            tenant=tenant,
            reason=reason,
            plan=digest,
            revision=plan.basis.revision,
            objects=[str(key) for key in keys][:50],
            count=len(keys),
            unapproved=[str(key) for key in keys if key in judged.unapproved][:50],
            unapproved_count=sum(key in judged.unapproved for key in keys),
            codes=sorted(
                {found[key].code for found in (judged.unapproved, judged.closed) for key in keys if key in found}
            ),
        )
        for tenant, keys in sorted(tenants.items())
    ]
    facilities.recorder.record(events)
    return replace(judged, unapproved={}, closed={})


def _not_due(plan: Plan, store: StateStore, applied: Mapping[ObjectKey, AppliedObject]) -> dict[ObjectKey, Waiting]:
    """
    Objects that an earlier apply of the same commit held back, and whose next attempt isn't due yet.

    What belongs together is tried together, once one of it is due: else each would wait for the others' turns.
    """
    now, parts = rfc3339(), parts_of(plan, applied)
    found: dict[ObjectKey, Waiting] = {}
    due: set[int] = set()
    for key, status in store.statuses([step.key for step in plan.steps]).items():
        if (waiting := waits_for(status, plan.basis.revision)) is None:
            continue
        if status.retry > now:
            found[key] = waiting
        else:
            due.add(parts[key])
    return {key: waiting for key, waiting in found.items() if parts[key] not in due}


def _recovered(facilities: Facilities) -> list[Event]:
    """Evidence of the steps that a killed apply took and could not tell."""
    found = []
    for entry in facilities.store.unfinished_apply():
        if entry.done:
            step = json.loads(entry.step)
            key, line = ObjectKey.parse(step["object"]), f"{step['step']} {step['object']}"
            event = facilities.recorder.event(
                Action.apply_step, key=key, apply=entry.apply, index=entry.index, step=line, recovered=True
            )
            found.append(event)
    return found


def _use_approvals(facilities: Facilities, lease: Lease, plan: Plan, judged: Judged, keys: set[ObjectKey]) -> None:
    """Notes which approvals allow what is about to be applied, in the state and as evidence, before any of it is."""
    taken = [structs.replace(use, keys=tuple(key for key in use.keys if key in keys)) for use in judged.uses]
    uses = [use for use in taken if use.keys]
    revision, recorder = plan.basis.revision, facilities.recorder
    facilities.store.use_approvals(lease, revision, uses, judged.base, plan.basis.source)
    if uses:
        digest = plan_digest(plan)
        recorder.record(
            [
                recorder.event(
                    Action.approval_use,
                    approval=use.approval,
                    effects=use.effects,
                    signers=use.signers,
                    approvers=judged.approvers,
                    objects=[str(key) for key in use.keys][:50],
                    plan=digest,
                    revision=revision,
                )
                for use in uses
            ]
        )


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
    store, recorder = facilities.store, facilities.recorder
    if has_errors(plan.findings):
        raise Invalid(
            "the plan carries errors", code="SYN642", diagnostics=plan.findings, help="Correct them and plan again."
        )
    with store.lease("apply", "") as lease, flows_at_rest(plan, store) as running:
        check_fresh(plan, store)
        check_moves(plan, store)
        digest = plan_digest(plan)
        today, root = dt.datetime.now(dt.UTC).date(), facilities.settings.root
        objects = {known.key: known for known in store.objects()}
        dropping = Dropping.of(facilities, plan)
        judged = gate.judge(plan, store, _demands(objects)) if gate is not None else Judged()
        if gate is not None and gate.override:
            judged = _overridden(facilities, plan, judged, gate.override)
        blocked = {**(_not_due(plan, store, objects) if patient else {}), **judged.blocked, **running}
        part, held = _possible(plan, objects, blocked, today, root)
        desired = desired_of(after(part, objects))
        check_owned(part, objects, desired)
        source = plan.basis.source
        if held and not part.steps:
            if gate is not None:
                store.use_approvals(lease, plan.basis.revision, (), judged.base, source)
            after_apply(facilities.settings, store, desired, plan.basis.revision, held, patient=patient, source=source)
            if not patient:
                raise foremost(held)
            return Applied(plan, digest, "", store.serial(), 0, held)
        compiled = compile_flows(desired)
        decided = decisions.again(desired, part.changes, today, root) if decisions is not None else None
        if decided is None:
            decided = check_policy(desired, part, today, root, compiled)
        policy = decided.results
        denied = tuple(r for r in policy if not r.allowed)
        if denied:
            denied = _blamed(denied, part, objects, today, root)
        revision, before = plan.basis.revision, plan.basis.serial
        counts = json.dumps(dict(plan.summary), sort_keys=True)
        recorder.record(
            [
                *_recovered(facilities),
                recorder.event(Action.validate, manifests=plan.basis.manifests, revision=revision),
                recorder.event(
                    Action.plan,
                    plan=digest,
                    revision=revision,
                    serial=before,
                    dirty=plan.basis.dirty,
                    changes=counts,
                    environment=plan.basis.environment,
                    source=source,
                ),
                recorder.event(
                    Action.policy_decision,
                    outcome=EventOutcome.denied if denied else EventOutcome.success,
                    at="apply",
                    plan=digest,
                    decisions=len(policy),
                    denied=[f"{r.rule} {r.object}" for r in denied][:50],
                    excepted=[f"{r.rule} {r.object}" for r in policy if r.verdict == "excepted"][:50],
                ),
            ]
        )
        if denied:
            raise Denied(
                f"policy denies the plan: {len(denied)} violations",
                diagnostics=diagnostics(denied),
                help="Correct what the findings name, or have an exception declared.",
            )
        if gate is not None:
            _use_approvals(facilities, lease, plan, judged, {change.key for change in part.changes})
        name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{random.token_hex(3)}"
        steps = [json.dumps(step_data(step), sort_keys=True, ensure_ascii=False) for step in part.steps]
        facilities.keep.shared_or_made(Latest, Latest).led_to(
            desired, compiled, lasting(decided, desired, part.changes)
        )
        store.begin_apply(lease, name, digest, revision, steps, plan.basis.environment, source)
        events: list[Event] = []
        keep_retiring(store.fenced(lease), part.steps, objects)
        for index, step in enumerate(part.steps):
            take(store, lease, name, index, step, plan, digest, dropping.drop)
            line = step.describe()
            events.append(
                recorder.event(Action.apply_step, key=step.key, apply=name, index=index, plan=digest, step=line[:500])
            )
            step_taken(line)
            if len(events) == EVENTS_AT_ONCE:
                recorder.record(events)
                events.clear()
        serial = store.serial()
        finish = recorder.event(
            Action.apply_finish,
            apply=name,
            plan=digest,
            revision=revision,
            serial=serial,
            steps=len(part.steps),
            held=[str(key) for key in held][:50],
        )
        # Evidence first: a kill in between leaves the journal open, and the next apply tells its steps again.
        recorder.record([*events, finish])
        store.finish_apply(lease, name, author, len({step.key for step in part.steps}))
        if gate is not None and not held:
            store.use_approvals(lease, revision, (), "", source)
        after_apply(facilities.settings, store, desired, revision, held, patient=patient, source=source)
    return Applied(plan, digest, name, serial, len(part.steps), held)
