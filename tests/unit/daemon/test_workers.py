"""Tests of what becomes of a start whose flow is under way: passed over, behind that run, or in its place."""

from __future__ import annotations

import datetime as dt
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from syncline.daemon import workers
from syncline.daemon.processes.runner import Ran
from syncline.daemon.workers import Start, Workers
from syncline.model.errors import Again, Followed, Waiting
from syncline.model.key import ObjectKey
from syncline.model.run import Counts

FLOW = ObjectKey("acme", "Sync", "customers")
ONE, OTHER = (ObjectKey("acme", "Schedule", name) for name in ("one", "other"))
NOW = dt.datetime.now(dt.UTC)

#: A store in which nobody else has run anything.
NOBODY: Any = SimpleNamespace(runs=lambda *_: ())


class Runs:
    """A runner whose runs last until they are let go or halted; no two of them are of one flow at a time."""

    def __init__(self):
        self.begun = []
        self.going = 0
        self.ended = []
        self.go = threading.Semaphore(0)

    def run(self, work):
        self.going += 1
        assert self.going == 1
        self.begun.append(work)
        try:
            while not self.go.acquire(timeout=0.01):
                work.halt.check()
        finally:
            self.going -= 1
        return Ran(str(len(self.begun)), Counts())


def start(schedule=ONE, minutes=0):
    at = NOW + dt.timedelta(hours=1, minutes=minutes)
    return Start(schedule, FLOW, at, at)


def until(found):
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def said():
    return []


@pytest.fixture
def made(runs, said):
    made = Workers(runs, NOBODY, 2, said.append, runs.ended.append)
    yield made
    made.close()


def test_forbid_passes_a_start_over(runs, made):
    """It is told why, and isn't made up for."""
    assert made.offer(start(), "forbid") == ""
    assert made.offer(start(minutes=1), "forbid") == "still running"
    runs.go.release()
    until(lambda: not made.busy(FLOW))
    assert len(runs.begun) == 1


def test_allow_has_one_start_of_a_schedule_follow(runs, made):
    """The flow's runs never overlap; of several starts that wait, one of each schedule is left."""
    made.offer(start(), "allow")
    assert made.offer(start(minutes=1), "allow") == ""
    assert made.offer(start(minutes=2), "allow") == "another start waits already"
    assert made.offer(start(OTHER, 2), "allow") == ""
    assert len(runs.begun) <= 1
    for _ in range(3):
        runs.go.release()
    until(lambda: not made.busy(FLOW))
    assert [s.at for s in runs.ended] == [start().at, start(minutes=1).at, start(minutes=2).at]
    assert len(runs.begun) == 3


def test_replace_ends_the_run_and_takes_its_place(runs, made, said):
    """What runs is halted, with the reason in its record, and the new start begins after that."""
    made.offer(start(), "replace")
    until(lambda: runs.begun)
    assert made.offer(start(minutes=1), "replace") == ""
    until(lambda: len(runs.begun) == 2)
    assert runs.begun[0].halt.asked
    assert not runs.begun[1].halt.asked
    assert "SYN698" in said[0]
    assert f"{start(minutes=1).at:%H:%M}" in said[0]
    runs.go.release()
    until(lambda: not made.busy(FLOW))
    assert [s.at for s in runs.ended] == [start().at, start(minutes=1).at]


def test_draining_begins_none_of_those_that_wait(runs, made):
    """What waits for its flow isn't begun any more, and isn't over either: the next daemon starts it."""
    made.offer(start(), "allow")
    made.offer(start(minutes=1), "allow")
    until(lambda: runs.begun)
    threading.Timer(0.05, runs.go.release).start()
    assert made.drain(60)
    assert len(runs.begun) == 1
    assert [s.at for s in runs.ended] == [start().at]


def test_an_attempt_is_a_run_as_any_other(runs, made):
    """While a flow is tried again, a start of it is passed over or takes its place; of no schedule, it ends none."""
    assert made.again(FLOW)
    until(lambda: runs.begun)
    assert not made.again(FLOW)
    assert made.offer(start(), "forbid") == "still running"
    assert made.offer(start(minutes=1), "replace") == ""
    until(lambda: len(runs.begun) == 2)
    assert runs.begun[0].halt.asked
    runs.go.release()
    until(lambda: not made.busy(FLOW))
    assert [s.at for s in runs.ended] == [start(minutes=1).at]


def test_a_start_is_not_over_while_the_state_is_out_of_reach(runs, made, said, monkeypatch):
    """It is tried again until the state answers: else it would be lost."""
    monkeypatch.setattr(workers, "TRY_EVERY", 0.01)
    run = runs.run
    tries: list[Any] = []

    def unreachable(work):
        tries.append(work)
        if len(tries) < 4:
            raise Again("the state doesn't answer", code="SYN615")
        return run(work)

    runs.run = unreachable
    runs.go.release()
    made.offer(start(), "forbid")
    while made.busy(FLOW):
        made.tick()
        time.sleep(0.005)
    assert len(tries) == 4
    assert len(said) == len(runs.ended) == 1
    assert "0 read" in said[0]


