"""Tests of runs that other processes do for a daemon: what they leave behind and how they are ended is as here."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from msgspec import structs

from syncline import workflow
from syncline.daemon import wire
from syncline.daemon.leading import LEADING
from syncline.daemon.processes import child
from syncline.daemon.processes.channel import Begin, Broke, Channel, ToDaemon, ToProcess
from syncline.daemon.processes.pool import Processes, running
from syncline.daemon.processes.runner import Here
from syncline.executor.batches.halt import Halt
from syncline.executor.work import Work
from syncline.model.errors import Again, Bug, Denied, Followed, Stalled, Waiting, foreign
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.state.store import Lease
from tests.api_server import Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import build
from tests.unit.daemon.test_leading import followed

if TYPE_CHECKING:
    from syncline.executor.engine import Engine

FLOW = ObjectKey("acme", "Sync", "tickets")


class Helpdesk:
    """An API of two pages, of which the second is held back while it isn't released; or one that fails."""

    def __init__(self):
        self.held, self.released, self.fails = threading.Event(), threading.Event(), False
        self.released.set()

    def __call__(self, asked):
        if self.fails:
            return Reply(status=503)
        if "cursor" not in asked.query:
            return Reply({"data": [{"id": 1, "title": "t", "hours": 1}], "next": "2"})
        self.held.set()
        self.released.wait(60)
        return Reply({"data": [{"id": 2, "title": "u", "hours": 2}], "next": None})


class House:
    """A daemon's engine over a sync of that API, and one process for its runs."""

    def __init__(self, engine, lease, server, service):
        self.engine, self.server, self.service = engine, server, service
        self.store = engine.facilities.store.fenced(lease)
        self.pool = Processes(engine, lease, 1)

    def run(self, **more):
        return self.pool.run(Work(FLOW, trigger="schedule", store=self.store, **more))

    @property
    def pid(self):
        """The process that does the runs."""
        (process,) = self.pool._processes.values()
        return process._process.pid

    @contextmanager
    def held(self, **more):
        """While a run waits for its source; how it ended is in what this gives, as the error or what was counted."""
        found, self.service.held = [], threading.Event()
        self.service.released.clear()

        def run():
            try:
                found.append(self.run(**more))
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert self.service.held.wait(60)
            yield found
        finally:
            thread.join(60)
            self.service.released.set()
            assert found


@pytest.fixture
def house(tmp_path):
    service = Helpdesk()
    with api_server(service) as server:
        settings = build(tmp_path, helpdesk(server.url))
        workflow.apply(settings)
        with workflow.engine(settings) as engine, engine.facilities.store.lease(LEADING) as lease:
            made = House(engine, lease, server, service)
            yield made
            made.pool.close()


def gone(pid):
    """Whether a process ends soon."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            time.sleep(0.01)
            continue
        return True
    return False


@pytest.mark.slow
def test_a_run_leaves_behind_what_one_here_does(house):
    """Record, status, counters and log are the same; the daemon is asked before each, and a process does many."""
    asked: list[Work] = []
    house.engine.before = asked.append
    first, second = house.run(), house.run()
    pid = house.pid
    here = Here(house.engine).run(Work(FLOW, trigger="schedule"))

    records = {run.id: run for run in house.store.runs(FLOW)}
    assert set(records) == {first.run, second.run, here.run}
    assert {(run.state, run.trigger, run.counts.read) for run in records.values()} == {
        (RunState.succeeded, "schedule", 2)
    }
    assert first.counts == records[first.run].counts
    assert len(asked) == 3
    status = house.store.statuses([FLOW])[FLOW]
    assert (status.failing, status.conditions[0].reason) == (False, "RunSucceeded")
    counters = {(kind, name): value for _, kind, name, value in house.store.statistics().totals("", "9999")}
    assert counters["Sync", "runs"] == 3
    assert pid != os.getpid()


def test_a_daemon_that_was_followed_begins_no_run_in_a_process(house):
    """The flow's lease is taken under that of the daemon, which the process has from it."""
    followed(house.engine.facilities.settings)
    with pytest.raises(Followed) as told:
        house.run()

    assert told.value.lease == LEADING
    assert not house.store.runs()


@pytest.mark.slow
def test_a_run_in_a_process_is_stopped_as_one_here(house):
    """Replaced, it has failed with the reason; interrupted, it is to be gone on with; the source isn't waited for."""
    halt = Halt()
    with house.held(halt=halt) as ended:
        halt.ask("another start takes its place")
    (error,) = ended
    assert (type(error), error.code, "takes its place" in error.told) == (Stalled, "SYN698", True)
    assert house.store.runs(FLOW)[0].error_code == "SYN698"

    halt = Halt()
    with house.held(halt=halt) as ended:
        halt.interrupt()
    assert isinstance(ended[0], KeyboardInterrupt)
    assert house.store.runs(FLOW)[0].state is RunState.interrupted


@pytest.mark.slow
def test_whether_to_wait_for_a_system_is_asked_of_the_daemon(house):
    """It knows how many wait already: without its word, a run ends with the first failure."""
    house.service.fails = True
    with pytest.raises(Again):
        house.run(patience=lambda: False)
    asked = len(house.server.asked)
    with pytest.raises(Again):
        house.run(patience=lambda: True)

    assert (asked, len(house.server.asked) - asked) == (1, 2)


