"""The daemon as a process: the repository that it follows, what it says, and what is seen of it from outside."""

from __future__ import annotations

import hmac
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from syncline.model.key import ObjectKey
from tests import repository, warm
from tests.e2e import house
from tests.e2e.house import FLOW, Scenario, customers, settings_of
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
        with suppress(ValueError):  # closed under it, where the block ends before the process is quite gone
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


def home(folder: Path, rows: int) -> Path:
    """The daemon's own folder, with the data that its flows read."""
    made = folder / "home"
    made.mkdir()
    customers(made, rows)
    return made


@contextmanager
def serving(root: Path, remote: Remote, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """A daemon that follows a repository, killed at the end if it still is there."""
    command = [sys.executable, "-m", "syncline", "--root", str(root), "serve", "--source", str(remote.path)]
    environ = {**os.environ, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1", **(environ or {})}
    with warm.Popen([*command, "--poll", "0.3", *options], env=environ, stderr=subprocess.PIPE, text=True) as process:
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


def good_rows(root: Path) -> bool:
    """Whether the table holds every customer that fits, once."""
    return len(house.rows(root, UPSERT) or ()) == sum(bool(n % 7 and n % 11) for n in range(1, 201))


def runs(root: Path) -> int:
    """How many runs have succeeded, or ended with rejects."""
    return sum(run.receipt is not None for run in Look(settings_of(root).state_url).runs(FLOW, 1_000))
