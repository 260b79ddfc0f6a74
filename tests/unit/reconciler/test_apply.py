"""Applying plans: what is refused, what is told, and what is left to the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.audit.log import AuditLog
from syncline.executor.facilities import audit_origin, open_facilities, signer
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Denied, Invalid, Waiting
from syncline.model.event import Action, EventOutcome, from_ocsf
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor
from syncline.reconciler.apply import apply_plan
from syncline.state.open import open_reader
from tests.repository import CUSTOMERS, edited, write

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.model.event import Event
    from syncline.settings import Settings

KEY = ObjectKey.parse("acme/Import/customers")
RENAMED = edited("import.yaml", "{name: customers,", "{name: clients, moved: {name: customers},")


def events(settings: Settings, action: Action) -> list[Event]:
    """What was told of an action, in order."""
    import json

    origin = audit_origin(open_reader(settings.state_url).lineage)
    key, _ = signer(settings.keys, origin)
    entries = [from_ocsf(json.loads(entry)) for entry in AuditLog.open(settings.audit, key, origin).read()]
    return [event for event in entries if event.action is action]


def test_an_apply_takes_every_step_and_tells_it(tmp_path):
    """Each step is an event about its object, with the digest of the plan; the lines are those that were shown."""
    settings = write(tmp_path, CUSTOMERS)
    shown: list[str] = []
    applied = workflow.apply(settings, step=shown.append)
    told = events(settings, Action.apply_step)

    assert [str(step.key) for step in applied.plan.steps] == [event.object for event in told]
    assert [event.details["step"] for event in told] == shown
    assert {event.details["plan"] for event in told} == {applied.digest}
    (finish,) = events(settings, Action.apply_finish)
    assert finish.details["serial"] == applied.serial == open_reader(settings.state_url).serial()
    assert not open_reader(settings.state_url).unfinished_apply()


@pytest.mark.parametrize("basis", [{"serial": 7}, {"lineage": "another"}])
def test_a_plan_of_another_state_is_refused(tmp_path, basis):
    """Of another serial or another lineage; nothing is changed."""
    settings = write(tmp_path, CUSTOMERS)
    workflow.apply(settings)
    write(tmp_path, RENAMED)
    plan = workflow.plan(settings)
    with pytest.raises(Invalid) as error:
        workflow.apply(settings, replace(plan, basis=replace(plan.basis, **basis)))
    assert error.value.code == "SYN641"
    assert open_reader(settings.state_url).object(KEY) is not None


def test_a_plan_with_errors_is_refused(tmp_path):
    """A guard's finding in the plan stops its apply."""
    settings = write(tmp_path, CUSTOMERS)
    plan = replace(workflow.plan(settings), findings=(Diagnostic(code="SYN620", message="too many"),))
    with pytest.raises(Invalid) as error:
        workflow.apply(settings, plan)
    assert error.value.code == "SYN642"
    assert not open_reader(settings.state_url).objects()


def test_what_policy_denies_is_refused_and_told(tmp_path):
    """The decision is in the log as denied, and no step was taken."""
    settings = write(tmp_path, CUSTOMERS)
    plan = workflow.plan(settings)
    steps = tuple(
        replace(s, document=s.document.replace('"eu-west"', '"us-east"')) if isinstance(s, PutObject) else s
        for s in plan.steps
    )
    with pytest.raises(Denied):
        workflow.apply(settings, replace(plan, steps=steps))
    assert not open_reader(settings.state_url).objects()
    (decision,) = events(settings, Action.policy_decision)
    assert decision.outcome is EventOutcome.denied
    assert not events(settings, Action.apply_step)


def test_of_two_applies_the_second_waits(tmp_path):
    """It names the first, and changes nothing."""
    settings = write(tmp_path, CUSTOMERS)
    plan = workflow.plan(settings)
    held = open_facilities(settings)
    with held as first, first.store.lease("apply", "somebody"), pytest.raises(Waiting) as error:
        workflow.apply(settings, plan)
    assert "somebody" in error.value.on
    assert not open_reader(settings.state_url).objects()


class Dying:
    """A store that ends the process, as it were, at a step."""

    def __init__(self, store: Any, at: int) -> None:
        self._store = store
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_object(self, lease: Any, apply: str, index: int, applied: Any) -> None:
        if index == self._at:
            raise SystemExit
        self._store.put_object(lease, apply, index, applied)


def test_steps_that_could_not_be_told_are_told_by_the_next_apply(tmp_path):
    """An apply that died after two steps: the next one tells those as recovered, and takes the rest."""
    settings = write(tmp_path, CUSTOMERS)
    plan = workflow.plan(settings)
    with open_facilities(settings) as facilities:
        store: Any = Dying(facilities.store, 2)
        with pytest.raises(SystemExit):
            apply_plan(replace(facilities, store=store), plan, lambda _: None)
    assert not events(settings, Action.apply_step)
    assert len(open_reader(settings.state_url).objects()) == 2

    workflow.apply(settings)
    told = events(settings, Action.apply_step)
    assert [event.object for event in told] == [str(step.key) for step in plan.steps]
    assert [bool(event.details.get("recovered")) for event in told] == [True, True] + [False] * (len(told) - 2)
    assert workflow.plan(settings).empty


def test_every_kind_of_step_is_taken(tmp_path):
    """A move, a put, a reset and a delete, in an order that may be interrupted anywhere: resets before puts."""
    settings = write(
        tmp_path, {**CUSTOMERS, "other.yaml": CUSTOMERS["import.yaml"].replace("name: customers", "name: other")}
    )
    workflow.apply(settings)
    with open_facilities(settings) as facilities:
        facilities.store.put_cursor(KEY, "where it was")
    changed = edited("files.yaml", 'files: "customers*.csv"', 'files: "clients*.csv"', RENAMED)
    write(tmp_path, changed)
    plan = workflow.plan(settings)
    assert [type(step) for step in plan.steps] == [MoveObject, ResetCursor, PutObject, PutObject, DeleteObject]
    workflow.apply(settings, plan)
    reader = open_reader(settings.state_url)
    assert reader.object(KEY) is None
    assert reader.object(ObjectKey.parse("acme/Import/other")) is None
    assert reader.object(ObjectKey.parse("acme/Import/clients")) is not None
    assert not reader.cursors()
    assert workflow.plan(settings).empty


def test_an_apply_of_nothing_changes_nothing(tmp_path: Path):
    """The serial stays, and so does every generation."""
    settings = write(tmp_path, CUSTOMERS)
    first = workflow.apply(settings)
    again = workflow.apply(settings)
    assert (again.steps, again.serial) == (0, first.serial)
    assert {o.generation for o in open_reader(settings.state_url).objects()} == {1}
