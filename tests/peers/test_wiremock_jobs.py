"""WireMock as an API of exports, one for each day: a run that is killed goes on with the day's job that there is."""

from __future__ import annotations

import datetime as dt
import json
import time

import pytest

from tests.e2e.api import started
from tests.e2e.daemon import until
from tests.peers.house import LOGIN, Flow, house
from tests.peers.process import START_SECONDS

AUTH = "{type: bearer, token: {secretRef: {provider: env, key: TOKEN}}}"
TOKEN = {"TOKEN": "jobs-canary-4711"}
DAYS = 4
#: Rows on each of a job's two pages.
PAGE = 2

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: exports}
spec:
  version: 1.0.0
  auth: [bearer]
  config: {properties: {url: {type: string, format: uri}, since: {type: string, format: date}}, required: [url, since]}
  http: {url: "{{ config.url }}", timeout: 90s, retry: {on: [5xx, connection], attempts: 2, backoff: {initial: 10ms}}}
  streams:
    rows:
      records: data[]
      key: [id]
      page: {cursor: next, into: query.cursor}
      cursor: CURSOR
      job:
        create: {post: /exports, headers: {Idempotency-Key: "{{ job.key }}"}}
        poll: {get: "/exports/{{ job.id }}", every: 20ms, maxEvery: 50ms, done: "body.state == 'done'"}
        download: {get: "/exports/{{ job.id }}/rows"}
        delete: {delete: "/exports/{{ job.id }}"}
      schema: {required: [id, of], properties: {id: {type: integer}, of: {type: string, format: date}}}
"""
#: Windows of a calendar, whose rows needn't say their day, and spans of a field of theirs.
CURSORS = {
    "windows": "{type: date, start: config.since, into: {body.from: start, body.to: end},"
    " windows: {every: 1d, columns: {day: start}}}",
    "spans": "{field: of, type: date, start: config.since, window: 1d, into: {body.from: start, body.to: end}}",
}


class Exports:
    """An API with an export for each of the last days, of two pages; a cursor's kind, and the house that reads it."""

    def __init__(self, wiremock, root, kind):
        self.wiremock = wiremock
        today = dt.datetime.now(dt.UTC).date()
        self.days = [(today - dt.timedelta(days=DAYS - n)).isoformat() for n in range(DAYS)]
        wiremock.reset()
        for number, day in enumerate(self.days):
            self._export(number, day)
        fields = ("to: id, from: id, type: integer", "to: of, from: of, type: date")
        flow = Flow("rows", fields, read="incremental", write="append")
        config = {"url": wiremock.url, "since": self.days[0]}
        text = CONNECTOR.replace("CURSOR", CURSORS[kind])
        self.house = house(root, text, config, flow, auth=AUTH, secrets=TOKEN, quick=True)

    def _export(self, number, day):
        self.creates(day, {})
        self.answers("GET", day, {"jsonBody": {"state": "done"}})
        self.answers("DELETE", day, {"status": 204})
        for page in range(2):
            ids = [10 * number + PAGE * page + n for n in range(PAGE)]
            rows = {"data": [{"id": n, "of": day} for n in ids], "next": None if page else "2"}
            self.rows(day, page, {"jsonBody": rows})

    def creates(self, day, response, **options):
        """What the creation of a day's job is answered, besides its id."""
        request = {
            "method": "POST",
            "urlPath": "/exports",
            "bodyPatterns": [{"matchesJsonPath": f"$[?(@.from == '{day}')]"}],
        }
        self.wiremock.stub(request, {"status": 201, "jsonBody": {"id": f"job-{day}"}, **response}, **options)

    def answers(self, method, day, response, **options):
        """What a request about a day's job is answered."""
        request = {"method": method, "urlPath": f"/exports/job-{day}"}
        self.wiremock.stub(request, {"status": 200, **response}, **options)

    def rows(self, day, page, response, **options):
        """What a page of a day's rows is answered."""
        cursor = {"cursor": {"equalTo": "2"} if page else {"absent": True}}
        request = {"method": "GET", "urlPath": f"/exports/job-{day}/rows", "queryParameters": cursor}
        self.wiremock.stub(request, {"status": 200, **response}, **options)

    def asked(self, method, url=""):
        """Requests of a method, for a URL that begins so, the oldest first."""
        found = [r for r in self.wiremock.requests() if r["method"] == method]
        return [r for r in found if r["url"].startswith(url)]

    def created(self):
        """The days that exports were asked for, and the keys that they were asked for with."""
        made = self.asked("POST", "/exports")
        return [json.loads(r["body"])["from"] for r in made], [r["headers"]["Idempotency-Key"] for r in made]

    def killed_once(self, seen):
        """Begins a run, and kills it with SIGKILL once something is seen."""
        with started(self.house.root, "run", "acme/Sync/rows", extra={**LOGIN, **TOKEN}) as process:
            end = time.monotonic() + START_SECONDS
            while not seen():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.1)
            process.kill()


