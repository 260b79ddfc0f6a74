"""Tests of started runs: once for each start, never two of a flow, and none lost when the process dies."""

from __future__ import annotations

import datetime as dt
import threading
import time
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from syncline import workflow
from syncline.daemon import workers
from syncline.daemon.processes.runner import Here
from syncline.daemon.scheduled import schedules
from syncline.daemon.starts import Starter
from syncline.daemon.workers import Start
from syncline.executor.batches.halt import Halt
from syncline.executor.engine import Engine
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.manifests.timetable import Timetable
from tests import repository
from tests.unit.daemon.hourly import HOURLY, IMPORT, SCHEDULE, hour, hourly_engine, ticked_until


@pytest.fixture
def engine(tmp_path):
    with hourly_engine(tmp_path) as made:
        yield made


def cursor(engine):
    kept = engine.facilities.store.cursor(HOURLY)
    return kept and dt.datetime.fromisoformat(kept)


def settled(engine, instant):
    """Waits until the schedule's cursor is there."""
    end = time.monotonic() + 60
    while cursor(engine) != instant:
        assert time.monotonic() < end
        time.sleep(0.01)


def besides(said):
    """What was said, without what is said of a test's clock, which goes ahead of the machine's."""
    return [line for line in said if not line.startswith("the clock ")]


def test_a_start_runs_once_and_moves_the_cursor(engine):
    """What is due runs as `schedule`; looking again, also from another process, starts nothing until the next hour."""
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 2, said.append)
    starter.tick(first - dt.timedelta(seconds=1))
    assert not engine.facilities.store.runs()
    starter.tick(first)
    settled(engine, first)
    starter.tick(first + dt.timedelta(minutes=59))
    Starter(engine, first, 2, said.append).tick(first + dt.timedelta(minutes=59))

    (run,) = engine.facilities.store.runs()
    assert (run.key, run.trigger, run.counts.read) == (IMPORT, "schedule", 1)
    assert besides(said) == ["acme/Import/customers: 1 read, 1 written, 0 rejected"]


def test_a_start_that_did_not_end_comes_again(engine):
    """While the run is under way the cursor stays, so that after a kill the start is due again."""
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 0, said.append)  # nobody to do the work: as if it took for ever
    starter.tick(first)

    assert cursor(engine) is None
    again = Starter(engine, first + dt.timedelta(minutes=5), 1, said.append)
    again.tick(first + dt.timedelta(minutes=5))
    settled(engine, first)
    assert len(engine.facilities.store.runs()) == 1


def test_a_flow_that_is_under_way_is_not_started_twice(engine):
    """A start is passed over, and told of, while the run before it is still going; it isn't made up for."""
    said: list[str] = []
    starter = Starter(engine, hour(engine, 1), 0, said.append)
    starter.tick(hour(engine, 1))
    starter.tick(hour(engine, 2))
    starter.tick(hour(engine, 2) + dt.timedelta(minutes=1))

    (line,) = besides(said)
    assert "still running" in line
    assert f"{hour(engine, 2):%H:%M}" in line


def test_the_run_that_counts_lies_behind_some_of_the_future(engine):
    """Runs by a clock that was ahead hide no run that was a start, also where one of the newest is of now."""
    now = dt.datetime.now(dt.UTC)
    ran = engine.run(Work(IMPORT, trigger="schedule"), Silent()).record
    later = (now + dt.timedelta(days=2)).isoformat()
    ahead = [replace(ran, id=f"z{number}", started=later, finished=later) for number in range(workers.RUNS - 1)]
    runs = [*ahead, replace(ran, id="y", trigger="manual"), ran]
    store = SimpleNamespace(runs=lambda _, limit: tuple(runs[:limit]))
    made = workers.Workers(Here(engine), store, 0, lambda _: None, lambda _: None)
    assert made._done(Start(HOURLY, IMPORT, now, now - dt.timedelta(seconds=1))) == ran.id


