"""Processes among others: stopped by a signal, two at the same flow, plans that came too late."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from syncline import workflow
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.model.errors import Denied
from syncline.model.run import Counts, RunState
from syncline.model.step import PutObject
from tests.api_server import Asked, Reply, api_server
from tests.e2e import house
from tests.e2e.api import TICKETS, helpdesk, started, syncline
from tests.e2e.daemon import until
from tests.e2e.house import Scenario, audit_ok, build, customers, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator


class Helpdesk:
    """An API with a first page, and a second that is held back until it is released."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.released = threading.Event()

    def __call__(self, asked: Asked) -> Reply:
        if "cursor" not in asked.query:
            return Reply({"data": [{"id": n, "title": f"t{n}", "hours": n} for n in range(1, 60_001)], "next": "2"})
        self.held.set()
        self.released.wait(300)
        return Reply({"data": [{"id": 60_001, "title": "last", "hours": 0.25}], "next": None})


@pytest.fixture
def held() -> Iterator[tuple[Helpdesk, str]]:
    """The API, running, and its URL."""
    service = Helpdesk()
    with api_server(service) as server:
        yield service, server.url
        service.released.set()


def tickets(root: Path) -> tuple[int, int, str]:
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute("SELECT count(*), count(DISTINCT id), max(hours) FROM tickets").fetchone()


def stopped(process: subprocess.Popen[str]) -> None:
    """Stops a process where it holds no lock of a file: one that does would hold up everybody, which is another matter."""
    while True:
        process.send_signal(signal.SIGSTOP)
        until(lambda: ") T " in Path(f"/proc/{process.pid}/stat").read_text())
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        if not any(str(process.pid) in line and "WRITE" in line for line in held):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def committed(root: Path) -> Counts:
    """What the destination's checkpoint accounts for."""
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        found = connection.execute("SELECT checkpoint FROM _syncline_checkpoints").fetchall()
    return Checkpoint.loads(found[0][0]).counts if found else Counts()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_terminated_run_ends_at_once_and_is_resumed(tmp_path, held, number, code):
    """
    SIGTERM or Ctrl-C while an API keeps it waiting: its exit code within five seconds, without waiting for the API,
    Interrupted; the next run has the same id.
    """
    service, url = held
    settings = build(tmp_path, helpdesk(url, write="append"))
    workflow.apply(settings)
    with started(tmp_path, "run", TICKETS) as process:
        assert service.held.wait(120)
        before = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=200)
        took = time.monotonic() - before

    assert process.returncode == code, err
    assert took < 5
    (stopped,) = Look(settings.state_url).runs()
    assert (stopped.state, stopped.error_code) == (RunState.interrupted, "SYN704")
    assert stopped.counts == committed(tmp_path)
    assert "Traceback" not in err
    service.released.set()
    done = syncline(tmp_path, "run", TICKETS)
    assert done.returncode == 0, done.stderr
    (record,) = Look(settings.state_url).runs()
    assert (record.id, record.state, record.counts.read) == (stopped.id, RunState.succeeded, 60_001)
    assert tickets(tmp_path)[:2] == (60_001, 60_001)
    assert audit_ok(settings)


@pytest.mark.slow
def test_of_two_processes_at_one_flow_one_is_told_of_the_other(tmp_path, held):
    """The second exits with 5 and names the first, which ends right."""
    service, url = held
    settings = build(tmp_path, helpdesk(url, write="append"))
    workflow.apply(settings)
    with started(tmp_path, "run", TICKETS) as first:
        assert service.held.wait(120)
        second = syncline(tmp_path, "run", TICKETS)
        service.released.set()
        _, err = first.communicate(timeout=200)

    assert first.returncode == 0, err
    assert second.returncode == 5
    assert f":{first.pid}" in second.stderr
    assert tickets(tmp_path)[:2] == (60_001, 60_001)
    (record,) = Look(settings.state_url).runs()
    assert record.state is RunState.succeeded


