"""The circuit breaker: every state and every transition, and what threads may do to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.sdk.breaker import TRANSITIONS, Breaker, State, Trip
from tests.rest_streams import FakeClock


def breaker(failures=3, window=5, seconds=60.0):
    clock = FakeClock()
    return Breaker(Trip(failures, window, seconds), clock), clock


def fail(subject, times):
    for _ in range(times):
        subject.tell(subject.ask(), ok=False)


def test_it_opens_at_so_many_of_the_last():
    """Failures count among the last outcomes only: successes between them push the old ones out."""
    subject, _ = breaker()
    for ok in (False, False, True, True, True, False, False):
        assert subject.tell(subject.ask(), ok=ok) is False
    assert subject.tell(subject.ask(), ok=False) is True
    assert subject.state is State.open
    assert subject.opened == 1


def test_open_lets_nothing_through_until_it_cools():
    """While it is open nobody may ask; then exactly one may."""
    subject, clock = breaker()
    fail(subject, 3)
    clock.time += 59.9
    assert subject.ask() is None
    assert 0 < subject.wait() < 0.2
    clock.time += 0.2
    assert subject.ask() is not None
    assert subject.state is State.half_open
    assert subject.ask() is None
    assert subject.wait() == 1.0


@pytest.mark.parametrize(("ok", "state"), [(True, State.closed), (False, State.open)])
def test_the_probe_decides(ok, state):
    """The outcome of the one request closes it, with no failures remembered, or opens it again for as long."""
    subject, clock = breaker()
    fail(subject, 3)
    clock.time += 61
    assert subject.tell(subject.ask(), ok=ok) is (state is State.open)
    assert subject.state is state
    if ok:
        fail(subject, 2)
        assert subject.state is State.closed
    else:
        assert subject.wait() == pytest.approx(60, abs=0.01)


def test_late_outcomes_do_not_count():
    """What was sent before it opened tells nothing about the host now."""
    subject, clock = breaker()
    early = subject.ask()
    fail(subject, 3)
    subject.tell(early, ok=True)
    assert subject.state == "open"
    clock.time += 61
    subject.ask()
    subject.tell(early, ok=True)
    assert subject.state == "half-open"


def test_a_probe_that_never_ends_is_followed_by_another():
    """A probe whose process hangs doesn't keep the host shut for ever; its late outcome doesn't count."""
    subject, clock = breaker()
    fail(subject, 3)
    clock.time += 61
    lost = subject.ask()
    clock.time += 61
    second = subject.ask()
    assert second not in {None, lost}
    subject.tell(lost, ok=False)
    assert subject.state == "half-open"
    subject.tell(second, ok=True)
    assert subject.state == "closed"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=80))
def test_it_only_moves_as_its_table_says(steps):
    """Whatever happens, each change of state is in the table, and an open breaker lets nothing through early."""
    subject, clock = breaker()
    moves = {(a, b) for (a, _), b in TRANSITIONS.items()} | {(s, s) for s in State}
    opened = 0.0
    for ok, pause in steps:
        clock.time += pause
        before = subject.state
        ticket = subject.ask()
        assert (before, subject.state) in moves
        if before is State.open:
            assert (ticket is not None) is (clock.time - opened >= 60)
        if ticket is not None:
            middle = subject.state
            subject.tell(ticket, ok=ok)
            assert (middle, subject.state) in moves
            if subject.state is State.open:
                opened = clock.time


@pytest.mark.parametrize(
    ("text", "failures", "window"),
    [("50% of 20", 10, 20), ("5 of 10", 5, 10), ("1% of 20", 1, 20), ("100% of 3", 3, 3)],
)
def test_written_forms(text, failures, window):
    """Counts and shares, rounded up to whole requests."""
    trip = Trip.parse(text, 1.0)
    assert (trip.failures, trip.window) == (failures, window)


@pytest.mark.parametrize("text", ["5 of 4", "0 of 5", "150% of 10", "5", "of 10", "5 of 1001"])
def test_what_can_never_happen_is_refused(text):
    """More failures than requests, or none, would be a breaker that never or always opens."""
    with pytest.raises(ValueError, match="outcomes"):
        Trip.parse(text, 1.0)