@pytest.fixture(params=CURSORS)
def exports(request, tmp_path, wiremock):
    """The API, and the house that reads it by this kind of cursor."""
    return Exports(wiremock, tmp_path, request.param)


def unanswered(house):
    """Whether a run waits for the answer to a creation whose key it has kept."""
    kept = house.committed("rows")
    job = kept.position.get("job", {}) if kept and kept.position else {}
    if "key" not in job or "id" in job:
        return False
    time.sleep(1)  # between the key and the request there is next to nothing
    return True


def all_there(exports):
    """Every row of every day is there once, and each day's job was deleted once, after its rows were asked for."""
    expected = [(10 * number + n, day) for number, day in enumerate(exports.days) for n in range(2 * PAGE)]
    found = exports.house.rows("SELECT id, of FROM rows ORDER BY id")
    assert [(number, str(day)) for number, day in found] == expected
    deleted = [r["url"] for r in exports.asked("DELETE")]
    assert deleted == [f"/exports/job-{day}" for day in exports.days]
    exports.house.proved()


def test_each_window_has_a_job_of_its_own(exports):
    """One job is created for each day, in order, under a key of its own; a second run finds no day that is over."""
    counts = exports.house.run("rows")

    days, keys = exports.created()
    assert (counts["inserted"], days, len({*keys})) == (DAYS * 2 * PAGE, exports.days, DAYS)
    all_there(exports)
    exports.house.run("rows")
    assert {*exports.created()[0]} - {*exports.days} <= {dt.datetime.now(dt.UTC).date().isoformat()}


def test_a_run_that_is_killed_while_a_job_is_worked_on_goes_on_with_it(exports):
    """Killed between the creation of the third day's job and its rows: the next run creates that of the fourth day only."""
    day = exports.days[2]
    exports.answers("GET", day, {"jsonBody": {"state": "running"}}, priority=1)
    exports.killed_once(lambda: exports.asked("GET", f"/exports/job-{day}"))
    assert exports.created()[0] == exports.days[:3]
    asked = len(exports.asked("GET", f"/exports/job-{exports.days[0]}"))

    exports.answers("GET", day, {"jsonBody": {"state": "done"}}, priority=1)
    exports.house.run("rows")

    assert exports.created()[0] == exports.days
    assert len(exports.asked("GET", f"/exports/job-{exports.days[0]}")) == asked
    all_there(exports)


def test_a_run_that_is_killed_in_the_middle_of_a_download_goes_on_with_it(exports):
    """Killed while the second day's second page is on its way: no job is created again, and no row is there twice."""
    day = exports.days[1]
    exports.rows(day, 1, {"fixedDelayMilliseconds": 60_000}, priority=1)
    exports.killed_once(lambda: exports.asked("GET", f"/exports/job-{day}/rows"))
    assert exports.created()[0] == exports.days[:2]

    exports.rows(
        day, 1, {"jsonBody": {"data": [{"id": 12, "of": day}, {"id": 13, "of": day}], "next": None}}, priority=1
    )
    exports.house.run("rows")

    assert exports.created()[0] == exports.days
    all_there(exports)


def test_a_run_that_is_killed_before_a_creation_is_answered_asks_with_the_same_key(exports):
    """Killed while the second day's job is being created: the next run asks for it again under the key that was kept."""
    day = exports.days[1]
    exports.creates(day, {"fixedDelayMilliseconds": 6_000}, priority=1)
    exports.killed_once(lambda: unanswered(exports.house))
    until(lambda: len(exports.created()[0]) == 2)

    exports.creates(day, {}, priority=1)
    exports.house.run("rows")

    days, keys = exports.created()
    assert days == [exports.days[0], day, day, *exports.days[2:]]
    assert keys[1] == keys[2]
    assert len({*keys}) == DAYS
    all_there(exports)
