"""Applying a plan: under the lease, against the state it was made from, journalled step by step.

The journal makes a kill harmless: the steps of the broken apply that were taken stay taken, and the next apply plans
from what is there. Nothing is left half: each step is one transaction that also marks itself done.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets as random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.manifests.load import from_document
from syncline.manifests.resolve import resolve
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Denied, Invalid, Waiting
from syncline.model.event import Action, Event, EventOutcome
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor
from syncline.planner.compiled import compile_flows
from syncline.planner.serialize import digest as plan_digest
from syncline.planner.serialize import step_data
from syncline.policy.check import check, diagnostics
from syncline.policy.facts import facts
from syncline.policy.rule import Subjects
from syncline.reconciler.steps import take

if TYPE_CHECKING:
    from syncline.executor.facilities import Facilities
    from syncline.model.plan import Plan, PolicyResult
    from syncline.state.store import StateReader, StateStore


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan as applied. `steps` were taken; `serial` is the state's after it."""

    plan: Plan
    digest: str
    id: str
    serial: int
    steps: int


def check_fresh(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when the state has moved since the plan was made."""
    basis = plan.basis
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


def check_moves(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when a move doesn't fit what is applied. No plan made here has one; a file may say anything."""
    applied = {o.key for o in reader.objects()}
    for step in plan.steps:
        if isinstance(step, MoveObject):
            previous, key = step.previous, step.key
            same = (previous.tenant, previous.kind) == (key.tenant, key.kind)
            if not same or previous not in applied or key in applied:
                raise Invalid(
                    f"the plan moves {previous} to {key}, which doesn't fit what is applied",
                    code="SYN640",
                    help="Make the plan again.",
                )
            applied = applied - {previous} | {key}


@contextmanager
def flows_at_rest(plan: Plan, store: StateStore) -> Iterator[None]:
    """
    Keeps runs from beginning of the flows that the plan retires, moves, or resets the position of.

    `Waiting` when one of them is running: its run would go on under a name, or save a position, that is no longer
    there. Of other flows a run may be under way: it keeps to what was applied when it began.
    """
    touched: set[ObjectKey] = set()
    for step in plan.steps:
        match step:
            case MoveObject(key, previous):
                touched |= {key, previous}
            case DeleteObject(key) | ResetCursor(key, _):
                touched.add(key)
            case PutObject():
                pass
    with ExitStack() as held:
        for key in sorted(k for k in touched if k.kind in {"Sync", "Import"}):
            try:
                held.enter_context(store.lease(f"run/{key}"))
            except Waiting as waiting:
                run = next((f"run {r.id}" for r in store.runs(key, 5) if TRANSITIONS[r.state]), "a run")
                raise Waiting(
                    f"{run} of {key}, which the plan changes, is under way ({waiting.on})",
                    code="SYN643",
                    help="Wait until it has ended, or stop it (it can be resumed), then apply again.",
                    on=waiting.on,
                ) from waiting
        yield


def check_policy(plan: Plan, reader: StateReader, today: dt.date) -> tuple[PolicyResult, ...]:
    """Evaluates policy again on what would be there after the plan: a saved plan can't carry its own permission."""
    documents = {applied.key: applied.document for applied in reader.objects()}
    for step in plan.steps:
        match step:
            case PutObject(key, _, document, _):
                documents[key] = document
            case MoveObject(_, previous):
                documents.pop(previous, None)
            case DeleteObject(key):
                documents.pop(key, None)
            case ResetCursor():
                pass
    desired = resolve([from_document(document) for document in documents.values()]).desired
    flows = compile_flows(desired)
    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return check(Subjects(desired, found, plan.changes, today))


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


def apply_plan(facilities: Facilities, plan: Plan, step_taken: Callable[[str], None]) -> Applied:
    """
    Takes every step of a plan.

    `Invalid` when it is stale or carries errors, `Denied` when policy refuses what it leads to, `Waiting` while another
    writer holds the lease, or a flow that the plan retires, moves or resets is running. `step_taken` gets one
    line for each step.
    """
    store, recorder = facilities.store, facilities.recorder
    if has_errors(plan.findings):
        raise Invalid(
            "the plan carries errors", code="SYN642", diagnostics=plan.findings, help="Correct them and plan again."
        )
    with store.lease("apply", "") as lease, flows_at_rest(plan, store):
        check_fresh(plan, store)
        check_moves(plan, store)
        digest = plan_digest(plan)
        today = dt.datetime.now(dt.UTC).date()
        policy = check_policy(plan, store, today)
        denied = tuple(r for r in policy if not r.allowed)
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
                ),
                recorder.event(
                    Action.policy_decision,
                    outcome=EventOutcome.denied if denied else EventOutcome.success,
                    at="apply",
                    plan=digest,
                    decisions=len(policy),
                    denied=[f"{r.rule} {r.object}" for r in denied][:50],
                ),
            ]
        )
        if denied:
            raise Denied(
                f"policy denies the plan: {len(denied)} violations",
                diagnostics=diagnostics(denied),
                help="Correct what the findings name, or have an exception declared.",
            )
        name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{random.token_hex(3)}"
        steps = [json.dumps(step_data(step), sort_keys=True, ensure_ascii=False) for step in plan.steps]
        store.begin_apply(lease, name, digest, revision, steps)
        events = []
        for index, step in enumerate(plan.steps):
            take(store, lease, name, index, step, plan, digest)
            line = step.describe()
            events.append(
                recorder.event(Action.apply_step, key=step.key, apply=name, index=index, plan=digest, step=line[:500])
            )
            step_taken(line)
        serial = store.serial()
        finish = recorder.event(
            Action.apply_finish,
            apply=name,
            plan=digest,
            revision=revision,
            serial=serial,
            steps=len(plan.steps),
        )
        # Evidence first: a kill in between leaves the journal open, and the next apply tells its steps again.
        recorder.record([*events, finish])
        store.finish_apply(lease, name)
    return Applied(plan, digest, name, serial, len(plan.steps))