@pytest.mark.slow
def test_signals_to_a_process_are_the_daemons(house):
    """Ctrl-C and SIGTERM reach all processes of a service; the daemon says what is to end."""
    with house.held() as ended:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(house.pid, number)
        time.sleep(0.2)
        house.service.released.set()

    assert ended[0].counts.read == 2


@pytest.mark.slow
def test_a_process_that_dies_is_told_and_the_run_goes_on_in_another(house):
    """It counts as an attempt that failed: with a code of its own, in record, status and log, to be tried again."""
    with house.held() as ended:
        pid = house.pid
        os.kill(pid, signal.SIGKILL)
    (error,) = ended
    assert (type(error), error.code, "SIGKILL" in error.told) == (Again, "SYN922", True)
    (cut,) = house.store.runs(FLOW)
    assert (cut.state, cut.error_code) == (RunState.interrupted, "SYN922")
    status = house.store.statuses([FLOW])[FLOW]
    assert (status.failing, bool(status.retry)) == (True, True)

    ran = house.run()
    assert (ran.run, house.pid != pid) == (cut.id, True)
    assert house.store.runs(FLOW)[0].state is RunState.succeeded


@pytest.mark.slow
def test_a_signal_without_a_name_is_told_by_its_number(house):
    """Those of real time have none, and what ends a process by one is told all the same."""
    with house.held() as ended:
        os.kill(house.pid, 40)

    assert "signal 40" in ended[0].told


@pytest.mark.slow
def test_processes_end_with_their_last_run(house):
    """Once nothing more is to begin, one that has nothing to do ends at once, another one after its run."""
    with house.held() as ended:
        pid = house.pid
        house.pool.close()
        time.sleep(0.2)
        os.kill(pid, 0)
        house.service.released.set()

    assert ended[0].counts.read == 2
    assert gone(pid)
    with pytest.raises(KeyboardInterrupt):
        house.run()


def test_a_process_that_cannot_begin_says_why(house):
    """It has the state and the home to open; what keeps it from that is what the run has failed by."""
    facilities = house.engine.facilities
    away = {**facilities.settings.environ, "SYNCLINE_STATE": "postgresql://127.0.0.1:1/none"}
    settings = replace(facilities.settings, environ=away)
    house.engine.facilities = structs.replace(facilities, settings=settings)
    with pytest.raises(Again) as told:
        house.run()

    assert told.value.code == "SYN615"
    status = house.store.statuses([FLOW])[FLOW]
    assert (status.failing, bool(status.retry)) == (True, True)


class Panic(BaseException):
    """As libraries in Rust end what they did."""


@pytest.mark.parametrize("error", [Panic("ada"), Again("a file \udcff can't be read", code="SYN452")])
def test_whatever_ends_a_run_is_told(error):
    """Also what is no `Exception`, and what can't be written as a message: the daemon would wait for it for ever."""

    def run(*_):
        raise error

    engine = SimpleNamespace(facilities=SimpleNamespace(store=SimpleNamespace(fenced=lambda _: None)), run=run)
    here, there = socket.socketpair()
    with here, there:
        runs = child._Runs(cast("Engine", engine), Channel(there, ToProcess))
        runs._going[1] = going = child._Going()
        runs._do(Begin(1, FLOW, "schedule", Lease("daemon", "", 1, 0.0)), going)
        daemon = Channel[ToDaemon](here, ToDaemon)
        assert daemon.waits(0)
        told = daemon.hear()
    assert (type(told), told.number, told.error["code"]) == (Broke, 1, "SYN999")


def test_what_is_no_message_is_the_end():
    """Who says it is taken for gone, and isn't waited for."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"\0\0\0\1\xc1")
        assert Channel(here, ToDaemon).hear() is None


def test_only_runs_of_schedules_are_handed_over(house):
    """What a run is asked for beside that would be lost on the way."""
    with pytest.raises(Bug):
        house.pool.run(Work(FLOW, full_refresh=True))
    with running(house.engine, house.engine.facilities.store, 0) as runner:
        assert isinstance(runner, Here)


@pytest.mark.parametrize(
    "error",
    [
        Followed("another has it", lease="daemon"),
        Again(f"status 500: {foreign('ada@example.com')}", code="SYN403", after=3.0),
        Waiting("it is under way", on="another run"),
        Denied("no", code="SYN501", help="Ask."),
    ],
)
def test_errors_come_back_as_they_were(error):
    """Of their type, with all that says what to do next, and what came from outside marked as such."""
    found = wire.error_of(wire.error_data(error))
    assert (type(found), vars(found)) == (type(error), vars(error))


def test_no_process_inherits_the_channel(house):
    """Else one that a run started would keep it open, and its end would be noticed by nobody."""
    house.run()
    (process,) = house.pool._processes.values()
    assert not process._socket.get_inheritable()
    descriptors = Path(f"/proc/{house.pid}/fd")
    sockets = [fd.name for fd in descriptors.iterdir() if str(fd.readlink()).startswith("socket:")]
    flags = [int((descriptors.parent / "fdinfo" / name).read_text().split()[3], 8) for name in sockets]
    assert flags
    assert all(flag & os.O_CLOEXEC for flag in flags)
