"""The daemon as a process: commits that are pushed are applied, schedules start runs, and nothing is lost when it dies."""

from __future__ import annotations

import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from syncline.model.key import ObjectKey
from tests import repository
from tests.e2e import house
from tests.e2e.house import FLOW, Scenario, audit_ok, customers, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: often, tenant: acme}
spec: {every: 1s, run: [Sync/customers]}
"""
OFTEN = ObjectKey("acme", "Schedule", "often")
UPSERT = Scenario("upsert")
GIT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class Remote:
    """A bare repository, and a clone that is pushed from."""

    def __init__(self, folder: Path) -> None:
        self.path, self.work = folder / "config.git", folder / "work"
        self._git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        self._git(folder, "clone", "--quiet", str(self.path), str(self.work))
        self._git(self.work, "checkout", "--quiet", "-B", "main")

    def push(self, texts: Mapping[str, str], *options: str) -> str:
        """Commits exactly these files and pushes; the commit."""
        for old in self.work.glob("*.yaml"):
            old.unlink()
        repository.write(self.work, texts)
        self._git(self.work, "add", "--all")
        self._git(self.work, "commit", "--quiet", "--message=change", *options)
        self._git(self.work, "push", "--quiet", "--force", "origin", "main")
        return self._git(self.work, "rev-parse", "HEAD").strip()

    def _git(self, folder: Path, *arguments: str) -> str:
        environ = {**os.environ, **GIT}
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], env=environ, check=True, capture_output=True, text=True
        ).stdout


class Serving:
    """A daemon's process, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())

    def says(self, text: str) -> str:
        """Waits for a line with this text."""
        return until(lambda: next((line for line in self.said if text in line), ""), lambda: "\n".join(self.said))


def until(found: Callable[[], Any], shown: Callable[[], str] = str) -> Any:
    """What is found once it is true; fails after a minute."""
    end = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < end, shown()
        time.sleep(0.05)
    return value


@contextmanager
def serving(root: Path, remote: Remote, *options: str) -> Iterator[Serving]:
    command = [sys.executable, "-m", "syncline", "--root", str(root), "serve", "--source", str(remote.path)]
    environ = {**os.environ, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1"}
    with subprocess.Popen(
        [*command, "--poll", "0.3", *options], env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


def probed(port: int, path: str) -> tuple[int, Any]:
    """Status and document of a probe."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def delivered(port: int, commit: str, secret: str) -> int:
    """The status that a push webhook in GitHub's form is answered with."""
    body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("POST", "/hook", body, {"X-Hub-Signature-256": f"sha256={signature}"})
        return connection.getresponse().status


def more_runs(root: Path, before: int) -> bool:
    """Whether there were more runs than before."""
    return runs(root) > before


def good_rows(root: Path) -> bool:
    """Whether the table holds every customer that fits, once."""
    return len(house.rows(root, UPSERT) or ()) == sum(bool(n % 7 and n % 11) for n in range(1, 201))


@pytest.fixture
def remote(tmp_path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def root(tmp_path) -> Path:
    """The daemon's own folder, with the data that its flows read."""
    made = tmp_path / "home"
    made.mkdir()
    customers(made, 200)
    return made


def runs(root: Path) -> int:
    """How many runs have succeeded, or ended with rejects."""
    return sum(run.receipt is not None for run in Look(settings_of(root).state_url).runs(FLOW, 1_000))


@pytest.mark.slow
def test_a_pushed_commit_is_applied_and_its_schedule_starts_runs(tmp_path, root, remote):
    """What is pushed is applied under its commit; scheduled runs follow, and stop when the schedule is removed."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"{first[:12]} is applied")
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))
        port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
        assert probed(port, "/readyz") == (200, {"leading": True, "commit": first, "problem": ""})
        assert probed(port, "/elsewhere")[0] == 404

        second = remote.push(UPSERT.texts)
        daemon.says(f"{second[:12]} is applied")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(30) == 0

    settings = settings_of(root)
    last = Look(settings.state_url).runs(FLOW)[0]
    assert (last.trigger, last.revision) == ("schedule", first)
    assert Look(settings.state_url).cursor(OFTEN) is None
    assert good_rows(root)
    assert audit_ok(settings)


@pytest.mark.slow
def test_a_push_webhook_has_a_commit_applied_long_before_the_next_poll(root, remote, monkeypatch):
    """With an hour between polls, a signed delivery of a push is enough; one without a signature does nothing."""
    monkeypatch.setenv("HOOK_SECRET", "a secret of the two of us")
    first = remote.push(UPSERT.texts)
    options = ["--poll", "3600", "--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK_SECRET"]
    with serving(root, remote, *options) as daemon:
        daemon.says(f"{first[:12]} is applied")
        port = int(daemon.says("push webhooks at").split("127.0.0.1:")[1].split("/")[0])
        second = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("1s", "1h")})
        assert delivered(port, second, "not the secret of us") == 401
        assert Look(settings_of(root).state_url).object(OFTEN) is None
        assert delivered(port, second, "a secret of the two of us") == 202
        daemon.says(f"{second[:12]} is applied")

    assert Look(settings_of(root).state_url).object(OFTEN) is not None
    assert not any("a secret of the two of us" in line for line in daemon.said)


@pytest.mark.slow
def test_a_bad_commit_changes_nothing_and_the_last_good_one_keeps_running(root, remote):
    """A commit that isn't valid is told of once and not applied; runs go on; the next good commit is applied."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says("is applied")
        bad = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("Sync/customers", "Sync/custamers")})
        daemon.says(f"{bad[:12]} isn't applied: SYN")
        before = runs(root)
        until(lambda: runs(root) > before + 1, lambda: "\n".join(daemon.said))
        assert Look(settings_of(root).state_url).object(OFTEN) is not None
        good = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("1s", "2s")})
        daemon.says(f"{good[:12]} is applied")

    assert sum(bad[:12] in line for line in daemon.said) == 1