@pytest.mark.parametrize(("catch_up", "made"), [("none", 0), ("last", 1), ("all", 5)])
def test_a_clock_that_goes_ahead(engine, tmp_path, catch_up, made):
    """Starts that a clock passes over at once are as those that were missed: `catchUp` says which of them are made."""
    texts = SCHEDULE.replace("every: 1h", f"every: 1h, concurrency: allow, catchUp: {catch_up}")
    workflow.apply(repository.write(tmp_path, {**repository.CUSTOMERS, "schedule.yaml": texts}))
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 0, said.append, monotonic=lambda: 0.0)
    starter.tick(first)
    starter.tick(first + dt.timedelta(hours=5, minutes=30))
    begun = [line for line in said if "passed over" not in line]
    assert begun == ["the clock went ahead by 19,800 s: schedules' catchUp decides about the starts between"]
    due = Timetable(str(HOURLY), dict(schedules(engine.applied().desired))[HOURLY]).due(
        first, starter._watched, first + dt.timedelta(hours=5, minutes=30)
    )
    assert len(due) == made


def test_a_clock_that_goes_back(engine):
    """What has started doesn't start again while the clock goes through the same hours once more."""
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 2, said.append, monotonic=lambda: 0.0)
    starter.tick(first)
    settled(engine, first)
    starter.tick(first - dt.timedelta(hours=2))
    assert said[-1] == "the clock went back by 7,200 s: what has started doesn't start again"
    for minutes in (60, 119, 120, 121):
        starter.tick(first - dt.timedelta(hours=2) + dt.timedelta(minutes=minutes))
    assert starter.drain(30)
    assert len(engine.facilities.store.runs()) == 1
    assert cursor(engine) == first


def test_a_run_that_fails_is_told_of_and_is_over(engine, tmp_path):
    """A run that fails is told of with its code; the schedule goes on to the next start."""
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 1, said.append)
    data = tmp_path / "data" / "customers.csv"
    kept = data.read_text()
    data.unlink()
    starter.tick(first)
    settled(engine, first)
    data.write_text(kept)

    assert len(said) == 1
    assert said[0].startswith("acme/Import/customers: SYN")
    starter.tick(hour(engine, 2))
    settled(engine, hour(engine, 2))
    assert [run.receipt is not None for run in engine.facilities.store.runs()] == [True, False]


def test_a_start_waits_for_whoever_has_its_flow(engine, monkeypatch):
    """While somebody else runs the flow the start is tried again, and runs once that is over; nothing is told before."""
    monkeypatch.setattr(workers, "TRY_EVERY", 0.0)
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 1, said.append)
    with engine.facilities.store.lease(f"run/{IMPORT}", "somebody else"):
        for _ in range(3):
            starter.tick(first)
            time.sleep(0.05)
        assert cursor(engine) is None
    ticked_until(starter, first, lambda: cursor(engine) == first)

    assert said == ["acme/Import/customers: 1 read, 1 written, 0 rejected"]


def test_a_start_whose_flow_stays_taken_is_passed_over(engine, monkeypatch):
    """Who has the flow for longer than a lease lasts is at work: the start is passed over, as for a run of our own."""
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 1, said.append)
    with engine.facilities.store.lease(f"run/{IMPORT}", "somebody else"):
        starter.tick(first)
        settled(engine, first)

    assert len(said) == 1
    assert "somebody else" in said[0]
    assert "is passed over" in said[0]


def test_a_run_that_another_daemon_ended_counts_for_its_start(engine):
    """A daemon that died between the end of a run and the move of the cursor has its start counted, not doubled."""
    fire = engine.applied().objects[HOURLY].applied
    missed = dt.datetime.fromisoformat(fire).replace(minute=0, second=0, microsecond=0)
    store = engine.facilities.store
    store.put_cursor(HOURLY, (missed - dt.timedelta(hours=1)).isoformat())
    engine.run(Work(IMPORT, trigger="schedule"), Silent())
    said: list[str] = []
    follower = Starter(engine, missed, 1, said.append)
    follower.tick(missed + dt.timedelta(minutes=1))
    settled(engine, missed)

    (run,) = store.runs()
    assert said == [f"acme/Import/customers: run {run.id} was the start at {missed:%Y-%m-%d %H:%M:%S}Z"]


