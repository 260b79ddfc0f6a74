"""`/healthz` of a daemon's process: well while its loops turn, and not once one of them has ended or hangs.

`/metrics` has each of them with the seconds since it turned.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.e2e.daemon import SCHEDULE, UPSERT, Serving, probed, runs, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

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
#: A daemon whose applies take five seconds, and whose loops may be silent for two.
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
listens.Listen = lambda health, silence, *others: made(health, 2.0, *others)
sys.argv = ["syncline", *sys.argv[1:]]
main()
"""
#: A daemon whose notifications hang where nothing is waited for, as by a lock that nobody gives back.
HANGING = """\
import sys, threading
from syncline.cli.main import main
from syncline.notify.dispatcher import Dispatcher

Dispatcher.tick = lambda self, now: threading.Event().wait()
sys.argv = ["syncline", *sys.argv[1:]]
main()
"""
#: A connector that sends messages and waits for answers far longer than its loop may be silent.
PATIENT = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: patient, tenant: acme}
spec:
  version: 1.0.0
  http: {url: "http://127.0.0.1:PORT", timeout: 100s}
  notify: {send: {post: /messages, body: {text: "{{ title }}"}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: patient, tenant: acme}
spec: {connector: patient@^1}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: patient, tenant: acme}
spec: {on: [apply.finish], do: {notify: {integration: patient}}}
"""
#: What goes on for as long as a daemon works, with all that it can be asked to do; four workers, as they are by default.
LOOPS = {
    "main", "worker 1", "worker 2", "worker 3", "worker 4", "look 1", "look 2", "attempt 1", "attempt 2", "notifications",
    "witnesses", "requests", "renewal of leases", "signals", "probes", "webhooks", "refusals",
}  # fmt: skip


@contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that takes connections and answers nothing; its port, and those that came."""
    came: list[socket.socket] = []

    def take() -> None:
        with suppress(OSError):
            while True:
                came.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        taking = threading.Thread(target=take, daemon=True)
        taking.start()
        try:
            yield listener.getsockname()[1], came
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            taking.join(10)
            for connection in came:
                connection.close()


def ages(port: int) -> dict[str, float]:
    """Seconds since each loop turned, as `/metrics` has them."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r'^syncline_loop_silent_seconds\{loop="([^"]*)"\} (\S+)$', text, re.MULTILINE)
    return {name: float(seconds) for name, seconds in found}


def port_of(daemon: Serving) -> int:
    """Where its probes are."""
    return int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])


def served(program: str, root, remote, *more: str):
    """A daemon's process that runs a program."""
    options = ["--root", str(root), "serve", "--source", str(remote.path), "--poll", "0.3", "--health", "127.0.0.1:0"]
    options += more
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


@pytest.mark.slow
def test_each_thread_that_stays_is_a_loop_by_its_name(root, remote):
    """Whatever goes on for as long as the daemon works can be seen to turn: none of it hangs unnoticed."""
    commit = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    hook = ("--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK_SECRET")
    secret = {"HOOK_SECRET": "hook" * 4}
    with serving(root, remote, "--health", "127.0.0.1:0", *hook, environ=secret) as daemon:
        daemon.says(f"{commit[:12]} is applied")
        port = port_of(daemon)
        until(lambda: runs(root) >= 1, lambda: "\n".join(daemon.said))
        found = ages(port)
        assert set(found) >= LOOPS
        assert set(found) - LOOPS <= {"fetch", "expiry", "audit"}  # that come and go
        assert max(found.values()) < 10


@pytest.mark.slow
def test_a_message_that_nobody_answers_is_told_and_holds_up_nothing(root, remote):
    """
    It is named with its seconds once it takes longer than a loop may be silent; that is no reason for a restart, which
    would not make the system answer. Commits and runs go on.
    """
    with silent_server() as (port, came):
        texts = {**UPSERT.texts, "schedule.yaml": SCHEDULE, "patient.yaml": PATIENT.replace("PORT", str(port))}
        remote.push(texts)
        with serving(root, remote, "--health", "127.0.0.1:0", "--silence", "10") as daemon:
            until(lambda: came, lambda: "\n".join(daemon.said))
            health = port_of(daemon)
            until(lambda: "silent" in probed(health, "/healthz")[1], lambda: "\n".join(daemon.said))
            status, told = probed(health, "/healthz")
            (silent,) = told["silent"]
            sender = silent["loop"]
            assert status == 200
            assert sender.startswith("sender ")
            assert silent["step"] == "sends a message of acme/Subscription/patient"
            assert silent["seconds"] >= 10
            assert ages(health)[sender] > 10
            before = runs(root)
            second = remote.push({**texts, "schedule.yaml": SCHEDULE + "# again\n"})
            daemon.says(f"{second[:12]}")
            until(lambda: runs(root) > before, lambda: "\n".join(daemon.said))


@pytest.mark.slow
def test_a_thread_beside_the_loop_that_hangs_is_an_alarm(root, remote):
    """One that neither waits for a system nor to be given something: 503, by its name, while all others turn."""
    commit = remote.push(UPSERT.texts)
    with served(HANGING, root, remote, "--silence", "10") as process:
        try:
            daemon = Serving(process)
            daemon.says(f"{commit[:12]} is applied")
            port = port_of(daemon)
            until(lambda: probed(port, "/healthz")[0] == 503, lambda: "\n".join(daemon.said))
            told = probed(port, "/healthz")[1]
            assert told["stuck"].startswith("the loop notifications has been silent for 1")
            assert [each["loop"] for each in told["silent"]] == ["notifications"]
            assert ages(port)["main"] < 5
        finally:
            process.kill()
