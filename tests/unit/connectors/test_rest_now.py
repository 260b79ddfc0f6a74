"""`now` in requests: when the read began, the same in all of them, also after it was gone on with."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.model.errors import Invalid, SynclineError
from tests.api_server import Reply, api_server
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TEXT = """
config: {properties: {since: {default: ""}}}
streams:
  shops:
    get: /shops
    query: {at: "{{ now }}"}
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}}}
  items:
    get: /items
    query: {at: "{{ AT }}"}
    records: data[]
    key: [id]
    page: {page: query.page}
    schema: {properties: {id: {type: integer}}}
"""
EACH = TEXT.replace("get: /items", "for: {in: [a, b, c], as: shop}\n    get: /items/{{ shop }}")
PARENT = TEXT.replace("get: /items", "for: {each: shops, as: shop}\n    get: /items/{{ shop.id }}")
CURSOR = TEXT.replace("key: [id]\n    page", "key: [id]\n    cursor: {field: id, type: integer}\n    page")
#: FakeClock's first moment.
THEN = "2023-11-14T22:13:20Z"


class Api:
    """Two pages with a record each, and an empty one; each request takes a while. Remembers what it was told."""

    def __init__(self, clock: FakeClock) -> None:
        self.asked: list[str] = []
        self._clock = clock

    def __call__(self, request):
        self._clock.time += 7
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append(query.get("at", ""))
        page = int(query.get("page", "1"))
        return answer({"data": [{"id": page}] if page < 3 else []})


def opened(text, api, clock, *, incremental=False, at="now", **parts):
    made = instance(text.replace("AT", at), **parts)
    return source(made, incremental=incremental, transport=FunctionTransport(api), clock=clock, batch_rows=1)


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("now", THEN),
        ("now | date('%Y-%m-%d')", "2023-11-14"),
        ("now | date('epoch_ms')", "1700000000000"),
        ("now | minus('1d12h') | date('%d.%m.%Y %H:%M')", "13.11.2023 10:13"),
        ("now | plus('1w')", "2023-11-21T22:13:20Z"),
        ("config.since | date('epoch')", "1767600000"),
        ("config.since if config.since else now | date('%Y')", "2026-01-05T09:00:00+01:00"),
    ],
)
def test_times_are_written_as_the_api_wants_them(at, sent):
    """`now` and settings are taken in other formats and so long before or after, in UTC."""
    clock = FakeClock()
    api = Api(clock)
    read(opened(TEXT, api, clock, at=at, config={"since": "2026-01-05T09:00:00+01:00"}))
    assert api.asked == [sent] * 3


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("text", [TEXT, EACH, PARENT, CURSOR], ids=["one", "partitions", "parents", "cursor"])
def test_going_on_says_the_same(text, incremental):
    """From every position, a day later, each request says when the read began, and each record comes once."""
    if incremental and "cursor" not in text:
        return
    clock = FakeClock()
    whole = read(opened(text, Api(clock), clock, incremental=incremental))
    for kept in range(1, len(whole)):
        clock = FakeClock()
        api = Api(clock)
        reading = opened(text, api, clock, incremental=incremental)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        clock.time += 86_400
        position = json.loads(json.dumps(batches[-1].position))
        again = read(opened(text, api, clock, incremental=incremental), position)
        assert rows(batches) + rows(again) == rows(whole)
        assert set(api.asked) == {THEN}


def test_a_read_that_failed_goes_on_with_its_time():
    """Over a real connection: what the API refused is asked for again an hour later, as it was asked for."""
    refused: list[str] = []

    def api(asked):
        page = int(asked.query["page"])
        if page == 2 and not refused:
            refused.append(asked.query["at"])
            return Reply({"error": "closed"}, status=403)
        return Reply({"data": [{"id": page}] if page < 3 else []})

    clock = FakeClock()
    with api_server(api) as server:
        made = instance(TEXT.replace("AT", "now | date('%H:%M')"), url=server.url)
        first = source(made, incremental=False, clock=clock, batch_rows=1)
        batches = first.read(None)
        position = next(batches).position
        with pytest.raises(SynclineError):
            list(batches)
        first.close()
        clock.time += 3600
        assert rows(read(source(made, incremental=False, clock=clock, batch_rows=1), position)) == [{"id": 2}]
    assert refused == ["22:13"]
    assert {asked.query["at"] for asked in server.asked} == {"22:13"}


def test_the_next_read_says_another():
    """A read that has ended keeps nothing of when it began."""
    clock = FakeClock()
    api = Api(clock)
    position = read(opened(CURSOR, api, clock, incremental=True))[-1].position
    assert "now" not in position
    clock.time = 1_700_086_400.0
    api.asked.clear()
    read(opened(CURSOR, api, clock, incremental=True), position)
    assert set(api.asked) == {"2023-11-15T22:13:20Z"}


def test_positions_of_other_reads_have_no_time():
    """Where no request reads `now`, positions are as they always were."""
    clock = FakeClock()
    batches = read(opened(TEXT, Api(clock), clock, at="config.since | default('')"))
    assert not any("now" in batch.position for batch in batches)


def test_jobs_say_when_the_read_began():
    """The requests that create, poll and download a job know it as well."""
    text = """
streams:
  items:
    job:
      create: {post: /jobs, body: {at: "{{ now }}"}}
      id: body.id
      poll: {get: "/jobs/{{ job.id }}", query: {at: "{{ now }}"}, done: "body.done"}
      download: {get: "/jobs/{{ job.id }}/records", query: {at: "{{ now }}"}}
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}}}
"""
    clock = FakeClock()
    told: list[str] = []

    def api(request):
        clock.time += 7
        told.append(dict(parse_qsl(urlsplit(request.url).query)).get("at") or json.loads(request.body)["at"])
        return answer({"id": "j", "done": True, "data": [{"id": 1}]})

    assert rows(read(opened(text, api, clock))) == [{"id": 1}]
    assert told == [THEN] * 3


def test_what_is_no_time_is_never_sent():
    """A setting that is no time is an error for people before anything is asked."""
    clock = FakeClock()
    api = Api(clock)
    with pytest.raises(Invalid, match="'soon' is no time: ISO 8601 is expected") as caught:
        read(opened(TEXT, api, clock, at="config.since | date('%Y')", config={"since": "soon"}))
    assert (caught.value.code, api.asked) == ("SYN431", [])


def test_an_empty_setting_leaves_its_parameter_out():
    """No time in another format is none."""
    clock = FakeClock()
    api = Api(clock)
    read(opened(TEXT, api, clock, at="config.since | minus('1d') | date('%Y')", config={"since": ""}))
    assert api.asked == ["", "", ""]
