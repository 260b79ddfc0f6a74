"""Looking at a stream whose records a job of the API prepares, by real processes: no job is left behind."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests import repository
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import TICKETS, started, syncline
from tests.e2e.exporting import repository as exporting

#: Commands that read declared flows and write nothing.
LOOKS = {
    "dry-run": (("run", TICKETS, "--dry-run"), 0),
    "sample-of-dry-run": (("run", TICKETS, "--dry-run", "--limit", "2"), 0),
    "rehearse": (("rehearse", TICKETS), 0),
    "plan": (("plan", "--data", "2"), 0),
    "plan-whole": (("plan", "--data", "1000"), 0),
    "sample": (("connector", "sample", "acme/helpdesk", "tickets", "--limit", "2"), 0),
    "discover": (("connector", "discover", "acme/helpdesk", "tickets"), 0),
}


class Exports:
    """Jobs that are done at their first poll; `fail` answers to a request instead, `before` is called with each."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.created = 0
        self.log: list[str] = []
        self.fail: dict[str, Callable[[Asked], Reply | None]] = {}
        self.before: Callable[[Asked], object] = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        self.log.append(f"{asked.method} {asked.path}")
        self.before(asked)
        if asked.method in self.fail and (reply := self.fail[asked.method](asked)) is not None:
            return reply
        if asked.method == "POST":
            self.created += 1
            self.there.add(f"e{self.created}")
            return Reply({"id": f"e{self.created}"}, status=202, headers={"Location": f"/exports/e{self.created}"})
        job = asked.path.split("/")[2]
        if job not in self.there:
            return Reply({"error": "no such job"}, status=404)
        if asked.method == "DELETE":
            self.there.discard(job)
            return Reply(b"", status=204)
        if asked.path.endswith("/rows"):
            start = int(asked.query.get("cursor") or 0)
            rows = [{"id": n, "title": "t", "hours": 1} for n in range(start + 1, start + 4)]
            return Reply({"data": rows, "next": str(start + 3) if start < 9 else None})
        return Reply({"done": True})


@pytest.fixture
def house(tmp_path):
    """A repository whose tickets are exported, and the API."""
    api = Exports()
    with api_server(api) as server:
        repository.write(tmp_path, exporting(server.url, "one", write="upsert"))
        yield tmp_path, api


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_deletes_the_job_that_it_created(house, look):
    """However much of it is read: each job that a dry run, rehearsal, plan or sample creates is deleted by it."""
    root, api = house
    command, code = LOOKS[look]
    done = syncline(root, *command)
    assert done.returncode == code, done.stderr
    assert api.created >= 1
    assert api.there == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["POST", "GET"])
def test_an_interrupted_look_deletes_its_job(house, number, at):
    """Ctrl-C or SIGTERM while the creation is answered, or while it polls: the job is deleted before the process ends."""
    root, api = house
    reached = threading.Event()

    def held(asked: Asked) -> None:
        if asked.method == at:
            reached.set()
            time.sleep(0.5)  # the signal comes before the answer

    api.before = held
    if at == "GET":
        api.fail = {"GET": lambda _: Reply({"done": False})}
    with started(root, "run", TICKETS, "--dry-run") as process:
        assert reached.wait(60)
        process.send_signal(number)
        code = process.wait(60)
    assert code != 0
    assert api.created == 1
    assert api.there == set()


def test_a_look_that_fails_deletes_its_job(house):
    """Records that can't be read end the look, and its job is deleted all the same."""
    root, api = house
    api.fail = {"GET": lambda asked: Reply(b"<html>", content_type="text/html") if "rows" in asked.path else None}
    done = syncline(root, "run", TICKETS, "--dry-run")
    assert done.returncode != 0
    assert api.created == 1
    assert api.there == set()


@pytest.mark.parametrize(
    "command", [("run", TICKETS, "--dry-run"), ("rehearse", TICKETS), ("plan", "--data", "5")], ids=lambda c: c[0]
)
def test_a_job_that_cannot_be_deleted_is_told_of(house, command):
    """Whoever looks hears which job stays at the API, where it refuses to delete it."""
    root, api = house
    api.fail = {"DELETE": lambda _: Reply({"error": "no"}, status=403)}
    done = syncline(root, *command)
    assert "a job was created at the API for this, and stays there: e1 (deleting failed)" in _flat(done.stdout)


def test_a_connector_without_delete_is_told_of(house):
    """Nothing can delete the job, so the output of the look names it."""
    root, api = house
    file = root / "connector.yaml"
    file.write_text(re.sub(r"\n +delete: .*", "", file.read_text()))
    done = syncline(root, "run", TICKETS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "stays there: e1 (the connector declares no job.delete)" in _flat(done.stdout)
    assert api.there == {"e1"}


def test_a_rehearsal_leaves_the_job_of_a_run_alone(house):
    """A rehearsal between a run that stopped and the next one deletes its own job only: the run goes on with the other."""
    root, api = house
    assert syncline(root, "apply", "--yes").returncode == 0
    failing = [True]
    api.fail = {"GET": lambda _: Reply({"error": "busy"}, status=500) if failing[0] else None}
    assert syncline(root, "run", TICKETS).returncode != 0
    failing[0] = False
    rehearsed = syncline(root, "rehearse", TICKETS)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert (api.created, api.there) == (2, {"e1"})
    ran = syncline(root, "run", TICKETS)
    assert ran.returncode == 0, ran.stderr
    assert (api.created, api.there) == (2, set())


def _flat(text: str) -> str:
    return " ".join(text.split())
