"""Tests of what becomes of a start whose flow is under way: passed over, behind that run, or in its place."""

from __future__ import annotations

import datetime as dt
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from syncline.daemon.workers import Start, Workers
from syncline.model.key import ObjectKey
from syncline.model.run import Counts

FLOW = ObjectKey("acme", "Sync", "customers")
ONE, OTHER = (ObjectKey("acme", "Schedule", name) for name in ("one", "other"))
NOW = dt.datetime.now(dt.UTC)


class Runs:
    """An engine whose runs last until they are let go or halted; no two of them are of one flow at a time."""

    def __init__(self):
        self.begun = []
        self.going = 0
        self.ended = []
        self.go = threading.Semaphore(0)

    def run(self, work, progress):
        del progress
        self.going += 1
        assert self.going == 1
        self.begun.append(work)
        try:
            while not self.go.acquire(timeout=0.01):
                work.halt.check()
        finally:
            self.going -= 1
        record = SimpleNamespace(id=str(len(self.begun)), counts=Counts())
        return SimpleNamespace(record=record)


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
    store: Any = SimpleNamespace(runs=lambda *_: ())  # nobody else has run anything
    workers = Workers(runs, store, 2, said.append, runs.ended.append)
    yield workers
    workers.close()


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