def test_a_start_whose_run_was_taken_over_waits_for_the_flow(runs, made, said, monkeypatch):
    """Somebody else took the flow for that of a process that had died: it isn't over, and is no failure of the flow."""
    monkeypatch.setattr(workers, "TRY_EVERY", 0.01)
    run = runs.run

    def overtaken(work):
        monkeypatch.setattr(runs, "run", run)
        raise Followed("somebody else has it", lease=f"run/{FLOW}")

    monkeypatch.setattr(runs, "run", overtaken)
    made.offer(start(), "forbid")
    until(lambda: made.tick() or runs.begun)
    assert made.busy(FLOW)
    assert runs.ended == []
    runs.go.release()
    until(lambda: not made.busy(FLOW))

    shown = start().shown
    assert said[0] == f"{FLOW}: another run took over from that of {shown} while it was held up"
    assert [ended.shown for ended in runs.ended] == [shown]
    assert not made._failed


def test_patience_begins_with_the_first_try(runs, said, monkeypatch):
    """What waited long for a free thread isn't passed over because somebody else has its flow just then."""
    monkeypatch.setattr(workers, "TRY_EVERY", 0.01)
    monkeypatch.setattr(workers, "PATIENCE", 0.4)
    run = runs.run
    tries: list[Any] = []

    def leased(work):
        if work.key == FLOW and len(tries) < 3:
            tries.append(work)
            raise Waiting("run 1 of it is under way")
        return run(work)

    runs.run = leased
    made = Workers(runs, NOBODY, 1, said.append, runs.ended.append)
    made.offer(Start(OTHER, ObjectKey("acme", "Sync", "other"), NOW, NOW), "forbid")
    made.offer(start(), "forbid")
    time.sleep(0.6)
    runs.go.release()
    runs.go.release()
    while len(runs.ended) < 2:
        made.tick()
        time.sleep(0.005)
    made.close()
    assert len(tries) == 3
    assert not any("passed over" in line for line in said)


class Fleet:
    """A runner of many flows; those that fail do so only when they are let go, or have to ask whether they may wait."""

    asks = False

    def __init__(self):
        self.well, self.hanging = [], 0
        self.go = threading.Event()
        self.lock = threading.Lock()

    def run(self, work):
        if not work.key.name.startswith("bad"):
            self.well.append(work.key.name)
            return Ran("1", Counts())
        if self.asks and not work.patience():
            raise Again("503", code="SYN703")
        with self.lock:
            self.hanging += 1
        while not self.go.wait(0.01):
            work.halt.check()
        with self.lock:
            self.hanging -= 1
        raise Again("503", code="SYN703")


@pytest.mark.parametrize(("at_once", "most"), [(4, 1), (8, 2), (1, 1)])
def test_flows_that_fail_keep_no_others_waiting(said, at_once, most):
    """Those that failed last time take a quarter of the threads, however many they are; the others go on."""
    fleet: Any = Fleet()
    ended: list[Start] = []
    made = Workers(fleet, NOBODY, at_once, said.append, ended.append)
    fleet.go.set()

    def begin(names, minutes):
        for name in names:
            at = NOW + dt.timedelta(minutes=minutes)
            assert made.offer(Start(ONE, ObjectKey("acme", "Sync", name), at, at), "forbid") == ""

    bad, well = [f"bad-{n}" for n in range(10)], [f"well-{n}" for n in range(30)]
    begin(bad, 0)
    until(lambda: len(ended) == 10)
    fleet.go.clear()
    with made._idle:  # nothing is begun before all of them are there
        begin([*bad, *well], 1)
    until(lambda: len(fleet.well) == 30)
    until(lambda: fleet.hanging == most)
    assert len(ended) == 40
    fleet.go.set()
    until(lambda: len(ended) == 50)
    made.close()


@pytest.mark.parametrize(("at_once", "most"), [(4, 1), (8, 2), (1, 0)])
def test_the_first_failure_keeps_no_others_waiting_either(said, at_once, most):
    """Of flows that were never seen to fail a quarter waits for their system; the others end and are tried again later."""
    fleet: Any = Fleet()
    fleet.asks = True
    ended: list[Start] = []
    made = Workers(fleet, NOBODY, at_once, said.append, ended.append)
    names = [name for n in range(10) for name in (f"bad-{n}", f"well-{2 * n}", f"well-{2 * n + 1}")]
    with made._idle:  # nothing is begun before all of them are there
        for name in names:
            made.offer(Start(ONE, ObjectKey("acme", "Sync", name), NOW, NOW), "forbid")

    until(lambda: len(fleet.well) == 20)
    until(lambda: fleet.hanging == most)
    until(lambda: len(ended) == 30 - most)
    fleet.go.set()
    until(lambda: len(ended) == 30)
    assert made._lane == set()
    made.close()


def test_a_flow_that_is_well_again_has_all_threads(said):
    """The lane is for those that failed last time only."""
    fleet: Any = Fleet()
    ended: list[Start] = []
    made = Workers(fleet, NOBODY, 4, said.append, ended.append)
    flow = ObjectKey("acme", "Sync", "well")
    made.again(flow)
    until(lambda: not made.busy(flow))
    assert made._failed == set()
    made.close()
