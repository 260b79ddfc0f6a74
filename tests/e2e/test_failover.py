"""Several daemons on one state in PostgreSQL, each on a machine of its own: one works, and is followed when it is gone.

A process says that its machine has another name. Then nobody can look it up in the table of processes, as on another
machine: what is left is what the state's server knows of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.house import FLOW, Scenario, audit_ok, customers, settings_of
from tests.e2e.test_processes import stopped
from tests.e2e.test_serve import OFTEN, SCHEDULE, Remote, Serving, until
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.settings import Settings

ON_A_MACHINE = (
    "import socket, sys; name = sys.argv.pop(1); socket.gethostname = lambda: name\n"
    "from syncline.cli.main import run; run()"
)


class Cluster:
    """Machines that share a state, keys and a log, and follow one repository."""

    def __init__(self, folder: Path, url: str) -> None:
        self.root, self.remote = folder / "shared", Remote(folder)
        self.root.mkdir()
        self.state = url
        customers(self.root, 50)
        scenario = Scenario("upsert", url, f"w{uuid.uuid4().hex[:12]}")
        self.commit = self.remote.push({**scenario.texts, "schedule.yaml": SCHEDULE})

    @property
    def settings(self) -> Settings:
        return settings_of(self.root, {"SYNCLINE_STATE": self.state})

    @contextmanager
    def machine(self, name: str, lease: float) -> Iterator[Serving]:
        """A daemon on a machine."""
        command = [sys.executable, "-c", ON_A_MACHINE, name, "--root", str(self.root)]
        command += ["serve", "--source", str(self.remote.path), "--poll", "0.3", "--lease", str(lease)]
        environ = {**os.environ, **self.settings.environ, "SYNCLINE_STATE": self.state, "NO_COLOR": "1"}
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield Serving(process)
            finally:
                process.kill()

    def cursor(self) -> str:
        """How far the schedule has come."""
        return Look(self.state).cursor(OFTEN) or ""


@pytest.fixture
def cluster(tmp_path, postgres_server_url) -> Iterator[Cluster]:
    from tests.servers import postgres_database

    with postgres_database(postgres_server_url) as url:
        yield Cluster(tmp_path, url)


def shown(*daemons: Serving) -> str:
    return "\n---\n".join("\n".join(daemon.said) for daemon in daemons)


@pytest.mark.slow
def test_a_leader_that_was_killed_on_another_machine_is_followed_at_once(cluster):
    """After kill -9 the other daemon works long before the lease of a minute is over, and the leader's run goes on."""
    with cluster.machine("a", 60) as leader:
        leader.says("read,")
        with cluster.machine("b", 60) as other:
            other.says("a:")
            assert not any("works from now on" in line for line in other.said)
            leader.process.kill()
            leader.process.wait()
            killed = time.monotonic()
            other.says("works from now on")
            other.says("read,")
            assert time.monotonic() - killed < 35  # it was renewed less than 20 s before
    runs = Look(cluster.state).runs(FLOW, 1_000)
    assert all(run.receipt is not None or str(run.state) != "Failed" for run in runs)
    assert audit_ok(cluster.settings)


@pytest.mark.slow
def test_a_leader_that_was_stopped_for_too_long_has_no_effect_any_more(cluster):
    """After SIGSTOP for longer than the lease another daemon works; after SIGCONT the first one stands by."""
    with cluster.machine("a", 1) as leader:
        leader.says("read,")
        with cluster.machine("b", 1) as other:
            other.says("a:")
            stopped(leader.process)
            other.says("works from now on")
            other.says("read,")
            before = cluster.cursor()
            leader.process.send_signal(signal.SIGCONT)
            leader.says("the lease ran out")
            leader.says("this daemon stands by")
            ran = len(other.said)
            until(lambda: len(other.said) > ran + 1, lambda: shown(leader, other))
            assert cluster.cursor() >= before
            # The one that stands by takes over in its turn, and its lease is a new one.
            other.process.send_signal(signal.SIGTERM)
            assert other.process.wait(30) == 0
            until(lambda: sum("works from now on" in line for line in leader.said) == 2, lambda: shown(leader, other))
    assert audit_ok(cluster.settings)