@pytest.mark.slow
def test_a_run_that_was_stopped_and_followed_writes_nothing_more(tmp_path, held):
    """A process that slept past its lease finds its flow taken: the destination has every row once, by the other run."""
    service, url = held
    settings = build(tmp_path, helpdesk(url, write="append"))
    workflow.apply(settings)
    with started(tmp_path, "run", TICKETS) as slow:
        assert service.held.wait(120)
        stopped(slow)
        with closing(sqlite3.connect(settings.home / "state.db")) as connection, connection:
            connection.execute("UPDATE leases SET expires = 0")  # as if it had slept for a minute
        service.released.set()
        follower = syncline(tmp_path, "run", TICKETS)
        assert follower.returncode == 0, follower.stderr
        slow.send_signal(signal.SIGCONT)
        _, err = slow.communicate(timeout=200)

    assert slow.returncode == 3, err
    assert "SYN680" in err or "SYN611" in err
    assert tickets(tmp_path)[:2] == (60_001, 60_001)
    (record,) = Look(settings.state_url).runs()
    assert (record.state, record.counts.read) == (RunState.succeeded, 60_001)
    assert audit_ok(settings)


def test_a_plan_that_came_too_late_or_was_altered_is_refused(tmp_path):
    """A saved plan is applied to the state it was made from, as it was made, or not at all."""
    texts = Scenario("upsert").texts
    settings = build(tmp_path, texts)
    customers(tmp_path, 5)
    saved = tmp_path / "plan.json"
    assert syncline(tmp_path, "plan", "--out", str(saved)).returncode == 0
    altered = tmp_path / "altered.json"
    altered.write_text(saved.read_text().replace('"to": "balance"', '"to": "amount"'))
    assert altered.read_text() != saved.read_text()
    tampered = syncline(tmp_path, "apply", str(altered), "--yes")
    assert (tampered.returncode, "SYN640" in tampered.stderr) == (1, True)
    assert not Look(settings.state_url).objects()

    workflow.apply(settings)
    stale = syncline(tmp_path, "apply", str(saved), "--yes")
    assert (stale.returncode, "SYN641" in stale.stderr) == (1, True), stale.stderr
    assert workflow.plan(settings).empty


def test_a_saved_plan_cannot_bring_its_own_permission(tmp_path):
    """Policy is evaluated again at apply, on what the plan leads to: a plan that was forged with its digest is denied."""
    texts = dict(Scenario("upsert").texts)
    texts["tenant.yaml"] = texts["tenant.yaml"].replace(
        "spec: {", "spec: {residency: [{classes: [pii.*], regions: [eu-*]}], "
    )
    texts["mapping.yaml"] = texts["mapping.yaml"].replace(
        "check: {format: email}", "check: {format: email}, class: pii.email"
    )
    texts["warehouse.yaml"] = texts["warehouse.yaml"].replace("spec:\n", "spec:\n  region: eu-west\n")
    texts["source.yaml"] = texts["source.yaml"].replace("spec:\n", "spec:\n  region: eu-west\n")
    settings = build(tmp_path, texts)
    plan = workflow.plan(settings)
    steps = tuple(
        replace(step, document=step.document.replace('"eu-west"', '"us-east"')) if isinstance(step, PutObject) else step
        for step in plan.steps
    )
    with pytest.raises(Denied):
        workflow.apply(settings, replace(plan, steps=steps))
    assert not Look(settings.state_url).objects()


def test_settings_are_those_of_the_house(tmp_path):
    """The helpers read the state that the command line writes."""
    build(tmp_path, Scenario("upsert").texts)
    customers(tmp_path, 5)
    assert syncline(tmp_path, "apply", "--yes").returncode == 0
    done = syncline(tmp_path, "run", str(house.FLOW), "-o", "json")
    assert done.returncode == 4, done.stderr  # there are rejects
    record = Look(settings_of(tmp_path).state_url).runs()[0]
    assert json.loads(done.stdout)["run"] == record.id