def test_a_run_by_hand_does_not_count_for_a_start(engine):
    """What somebody started by hand is no scheduled start: that still comes."""
    fire = engine.applied().objects[HOURLY].applied
    missed = dt.datetime.fromisoformat(fire).replace(minute=0, second=0, microsecond=0)
    engine.facilities.store.put_cursor(HOURLY, (missed - dt.timedelta(hours=1)).isoformat())
    engine.run(Work(IMPORT), Silent())
    Starter(engine, missed, 1, print).tick(missed + dt.timedelta(minutes=1))
    settled(engine, missed)

    assert [run.trigger for run in engine.facilities.store.runs()] == ["schedule", "manual"]


def test_one_that_is_closed_starts_nothing_that_waited_for_its_turn(engine):
    """A daemon that lost its lease doesn't begin what it had queued."""
    first = hour(engine, 1)
    starter = Starter(engine, first, 0, print)
    starter.tick(first)
    starter.close()
    worker = threading.Thread(target=starter._workers._work)
    worker.start()
    worker.join(60)

    assert not worker.is_alive()
    assert not engine.facilities.store.runs()


def test_draining_waits_for_what_is_under_way(engine, monkeypatch):
    """Draining tells whether everything has ended in time; what goes on is stopped, and its start comes again."""
    first = hour(engine, 1)
    begun, stopped, said = threading.Event(), threading.Event(), list[str]()

    def endless(self, work, progress):
        begun.set()
        while not work.halt.interrupted:
            time.sleep(0.01)
        stopped.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "run", endless)
    busy = Starter(engine, first, 1, said.append)
    busy.tick(first)
    assert begun.wait(60)

    assert not busy.drain(0.3)
    stopped.set()
    assert busy.drain(60)
    shown = f"the start at {first:%Y-%m-%d %H:%M:%S}Z"
    assert said == [f"acme/Import/customers: interrupted after its last commit; {shown} comes again"]
    assert cursor(engine) is None
    assert Starter(engine, first, 1, print).drain(0.05)


def test_a_schedule_that_comes_again_begins_anew(engine, tmp_path):
    """Of a schedule that was retired nothing is remembered: one of its name makes up for nothing that was before it."""
    said: list[str] = []
    first = hour(engine, 1)
    starter = Starter(engine, first, 2, said.append)
    starter.tick(first)
    settled(engine, first)
    for texts in (repository.CUSTOMERS, {**repository.CUSTOMERS, "schedule.yaml": SCHEDULE}):
        (tmp_path / "schedule.yaml").unlink(missing_ok=True)
        workflow.apply(repository.write(tmp_path, texts))
        starter.tick(first - dt.timedelta(seconds=1))
    assert cursor(engine) is None
    assert starter._cursor(HOURLY, first) is None
    starter.close()


def test_a_schedule_that_goes_while_its_run_is_under_way_leaves_nothing(engine, tmp_path, monkeypatch):
    """The end of that run keeps no cursor for a schedule that isn't there: one of its name would begin in the past."""
    going, go = threading.Event(), threading.Event()
    run = Engine.run

    def slow(running, work, progress):
        going.set()
        go.wait(30)
        return run(running, work, progress)

    monkeypatch.setattr(Engine, "run", slow)
    first = hour(engine, 1)
    said: list[str] = []
    starter = Starter(engine, first, 2, said.append)
    starter.tick(first)
    assert going.wait(30)
    (tmp_path / "schedule.yaml").unlink()
    workflow.apply(repository.write(tmp_path, repository.CUSTOMERS))
    starter.tick(first + dt.timedelta(minutes=1))
    go.set()
    assert starter.drain(30)
    ticked_until(starter, first + dt.timedelta(minutes=2), lambda: not starter._open)
    assert cursor(engine) is None
    starter.close()


