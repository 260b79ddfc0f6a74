"""Incremental reads: what is asked for, what is left out, and that a cursor neither regresses nor loses a record."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Again, Invalid
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source


def connector(cursor: str, kind: str = "string") -> str:
    return f"""
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {{page: query.page}}
    cursor: {cursor}
    schema: {{properties: {{id: {{type: integer}}, at: {{type: {kind}}}}}}}
"""


class Api:
    """Pages of records that a test may change between reads."""

    def __init__(self, records, size=2):
        self.records = records
        self.size = size
        self.asked = []
        self.fails_at = None

    def __call__(self, request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append(query)
        page = int(query["page"])
        if page == self.fails_at:
            return answer({}, status=500)
        found = [r for r in self.records if r["at"] is None or str(r["at"]) >= query.get("from", "")]
        return answer({"data": found[(page - 1) * self.size : page * self.size]})


def opened(text, api, **parts):
    return source(instance(text, **parts), incremental=True, transport=FunctionTransport(api))


def ids(batches):
    return [row["id"] for row in rows(batches)]


def test_second_read_gives_only_what_is_new():
    """A read from the last position asks from the cursor on and gives no record that was read before."""
    api = Api([{"id": n, "at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 6)])
    text = connector("{field: at, into: {query.from: start}}")
    first = read(opened(text, api))
    assert ids(first) == [1, 2, 3, 4, 5]
    assert first[-1].position["cursor"] == "2024-01-05T00:00:00Z"
    # One more at the very same time, and one later: both are new.
    api.records += [{"id": 6, "at": "2024-01-05T00:00:00Z"}, {"id": 7, "at": "2024-01-06T00:00:00Z"}]
    api.asked.clear()
    second = read(opened(text, api), first[-1].position)
    assert ids(second) == [6, 7]
    assert {query["from"] for query in api.asked} == {"2024-01-05T00:00:00Z"}
    third = read(opened(text, api), second[-1].position)
    assert third == []


def test_without_a_parameter_old_records_are_left_out():
    """Where the API can't be asked for what is new, records below the cursor are left out by the client."""
    api = Api([{"id": n, "at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 6)])
    text = connector("{field: at}")
    [first] = read(opened(text, api))
    api.records = [*api.records, {"id": 6, "at": "2024-01-07T00:00:00Z"}, {"id": 2, "at": "2024-01-08T00:00:00Z"}]
    [second] = read(opened(text, api), first.position)
    assert ids([second]) == [6, 2]
    assert second.places([0, 1]) == ["GET /items?page=3#2", "GET /items?page=4#1"]


def test_start_comes_from_the_configuration():
    """The first read starts at `config.NAME`, in the declared format."""
    api = Api([{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "2024-03-01T00:00:00Z"}])
    text = connector('{field: at, start: config.since, into: {query.from: start}, format: "%Y-%m-%d"}')
    batches = read(opened(text, api, config={"since": "2024-02-01"}))
    assert ids(batches) == [2]
    assert api.asked[0]["from"] == "2024-02-01"


def test_lookback_reads_again():
    """`lookback` asks for that much before the cursor and gives those records again."""
    api = Api([{"id": n, "at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 6)])
    text = connector("{field: at, into: {query.from: start}, lookback: 1d}")
    first = read(opened(text, api))
    api.asked.clear()
    second = read(opened(text, api), first[-1].position)
    assert ids(second) == [4, 5]
    assert api.asked[0]["from"] == "2024-01-04T00:00:00Z"


def test_windows_cover_the_time_without_gap_or_double():
    """`window` asks in steps up to now; a record on a boundary comes once."""
    api = Api([{"id": n, "at": f"2024-01-{n:02}T00:00:00Z"} for n in range(1, 12)], size=50)

    def bounded(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        api.asked.append(query)
        found = [r for r in api.records if query["from"] <= r["at"] <= query["to"]] if query["page"] == "1" else []
        return answer({"data": found})

    text = connector('{field: at, start: "2024-01-01", into: {query.from: start, query.to: end}, window: 5d}')
    clock = FakeClock(dt.datetime(2024, 1, 12, tzinfo=dt.UTC).timestamp())
    made = source(instance(text), incremental=True, transport=FunctionTransport(bounded), clock=clock)
    batches = read(made)
    assert ids(batches) == list(range(1, 12))
    windows = list(dict.fromkeys((q["from"][:10], q["to"][:10]) for q in api.asked))
    assert windows == [("2024-01-01", "2024-01-06"), ("2024-01-06", "2024-01-11"), ("2024-01-11", "2024-01-12")]


def test_a_killed_read_resumes_in_the_middle():
    """The position inside a pass goes on at its page, with the pass's own bound; the cursor moves only at its end."""
    api = Api([{"id": n, "at": f"2024-01-0{9 - n}T00:00:00Z"} for n in range(1, 8)])
    text = connector("{field: at, into: {query.from: start}}")
    api.fails_at = 3
    made = source(instance(text), incremental=True, transport=FunctionTransport(api))
    batches = made.read(None)
    first = next(batches)
    with pytest.raises(Again):
        next(batches)
    assert first.position["cursor"] is None
    api.fails_at = None
    rest = read(opened(text, api), json.loads(json.dumps(first.position)))
    assert ids([first, *rest]) == [1, 2, 3, 4, 5, 6, 7]
    assert rest[-1].position["cursor"] == "2024-01-08T00:00:00Z"


def test_the_cursor_never_goes_back():
    """An API that gives older records than asked for does not move the cursor back."""
    api = Api([{"id": 1, "at": "2024-05-01T00:00:00Z"}])
    text = connector("{field: at, lookback: 30d}")
    [first] = read(opened(text, api))
    api.records = [{"id": 1, "at": "2024-04-20T00:00:00Z"}]
    [second] = read(opened(text, api), first.position)
    assert ids([second]) == [1]
    assert second.position["cursor"] == "2024-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "json_type", "low", "high"),
    [
        ("timestamp", "string", "2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"),
        ("timestamp", "string", "2024-01-01T09:00:00.000000001Z", "2024-01-01T09:00:00.000000002Z"),
        ("integer", "integer", 9, 10),
        ("integer", "integer", 2**53, 2**53 + 1),
        ("integer", "string", "99", "100"),
        ("epoch", "number", 1.5, 10),
        ("string", "string", "10", "9"),
        ("date", "string", "2023-12-31", "2024-01-01"),
    ],
)
def test_cursors_compare_by_their_type(kind, json_type, low, high):
    """The greatest cursor is the greatest value, not the greatest text, with every digit."""
    api = Api([{"id": 1, "at": low}, {"id": 2, "at": high}, {"id": 3, "at": low}])
    batches = read(opened(connector(f"{{field: at, type: {kind}}}", json_type), api))
    assert batches[-1].position["cursor"] == str(high)
    again = read(opened(connector(f"{{field: at, type: {kind}}}", json_type), api), batches[-1].position)
    assert again == []


def test_an_unreadable_cursor_sets_the_record_aside():
    """A record whose cursor isn't of the type is malformed, with its place; one without a cursor is kept."""
    api = Api([{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "yesterday"}, {"id": 3, "at": None}], size=5)
    [batch] = read(opened(connector("{field: at}"), api))
    assert ids([batch]) == [1, 3]
    [bad] = batch.malformed
    assert (bad.place, bad.field) == ("GET /items?page=1#2", "at")
    assert batch.places([0, 1]) == ["GET /items?page=1#1", "GET /items?page=1#3"]


def test_without_a_cursor_there_is_no_incremental_read():
    """A stream without a declared cursor refuses to be read incrementally, and says what to do."""
    text = connector("{field: at}").replace("    cursor: {field: at}\n", "")
    with pytest.raises(Invalid) as caught:
        opened(text, Api([]))
    assert caught.value.code == "SYN433"


def test_a_foreign_position_is_refused():
    """A position that another kind of source made is refused instead of read from anywhere."""
    with pytest.raises(Invalid) as caught:
        read(opened(connector("{field: at}"), Api([])), {"files": []})
    assert caught.value.code == "SYN434"


@given(
    times=st.lists(st.integers(0, 6), min_size=0, max_size=14),
    cut=st.integers(0, 14),
    size=st.integers(1, 4),
    stop=st.integers(1, 6),
)
def test_nothing_is_lost_or_read_twice(times, cut, size, stop):
    """Two reads with a failure in the first one, new records in between: each record comes exactly once."""
    everything: list[dict[str, Any]] = [{"id": n, "at": f"2024-01-0{1 + t}T00:00:00Z"} for n, t in enumerate(times)]
    now = sorted(everything[:cut], key=lambda r: r["at"])
    newest = max((r["at"] for r in now), default="")
    later = [*now, *(r for r in everything[cut:] if r["at"] >= newest)]
    api = Api(now, size)
    text = connector("{field: at}")
    api.fails_at = stop
    made = source(instance(text), incremental=True, transport=FunctionTransport(api))
    got, position = [], None
    try:
        for batch in made.read(None):
            got.append(batch)
            position = batch.position
    except Again:
        api.fails_at = None
        for batch in read(opened(text, api), position):
            got.append(batch)
            position = batch.position
    api.fails_at = None
    api.records = later
    got += read(opened(text, api), position)
    assert sorted(ids(got)) == sorted(r["id"] for r in later)


def test_malformed_records_come_once_too():
    """A malformed record whose cursor can be read is not set aside again by every later read."""
    api = Api([{"id": "x", "at": "2024-01-01T00:00:00Z"}, {"id": "y", "at": "2024-01-02T00:00:00Z"}])
    [first] = read(opened(connector("{field: at}"), api))
    assert [bad.raw[:10] for bad in first.malformed] == ['{"id": "x"', '{"id": "y"']
    api.records = [*api.records, {"id": "z", "at": "2024-01-02T00:00:00Z"}]
    [second] = read(opened(connector("{field: at}"), api), first.position)
    assert [bad.raw[:10] for bad in second.malformed] == ['{"id": "z"']
