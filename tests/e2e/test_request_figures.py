"""What a run's requests came to is in its receipt, and what all of them came to is what the daemon tells monitoring."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from syncline import workflow
from syncline.daemon.http.metrics import Metrics
from syncline.daemon.loop import Status
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.key import ObjectKey
from syncline.model.run import Receipt
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk, syncline
from tests.e2e.house import build

KEY = ObjectKey("acme", "Sync", "tickets")


def scripted(*replies: Reply):
    """A handler that gives these answers, the last one again and again."""
    left = list(replies)

    def handler(asked: Asked) -> Reply:
        del asked
        return left.pop(0) if len(left) > 1 else left[0]

    return handler


PAGE = Reply({"data": [{"id": 1, "title": "t", "hours": 1}], "next": None})


def test_a_receipt_tells_what_its_requests_came_to(tmp_path):
    """One that came too early, one that failed and the one that was answered: by host, as text, as JSON, and in the state."""
    busy = Reply({}, status=429, headers={"Retry-After": "0"})
    with api_server(scripted(busy, Reply({}, status=500), PAGE)) as api:
        texts = helpdesk(api.url)
        patient = texts["connector.yaml"].replace("on: [5xx, timeout, connection], attempts: 2", "attempts: 3")
        settings = build(tmp_path, {**texts, "connector.yaml": patient})
        workflow.apply(settings)
        receipt = workflow.run(settings, KEY, progress=Silent()).receipt
    (told,) = receipt.requests
    assert (told.host, told.requests, told.retries, told.throttled, told.failures) == ("127.0.0.1", 3, 2, 1, 1)
    assert told.bytes == len(b"{}") * 2 + len(json.dumps(PAGE.body))
    assert 0 < told.latency.p50 <= told.latency.p99 <= told.latency.max <= receipt.seconds
    kept = workflow.find_run(settings, receipt.run).receipt
    assert Receipt.from_json(json.loads(json.dumps(kept))) == receipt


def test_a_run_that_fails_keeps_its_requests(tmp_path):
    """
    The third page fails for good, after another attempt at the second: the record, `runs show`, the report and the
    metrics tell of all requests, and what goes on with the run keeps its own in the receipt.
    """
    pages = [Reply({"data": [{"id": n, "title": "t", "hours": 1}], "next": f"p{n}"}) for n in (1, 2)]
    with api_server(scripted(pages[0], Reply({}, status=502), pages[1], Reply({}, status=500))) as api:
        settings = build(tmp_path, helpdesk(api.url))
        workflow.apply(settings)
        with pytest.raises(Again):
            workflow.run(settings, KEY, progress=Silent())
        asked = len(api.asked)
    (record,) = workflow.runs(settings, KEY, 5)
    (told,) = record.requests
    assert asked == 5
    assert (record.receipt, told.host, told.requests, told.retries, told.failures) == (None, "127.0.0.1", 5, 2, 3)
    assert 0 < told.latency.p50 <= told.latency.max
    shown = syncline(tmp_path, "runs", "show", record.id).stdout
    assert "  requests  5 to 127.0.0.1, 2 retried, 3 failed, " in shown
    assert "5 to 127.0.0.1, 2 retried, 3 failed" in syncline(tmp_path, "runs", "report", record.id).stdout
    data = json.loads(syncline(tmp_path, "runs", "show", record.id, "-o", "json").stdout)
    assert (data["requests"][0]["requests"], data["requests"][0]["retries"]) == (5, 2)
    with workflow.engine(settings) as engine:
        lines = Metrics(lambda: engine, Status(leading=True)).text().splitlines()
    assert 'syncline_requests_total{tenant="acme",kind="Sync",host="127.0.0.1"} 5' in lines
    assert 'syncline_request_retries_total{tenant="acme",kind="Sync",host="127.0.0.1"} 2' in lines


def test_a_run_that_is_gone_on_with_has_no_requests_beside_its_receipt(tmp_path):
    """A run that failed and then ends well tells of its requests in one place."""
    with api_server(scripted(Reply({}, status=500))) as api:
        settings = build(tmp_path, helpdesk(api.url))
        workflow.apply(settings)
        with pytest.raises(Again):
            workflow.run(settings, KEY, progress=Silent())
    assert workflow.runs(settings, KEY, 5)[0].requests
    with api_server(scripted(PAGE)) as api:
        build(tmp_path, helpdesk(api.url))
        workflow.apply(settings)
        workflow.run(settings, KEY, progress=Silent())
    assert [bool(run.requests) for run in workflow.runs(settings, KEY, 5) if run.receipt] == [False]


def test_a_receipt_of_before_has_none(tmp_path):
    """A run that an older version recorded is still read."""
    with api_server(scripted(PAGE)) as api:
        settings = build(tmp_path, helpdesk(api.url))
        workflow.apply(settings)
        plain = workflow.run(settings, KEY, progress=Silent()).receipt.to_json()
    del plain["requests"]
    assert Receipt.from_json(plain).requests == ()


def test_metrics_have_what_runs_counted(tmp_path):
    """The counters of runs that ended well and of one that failed, by host, and a histogram whose classes include the shorter."""
    with api_server(scripted(PAGE, Reply({}, status=500))) as api:
        settings = build(tmp_path, helpdesk(api.url))
        workflow.apply(settings)
        workflow.run(settings, KEY, progress=Silent())
        with pytest.raises(Again):
            workflow.run(settings, KEY, progress=Silent())
    with workflow.engine(settings) as engine:
        subject = Metrics(lambda: engine, Status(leading=True))
        lines = subject.text().splitlines()
        assert subject.text().splitlines() == lines
    asked = len(api.asked)
    flow = 'tenant="acme",kind="Sync"'
    host = f'{flow},host="127.0.0.1"'
    assert {
        "syncline_leading 1",
        "syncline_ready 0",
        f"syncline_runs_total{{{flow}}} 1",
        f"syncline_run_errors_total{{{flow}}} 1",
        f"syncline_records_written_total{{{flow}}} 1",
        f"syncline_requests_total{{{host}}} {asked}",
        f"syncline_request_retries_total{{{host}}} {asked - 2}",
        f"syncline_request_failures_total{{{host}}} {asked - 1}",
        f"syncline_request_seconds_count{{{host}}} {asked}",
        f'syncline_request_seconds_bucket{{{host},le="+Inf"}} {asked}',
        "# TYPE syncline_request_seconds histogram",
    } <= set(lines)
    assert len([line for line in lines if line.startswith("#")]) == len({*filter(lambda t: t.startswith("#"), lines)})


def with_statistics(statistics: Any) -> Any:
    """As much of an engine as metrics ask for."""
    return SimpleNamespace(facilities=SimpleNamespace(store=SimpleNamespace(statistics=lambda: statistics)))


class Kept:
    """A state's statistics: counters by the hour; remembers from when on it was asked."""

    def __init__(self, hours: dict[str, float]) -> None:
        self.hours = hours
        self.asked: list[str] = []

    def totals(self, start: str, end: str) -> list[tuple[str, str, str, float]]:
        self.asked.append(start)
        return [("acme", "Sync", "runs", value) for hour, value in self.hours.items() if start <= hour < end]


def test_hours_that_are_over_are_summed_once():
    """Each scrape after the first reads the newest hours only, and says the same."""
    kept = Kept({"2024-01-01T05:00:00Z": 3.0, "2024-01-01T06:00:00Z": 4.0, "2999-01-01T00:00:00Z": 5.0})
    subject = Metrics(lambda: with_statistics(kept), Status())
    for _ in range(3):
        assert 'syncline_runs_total{tenant="acme",kind="Sync"} 12' in subject.text().splitlines()
    assert kept.asked.count("") == 1


def test_a_state_that_is_away_takes_no_answer_away():
    """What the daemon knows of itself is told while its state can't be reached."""

    def away(start: str, end: str):
        raise Again("no state", code="SYN465")

    engine = with_statistics(SimpleNamespace(totals=away))
    assert Metrics(lambda: engine, Status(leading=True)).text().splitlines()[2] == "syncline_leading 1"
    assert Metrics(lambda: None, Status()).text().splitlines()[2] == "syncline_leading 0"