def test_a_run_of_the_daemon_that_followed_counts_for_the_start(engine):
    """One that was followed and doesn't know yet finds the run of its follower, and doesn't run its start again."""
    first = hour(engine, 0)
    engine.facilities.store.put_cursor(HOURLY, (first - dt.timedelta(hours=1)).isoformat())
    said: list[str] = []
    followed = Starter(engine, first - dt.timedelta(minutes=1), 1, said.append)
    engine.run(Work(IMPORT, trigger="schedule"), Silent())  # as the follower does
    followed.tick(first + dt.timedelta(minutes=1))
    settled(engine, first)

    (run,) = engine.facilities.store.runs()
    assert said == [f"acme/Import/customers: run {run.id} was the start at {first:%Y-%m-%d %H:%M:%S}Z"]


def test_a_daemon_that_is_followed_while_it_looks_for_such_a_run_makes_none(engine, monkeypatch):
    """Between its look, which finds nothing, and its run, another daemon works and runs the start: it is run once."""
    first, store = hour(engine, 0), engine.facilities.store
    store.put_cursor(HOURLY, (first - dt.timedelta(hours=1)).isoformat())
    said: list[str] = []
    looked, goes_on = threading.Event(), threading.Event()
    look = workers.Workers._done

    def slow_look(self, start):
        found = look(self, start)
        looked.set()
        assert goes_on.wait(60)
        return found

    monkeypatch.setattr(workers.Workers, "_done", slow_look)
    with store.lease("daemon") as lease:
        followed = Starter(engine, first - dt.timedelta(minutes=1), 1, said.append, store.fenced(lease))
        followed.tick(first + dt.timedelta(minutes=1))
        assert looked.wait(60)
    with store.lease("daemon"):
        engine.run(Work(IMPORT, trigger="schedule", store=store), Silent())  # as the follower does
        goes_on.set()
        ticked_until(followed, first + dt.timedelta(minutes=1), lambda: besides(said))
    followed.close()

    assert len(store.runs()) == 1
    shown = f"the start at {first:%Y-%m-%d %H:%M:%S}Z"
    assert besides(said) == [f"{IMPORT}: another daemon works by now; {shown} comes again"]
    assert cursor(engine) == first - dt.timedelta(hours=1)


@pytest.mark.parametrize("begun_by", ["schedule", "manual"])
def test_a_run_that_was_gone_on_with_counts_for_the_start(engine, begun_by):
    """A run that began before a start, and was interrupted, counts for it where a start went on with it after it."""
    halt = Halt()
    halt.interrupt()
    with pytest.raises(KeyboardInterrupt):
        engine.run(Work(IMPORT, trigger=begun_by, halt=halt), Silent())
    time.sleep(0.01)
    at = dt.datetime.now(dt.UTC)
    said, ended = list[str](), list[Start]()
    made = workers.Workers(Here(engine), engine.facilities.store, 1, said.append, ended.append)
    engine.run(Work(IMPORT, trigger="schedule"), Silent())  # as another daemon does
    made.offer(Start(HOURLY, IMPORT, at, at), "forbid")
    waited = time.monotonic() + 60
    while not ended:
        assert time.monotonic() < waited
        time.sleep(0.01)
    made.close()

    (run,) = engine.facilities.store.runs()
    assert run.started < at.isoformat()
    assert said == [f"acme/Import/customers: run {run.id} was {ended[0].shown}"]


def test_a_run_counts_for_its_start_also_where_another_one_has_begun_since(engine):
    """One that broke off after it doesn't hide it."""
    at = dt.datetime.now(dt.UTC)
    engine.run(Work(IMPORT, trigger="schedule"), Silent())  # as another daemon does
    halt = Halt()
    halt.interrupt()
    with pytest.raises(KeyboardInterrupt):
        engine.run(Work(IMPORT, trigger="schedule", halt=halt), Silent())
    broken, done = engine.facilities.store.runs()
    said, ended = list[str](), list[Start]()
    made = workers.Workers(Here(engine), engine.facilities.store, 1, said.append, ended.append)
    made.offer(Start(HOURLY, IMPORT, at, at), "forbid")
    waited = time.monotonic() + 60
    while not ended:
        assert time.monotonic() < waited
        time.sleep(0.01)
    made.close()

    assert broken.id != done.id
    assert said == [f"acme/Import/customers: run {done.id} was {ended[0].shown}"]
