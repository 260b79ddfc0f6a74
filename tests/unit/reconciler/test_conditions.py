"""What is said of an object after each outcome, and when it is tried again."""

from __future__ import annotations

import datetime as dt

import pytest

from syncline.model.condition import ConditionType, Status, Truth
from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.reconciler.conditions import Moment, checked, declared, depending, ran
from tests import repository

NOW = dt.datetime(2026, 11, 26, 8, tzinfo=dt.UTC)
FLOW = ObjectKey("acme", "Import", "customers")
AT = Moment(NOW, "c0ffee", 0.5)
KINDS = ConditionType
OUT = Again("no answer", code="SYN700")


def said(status):
    """Ready, its reason, and which of the others hold."""
    ready = status.condition(KINDS.ready)
    rest = {str(c.type) for c in status.conditions if c.status is Truth.true and c.type is not KINDS.ready}
    return str(ready.status), ready.reason, rest


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, ("True", "RunSucceeded", {"PolicyCompliant"})),
        (OUT, ("False", "RunInterrupted", {"Reconciling", "PolicyCompliant"})),
        (Stalled("no such secret", code="SYN801"), ("False", "RunFailed", {"Stalled", "PolicyCompliant"})),
        (Denied("guards", code="SYN701"), ("False", "RunFailed", {"Stalled", "PolicyCompliant"})),
        (Denied("policy", code="SYN501"), ("False", "PolicyDenied", {"Stalled"})),
        (Invalid("another source", code="SYN706"), ("False", "RunFailed", {"Stalled", "Drifted", "PolicyCompliant"})),
    ],
)
def test_a_run_says_how_its_flow_stands(error, expected):
    """What may pass by itself is retried; the rest needs a person, who is told by which condition."""
    known = declared(FLOW, 1, repository.desired(repository.CUSTOMERS).objects[FLOW].spec, AT)
    found = ran(known, AT, error, again=True)

    assert said(found) == expected
    assert bool(found.retry) == ("Reconciling" in expected[2])
    assert ran(found, AT, None).retry == ""


def test_a_run_by_hand_is_not_retried():
    """A person who started a run may start it again; nobody does so behind their back."""
    found = ran(Status(FLOW), AT, OUT, again=False)
    assert said(found) == ("False", "RunInterrupted", {"Stalled"})
    assert found.retry == ""


def test_the_time_moves_only_with_the_status():
    """A second failure in a row leaves since when it is so; a recovery moves it."""
    later = Moment(NOW + dt.timedelta(minutes=5), "c0ffee", 0.5)
    first = checked(Status(FLOW), AT, OUT)
    second = checked(first, later, Stalled("refused", code="SYN402"))

    assert second.condition(KINDS.ready).changed == first.condition(KINDS.ready).changed == AT.text
    assert checked(second, later, None).condition(KINDS.ready).changed == later.text


def test_attempts_are_backed_off_with_full_jitter():
    """Each failure doubles the bound that the next attempt is drawn from, up to five minutes; success ends it."""
    waits: dict[float, list[float]] = {}
    for chance in (0.0, 0.5, 1.0):
        status = Status(FLOW)
        at = Moment(NOW, "c0ffee", chance)
        found = waits[chance] = []
        for _ in range(10):
            status = checked(status, at, OUT)
            found.append((dt.datetime.fromisoformat(status.retry) - NOW).total_seconds())

    assert waits[0.0] == [1.0] * 10
    assert waits[1.0] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert waits[0.5][-1] == 150
    assert (checked(status, at, None).attempts, checked(status, at, None).retry) == (0, "")


def test_an_api_that_asks_for_more_time_gets_it():
    """Never earlier than a server asked for."""
    found = checked(Status(FLOW), Moment(NOW, "", 0.0), Again("slow down", after=60))
    assert dt.datetime.fromisoformat(found.retry) - NOW == dt.timedelta(seconds=60)


def test_what_stands_on_something_broken_waits_for_it():
    """It waits while that is broken, and is tried again once it is ready; one that never failed is ready at once."""
    below = checked(Status(ObjectKey("acme", "Integration", "crm")), AT, OUT)
    for before, after in (
        (ran(Status(FLOW), AT, OUT, again=True), ("Unknown", "DependencyReady", {"Reconciling"})),
        (ran(Status(FLOW), AT, None), ("True", "DependencyReady", {"PolicyCompliant"})),
    ):
        waiting = depending(before, AT, (below,))
        assert said(waiting)[:2] == ("False", "DependencyNotReady")
        assert waiting.retry == ""
        assert waiting.condition(KINDS.ready).message == "waits for acme/Integration/crm"
        ready = depending(waiting, AT, ())
        assert said(ready) == after
        assert bool(ready.retry) == (after[0] == "Unknown")
