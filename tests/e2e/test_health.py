"""`/healthz` of a daemon's process: well while its loops turn, and not once one of them has ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.e2e.daemon import SCHEDULE, UPSERT, Serving, probed, runs, serving, until

#: A daemon whose workers end by an error at their first start, as by a defect that nothing catches.
BROKEN = """\
import sys
from syncline.cli.main import main
from syncline.daemon.workers import Workers

def broken(self, start, given_up):
    raise SystemExit(1)

Workers._do = broken
sys.argv = ["syncline", *sys.argv[1:]]
main()
"""
#: A daemon whose applies take ten seconds, and whose loops may be silent for half a second.
SLOW = """\
import sys, time
from syncline.cli.commands import listens
from syncline.cli.main import main
from syncline.daemon import follower

def slow(*arguments, **options):
    time.sleep(5)
    return applied(*arguments, **options)

applied, follower.apply_plan = follower.apply_plan, slow
made = listens.Listen
listens.Listen = lambda health, silence, *others: made(health, 0.8, *others)
sys.argv = ["syncline", *sys.argv[1:]]
main()
"""


def port_of(daemon: Serving) -> int:
    """Where its probes are."""
    return int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])


def served(program: str, root, remote):
    """A daemon's process that runs a program."""
    options = ["--root", str(root), "serve", "--source", str(remote.path), "--poll", "0.3", "--health", "127.0.0.1:0"]
    environ = {**os.environ, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1"}
    return subprocess.Popen([sys.executable, "-c", program, *options], env=environ, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_daemon_that_works_is_well(root, remote):
    """While commits are applied and runs come and go it is 200, by a leader and by one that stands by."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"{first[:12]} is applied")
        port = port_of(daemon)
        until(lambda: runs(root) >= 1, lambda: "\n".join(daemon.said))
        status, told = probed(port, "/healthz")
        assert (status, told["leading"], told["commit"], "stuck" in told) == (200, True, first, False)
        with serving(root, remote, "--health", "127.0.0.1:0") as second:
            second.says("stands by")
            assert probed(port_of(second), "/healthz")[0] == 200
            assert probed(port_of(second), "/readyz")[0] == 503


@pytest.mark.slow
def test_a_daemon_one_of_whose_loops_has_ended_is_not(root, remote):
    """A worker that an error ends starts nothing any more, and nothing else says so: 503, with why; it still leads."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with served(BROKEN, root, remote) as process:
        try:
            daemon = Serving(process)
            port = port_of(daemon)
            until(lambda: probed(port, "/healthz")[0] == 503, lambda: "\n".join(daemon.said))
            told = probed(port, "/healthz")[1]
            assert told["stuck"].startswith("the loop worker ")
            assert told["stuck"].endswith(" has ended: SystemExit")
            assert probed(port, "/readyz")[0] == 200
        finally:
            process.kill()


@pytest.mark.slow
def test_a_step_that_takes_long_is_told_and_is_no_alarm(root, remote):
    """An apply that takes many times what its loop may be silent is told as working, and stays 200 until it is done."""
    commit = remote.push(UPSERT.texts)
    with served(SLOW, root, remote) as process:
        try:
            daemon = Serving(process)
            port, seen = port_of(daemon), []

            def done() -> bool:
                seen.append(probed(port, "/healthz"))
                return any(f"{commit[:12]} is applied" in line for line in daemon.said)

            until(done, lambda: "\n".join(daemon.said))
        finally:
            process.kill()
    steps = [step for _, told in seen for step in told.get("working", ()) if step["step"] == f"applies {commit[:12]}"]
    assert max(step["seconds"] for step in steps) >= 3
    assert {status for status, _ in seen} == {200}