@pytest.mark.slow
def test_a_rewritten_history_is_not_applied(root, remote):
    """After a force-push, what was applied stays, and a person is told."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        rewritten = remote.push(UPSERT.texts, "--amend")
        daemon.says(f"{rewritten[:12]} isn't applied: SYN66")
        assert Look(settings_of(root).state_url).object(OFTEN) is not None


@pytest.mark.slow
def test_a_server_that_hangs_keeps_nothing_else_from_going_on(root, remote, tmp_path):
    """While a Git server accepts and never answers, schedules start on time, runs are made, and probes say what hangs."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/config.git"
        before = runs(root)
        with serving(root, remote, "--source", url, "--health", "127.0.0.1:0", "--fetch-timeout", "600") as daemon:
            port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
            daemon.says("this daemon works")
            began = time.monotonic()
            until(lambda: "SYN740" in probed(port, "/readyz")[1]["problem"], lambda: "\n".join(daemon.said))
            waited = time.monotonic() - began
            assert probed(port, "/readyz")[0] == 200
            starts = runs(root) - before
            assert starts >= waited - 3, (starts, waited)  # one a second
            daemon.process.send_signal(signal.SIGTERM)
            ended = time.monotonic()
            assert daemon.process.wait(30) == 0
            assert time.monotonic() - ended < 6
        silent.settimeout(5)
        peer, _ = silent.accept()
        with peer:
            peer.settimeout(10)
            while peer.recv(65536):  # ends, as git is gone with the daemon
                pass


@pytest.mark.slow
def test_a_tag_is_followed(root, remote):
    """With --tag the commit of the tag is applied, and a newer one of the branch is not."""
    first = remote.push(UPSERT.texts)
    remote._git(remote.path, "tag", "live", first)
    second = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--tag", "live") as daemon:
        daemon.says(f"{first[:12]} is applied")
        remote._git(remote.path, "tag", "--force", "live", second)
        daemon.says(f"{second[:12]} is applied")


@pytest.mark.slow
def test_killed_again_and_again_it_goes_on(root, remote):
    """Killed in the middle of whatever it does, the next daemon takes over at once; the table and the log are right."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    for round_ in range(4):
        with serving(root, remote) as daemon:
            before = runs(root) if round_ else 0
            until(partial(more_runs, root, before), lambda: "\n".join(daemon.said))
            time.sleep(0.1 * round_)
            daemon.process.kill()
            daemon.process.wait()

    settings = settings_of(root)
    assert audit_ok(settings)
    assert good_rows(root)


@pytest.mark.slow
def test_a_second_daemon_stands_by_and_takes_over(root, remote):
    """Of two daemons on one state, one works; when it is killed the other does."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as leader:
        leader.says("is applied")
        with serving(root, remote) as other:
            other.says("daemon")
            assert not any("read," in line for line in other.said)
            leader.process.kill()
            leader.process.wait()
            other.says("read,")
