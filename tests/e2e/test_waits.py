"""What a run waits for is told while it waits: on standard error, in the state, and to who handed it to a daemon."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from syncline.sdk.retry import RetryPolicy
from tests.api_server import Reply, api_server
from tests.e2e.api import CONNECTOR, helpdesk, started, syncline
from tests.e2e.house import build
from tests.e2e.test_jobs import STREAM

KEY = ObjectKey("acme", "Sync", "tickets")
PAGE = Reply({"data": [{"id": 1, "title": "t", "hours": 1}], "next": None})
DECLARED = "retry: {on: [5xx, timeout, connection], attempts: 2, backoff: {initial: 10ms, max: 20ms}}"
RETRY = "retry: {on: [429, 5xx, timeout, connection], attempts: 2, backoff: {initial: 10ms, max: 20ms}}"


class Heard(Silent):
    """Progress that remembers its waits."""

    def __init__(self) -> None:
        self.waits: list[tuple[int, str]] = []

    def waiting(self, seconds, why):
        self.waits.append((round(seconds), why))


def scripted(*replies: Reply):
    """A handler that gives these answers, the last one again and again."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def heard(folder, texts) -> list[tuple[int, str]]:
    """The waits of a run under these manifests."""
    settings, progress = build(folder, texts), Heard()
    workflow.apply(settings)
    workflow.run(settings, KEY, progress=progress)
    return progress.waits


def test_a_quota_that_is_used_up_is_told_with_its_seconds(tmp_path):
    """An answer 429 with Retry-After: the line on standard error, and `runs show` beside it until the wait is over."""
    with api_server(scripted(Reply({}, status=429, headers={"Retry-After": "4"}), PAGE)) as api:
        texts = helpdesk(api.url)
        settings = build(tmp_path, {**texts, "connector.yaml": texts["connector.yaml"].replace(DECLARED, RETRY)})
        workflow.apply(settings)
        with started(tmp_path, "run", "Sync/tickets") as process:
            run = ""
            end = time.monotonic() + 30
            while not (record := run and workflow.find_run(settings, run)) or not record.wait:
                assert time.monotonic() < end
                found = workflow.runs(settings, KEY, 1)
                run = found[0].id if found else ""
            shown = syncline(tmp_path, "runs", "show", run).stdout
            assert process.wait(60) == 0
            said = process.stderr.read()
    line = next(line for line in said.splitlines() if "waiting" in line)
    why = "127.0.0.1 announced that its quota is used up (429)"
    assert re.sub(r" [45] s:", " N s:", line) == f"acme/Sync/tickets: waiting N s: {why}"
    assert re.search(rf"^  waiting +until \S+Z: {re.escape(why)}$", shown, re.MULTILINE), shown
    assert workflow.find_run(settings, run).wait is None
    assert "waiting" not in syncline(tmp_path, "runs", "show", run).stdout


def test_a_wait_of_a_second_is_not_told(tmp_path):
    """What is over before it is read is no news."""
    with api_server(scripted(Reply({}, status=500), Reply({}, status=500), PAGE)) as api:
        texts = helpdesk(api.url)
        texts["connector.yaml"] = texts["connector.yaml"].replace("attempts: 2", "attempts: 3")
        assert heard(tmp_path, texts) == []


@pytest.mark.parametrize(
    ("first", "http", "why"),
    [
        (Reply({}, 503, {"Retry-After": "3"}), RETRY, "asked to wait (503)"),
        (Reply({}, 502), RETRY.replace("10ms", "6s").replace("20ms", "6s"), "answered 502, and is asked again"),
        (
            Reply(PAGE.body, cut=3),
            RETRY.replace("10ms", "6s").replace("20ms", "6s"),
            "gave no whole answer, and is asked again",
        ),
        (
            Reply({"data": [], "next": 2}, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}),
            RETRY,
            "announced that its quota is used up",
        ),
        (
            Reply({"data": [], "next": 2}, headers={"X-Left": "0", "X-Reset": "3"}),
            RETRY + "\n    limits: [{rate: 600/min, remaining: X-Left, reset: X-Reset}]",
            "has nothing left of its limit of 600 requests in 60 s",
        ),
    ],
    ids=["retry-after", "failed", "cut", "announced", "limit"],
)
def test_a_wait_says_what_the_host_did(first, http, why, tmp_path, monkeypatch):
    """A wait that a server asked for, before another attempt, for an announced quota, for a declared limit."""
    drawn = RetryPolicy.backoff
    monkeypatch.setattr(
        RetryPolicy, "backoff", lambda policy, attempt, _, at_least=None: drawn(policy, attempt, 0.5, at_least)
    )
    with api_server(scripted(first, PAGE)) as api:
        texts = helpdesk(api.url)
        texts["connector.yaml"] = texts["connector.yaml"].replace(DECLARED, http)
        (told,) = heard(tmp_path, texts)
    assert told[1] == f"127.0.0.1 {why}"
    assert 2 <= told[0] <= 6


def test_an_open_breaker_and_a_job_that_works_are_told(tmp_path):
    """A breaker that has opened is waited for by name; so is a job, by its id."""
    with api_server(scripted(Reply({}, status=500), Reply({}, status=500), PAGE)) as api:
        texts = helpdesk(api.url)
        broken = RETRY.replace("attempts: 2", "attempts: 5") + "\n    breaker: {failures: 2 of 2, open: 3s}"
        texts["connector.yaml"] = texts["connector.yaml"].replace(DECLARED, broken)
        (folder := tmp_path / "breaker").mkdir()
        (told,) = heard(folder, texts)
    assert told[1] == "127.0.0.1 has failed too often of late: its circuit breaker is open"

    def export(asked):
        if asked.method == "POST":
            return Reply({"id": "e1"}, status=202)
        if asked.path.endswith(".csv"):
            return Reply(b"id,title,hours\n1,a,1\n", content_type="text/csv")
        return Reply({"done": True, "file": "/1.csv"})

    with api_server(export) as api:
        texts = helpdesk(api.url)
        stream = STREAM.replace("every: 10ms", "every: 2s").replace("      compression: zip\n", "")
        texts["connector.yaml"] = CONNECTOR[: CONNECTOR.index("    tickets:")] + stream
        texts["connector.yaml"] = (
            texts["connector.yaml"]
            .replace("state: {type: string}", "")
            .replace("      filter: \"state != 'spam'\"\n", "")
        )
        (folder := tmp_path / "job").mkdir()
        assert heard(folder, texts) == [(2, "127.0.0.1 is working on job e1")]


def test_who_queues_behind_another_is_told_so():
    """A request that waits its turn behind another, for a limit that both count for, says what the limit is."""
    from syncline.sdk.clock import SystemClock
    from syncline.sdk.limits import Limiter, Rule

    limiter = Limiter(Rule(1, 5.0), SystemClock())
    limiter.wait()
    told: list[tuple[str, str]] = []

    def wait(name: str) -> None:
        limiter.wait(lambda _, why: told.append((name, why)))

    first = threading.Thread(target=wait, args=("first",))
    first.start()
    time.sleep(0.2)
    second = threading.Thread(target=wait, args=("second",))
    second.start()
    first.join()
    why = "has nothing left of its limit of 1 requests in 5 s"
    assert told[:2] == [("first", why), ("second", why)]
    second.join()


def test_a_daemon_tells_who_handed_it_the_run():
    """A wait goes over the daemon's socket as it goes to a terminal."""
    from syncline.cli.handover import _take

    progress = Heard()
    assert _take(json.loads(json.dumps({"waiting": 42.0, "why": "x"})), progress) is None
    assert progress.waits == [(42, "x")]
