"""Windows of a calendar: reports whose rows carry no date are read day by day, and each row says for which."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.rest.reading import cursors
from syncline.connectors.rest.reading.windows import Windows
from syncline.model.errors import Again, Invalid
from syncline.sdk.cursor import CursorKind
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

REPORT = """
streams:
  items:
    FORget: PATH
    records: data[]
    key: [day, campaign]
    page: {page: query.page}
    cursor:
      type: TYPE
      start: START
      into: {query.from: start, query.to: end}
      windows: WINDOWS
    schema: {properties: {campaign: {type: integer}, clicks: {type: integer}}}
  accounts:
    get: /accounts
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}}}
"""
DAYS = "{every: 1d, columns: {day: start}}"


def report(
    windows: str = DAYS, *, start: str = '"2026-01-01"', type_: str = "date", each: str = "", path: str = "/report"
) -> str:
    text = REPORT.replace("PATH", path).replace("TYPE", type_).replace("START", start).replace("WINDOWS", windows)
    return text.replace("FOR", f"for: {each}\n    " if each else "")


def at(text: str) -> FakeClock:
    return FakeClock(dt.datetime.fromisoformat(text).timestamp())


class Statistics:
    """An API of figures by span: two campaigns with no date, one a page. `correction` is added to what is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.correction = 0
        self.accounts = 3
        self.fails: tuple[str, str] | None = None

    def __call__(self, request):
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/accounts":
            return answer({"data": [{"id": n} for n in range(self.accounts)]})
        span = (query["from"], query["to"])
        if span == self.fails:
            return answer({}, status=500)
        page = int(query["page"])
        if page == 1:
            self.asked.append((parts.path, *span))
        found = [{"campaign": page, "clicks": page + self.correction}] if page < 3 else []
        return answer({"data": found})

    @property
    def spans(self) -> list[tuple[str, str]]:
        found = [(low, high) for _, low, high in self.asked]
        self.asked.clear()
        return found


def opened(text: str, api: Statistics, clock: FakeClock, **parts: Any):
    made = instance(text, config=parts.pop("config", None), integration=parts.pop("integration", None))
    return source(made, incremental=parts.pop("incremental", True), transport=FunctionTransport(api), clock=clock)


def days(batches):
    return [(row["day"], row["campaign"]) for row in rows(batches)]


def test_each_whole_day_is_read_once_and_is_a_column():
    """Days from the start to yesterday are asked for one by one, both ends included; today isn't over."""
    api = Statistics()
    batches = read(opened(report(), api, at("2026-01-04T15:00:00Z")))
    assert api.spans == [(f"2026-01-0{n}", f"2026-01-0{n}") for n in (1, 2, 3)]
    assert days(batches) == [(f"2026-01-0{n}", campaign) for n in (1, 2, 3) for campaign in (1, 2)]
    assert batches[-1].position == {"v": 1, "cursor": "2026-01-04", "seen": []}


def test_the_next_read_goes_on_and_has_nothing_to_ask_for_on_the_same_day():
    """The position is the edge after the last whole window: a read on the same day sends no request at all."""
    api = Statistics()
    [first] = read(opened(report(), api, at("2026-01-03T00:00:00Z")))
    assert api.spans == [("2026-01-01", "2026-01-01"), ("2026-01-02", "2026-01-02")]
    assert read(opened(report(), api, at("2026-01-03T23:59:59Z")), first.position) == []
    assert api.spans == []
    [second] = read(opened(report(), api, at("2026-01-04T00:00:00Z")), first.position)
    assert days([second]) == [("2026-01-03", 1), ("2026-01-03", 2)]
    assert api.spans == [("2026-01-03", "2026-01-03")]


def test_nothing_is_asked_for_before_the_first_window_is_over():
    """A start in the future, or today, is no error: there is nothing yet, and the read after it has all."""
    api = Statistics()
    [nothing] = read(opened(report(), api, at("2026-01-01T23:00:00Z")))
    assert (nothing.frame.height, api.spans) == (0, [])
    [first] = read(opened(report(), api, at("2026-01-02T00:00:00Z")), nothing.position)
    assert days([first]) == [("2026-01-01", 1), ("2026-01-01", 2)]


def test_lookback_reads_the_last_windows_again():
    """`lookback: 2` asks for the last two whole days again, never for days before the start, and moves no cursor back."""
    text = report("{every: 1d, columns: {day: start}, lookback: 2}")
    api = Statistics()
    [first] = read(opened(text, api, at("2026-01-02T06:00:00Z")))
    assert api.spans == [("2026-01-01", "2026-01-01")]
    api.correction = 10
    [second] = read(opened(text, api, at("2026-01-02T18:00:00Z")), first.position)
    assert api.spans == [("2026-01-01", "2026-01-01")]
    assert [row["clicks"] for row in rows([second])] == [11, 12]
    assert second.position == first.position
    [third] = read(opened(text, api, at("2026-01-06T00:00:00Z")), second.position)
    assert [low for low, _ in api.spans] == [f"2026-01-0{n}" for n in range(1, 6)]
    [_] = read(opened(text, api, at("2026-01-07T00:00:00Z")), third.position)
    assert [low for low, _ in api.spans] == ["2026-01-04", "2026-01-05", "2026-01-06"]


def test_a_delay_waits_until_data_is_complete():
    """With `delay: 2d` a day is read two days after its end."""
    api = Statistics()
    text = report("{every: 1d, columns: {day: start}, delay: 2d}")
    read(opened(text, api, at("2026-01-05T12:00:00Z")))
    assert [low for low, _ in api.spans] == ["2026-01-01", "2026-01-02"]


def test_a_clock_that_goes_back_does_not_move_the_cursor():
    """A clock, or a delay, that was changed leaves the position where it was."""
    api = Statistics()
    text = report("{every: 1d, columns: {day: start}, lookback: 3}")
    [first] = read(opened(text, api, at("2026-01-10T00:00:00Z")))
    read(opened(text, api, at("2026-01-01T00:00:00Z")), first.position)
    [second] = read(opened(text, api, at("2026-01-09T00:00:00Z")), first.position)
    assert second.position["cursor"] == first.position["cursor"] == "2026-01-10"


def test_months_are_those_of_the_calendar():
    """Months begin with their first day, whatever the start is, and end with their last: a leap day is in its own."""
    api = Statistics()
    text = report("{every: 1mo, columns: {day: start, until: end}}", start='"2023-11-17"')
    batches = read(opened(text, api, at("2024-03-31T00:00:00Z")))
    expected = [
        ("2023-11-01", "2023-11-30"),
        ("2023-12-01", "2023-12-31"),
        ("2024-01-01", "2024-01-31"),
        ("2024-02-01", "2024-02-29"),
    ]
    assert api.spans == expected
    assert list(dict.fromkeys((row["day"], row["until"]) for row in rows(batches))) == expected


def test_weeks_begin_on_the_day_of_the_start():
    """Weeks run from the start on, over the turn of a year; an end that isn't included is the next one's first day."""
    api = Statistics()
    text = report("{every: 1w, columns: {day: start}, end: excluded}", start="config.since")
    read(opened(text, api, at("2026-01-15T00:00:00Z"), config={"since": "2025-12-28"}))
    assert api.spans == [("2025-12-28", "2026-01-04"), ("2026-01-04", "2026-01-11")]


def test_a_day_begins_at_midnight_in_its_zone():
    """What is yesterday depends on the zone: in Auckland the day is over half a day before it is in UTC."""
    api = Statistics()
    text = report("{every: 1d, columns: {day: start}, timeZone: Pacific/Auckland}")
    read(opened(text, api, at("2026-01-01T11:00:00Z")))
    assert api.spans == [("2026-01-01", "2026-01-01")]


def test_timestamps_are_local_midnights():
    """Edges that are times are midnights in the zone: the day on which clocks go forward has 23 hours."""
    api = Statistics()
    windows = "{every: 1d, columns: {day: start}, timeZone: Europe/Berlin}"
    text = report(windows, start='"2026-03-28"', type_="timestamp")
    batches = read(opened(text, api, at("2026-03-31T00:00:00Z")))
    edges = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]
    assert api.spans == list(pairwise(edges))
    assert list(dict.fromkeys(row["day"] for row in rows(batches))) == edges[:3]


def test_hours_and_a_format_in_the_zone():
    """Windows of hours, whose bounds are written as local times, the last second included."""
    api = Statistics()
    windows = "{every: 6h, columns: {day: start}, timeZone: Asia/Tokyo, end: included}"
    text = report(windows, start='"2026-01-01 00:00"', type_="timestamp")
    text = text.replace("into:", 'format: "%Y-%m-%d %H:%M:%S"\n      into:')
    read(opened(text, api, at("2026-01-01T12:30:00+09:00")))
    assert api.spans == [
        ("2026-01-01 00:00:00", "2026-01-01 05:59:59"),
        ("2026-01-01 06:00:00", "2026-01-01 11:59:59"),
    ]


def test_templates_read_the_column():
    """A column is a variable of templates, as the value of a partition is."""
    api = Statistics()
    read(opened(report(path='"/report/{{ day }}"'), api, at("2026-01-02T00:00:00Z")))
    assert api.asked[0][0] == "/report/2026-01-01"


def test_a_full_read_begins_anew():
    """Read in full, all windows are read, and the end of the read is no cursor."""
    api = Statistics()
    batches = read(opened(report(), api, at("2026-01-03T00:00:00Z"), incremental=False))
    assert len(rows(batches)) == 4
    assert batches[-1].position == {"v": 1, "done": True}


def test_a_failing_window_keeps_those_before_it():
    """The position after a failure is the window that failed; those before it aren't asked for again."""
    api = Statistics()
    api.fails = ("2026-01-03", "2026-01-03")
    made = opened(report(), api, at("2026-01-06T00:00:00Z"))
    batches = made.read(None)
    first = next(batches)
    with pytest.raises(Again):
        next(batches)
    assert first.position["cursor"] == "2026-01-03"
    api.fails = None
    api.asked.clear()
    rest = read(opened(report(), api, at("2026-01-06T00:00:00Z")), json.loads(json.dumps(first.position)))
    assert [low for low, _ in api.spans] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert len(days([first, *rest])) == len(set(days([first, *rest]))) == 10


def test_a_window_is_not_halved():
    """Too many results of a window can't be split: half a window would be another one."""
    text = report() + 'http: {errors: [{when: "status == `413`", do: split}]}'

    def too_many(request):
        return answer({}, status=413)

    made = source(
        instance(text), incremental=True, transport=FunctionTransport(too_many), clock=at("2026-01-03T00:00:00Z")
    )
    with pytest.raises(Invalid) as caught:
        read(made)
    assert caught.value.code == "SYN477"
    assert "shorter windows" in caught.value.help


@pytest.mark.parametrize("width", [1, 3])
def test_each_account_has_its_own_windows(width):
    """Below a parent, each partition has its windows; a new one is read from the start, the others go on."""
    api = Statistics()
    text = report(each="{each: accounts, as: account}", path='"/report/{{ account.id }}"')
    integration = {"limits": {"concurrency": width}}
    first = read(opened(text, api, at("2026-01-03T00:00:00Z"), integration=integration))
    found = [(row["account"]["id"], row["day"], row["campaign"]) for row in rows(first)]
    assert found == [(a, f"2026-01-0{d}", c) for a in range(3) for d in (1, 2) for c in (1, 2)]
    api.accounts = 4
    api.asked.clear()
    second = read(opened(text, api, at("2026-01-04T00:00:00Z"), integration=integration), first[-1].position)
    later = [(row["account"]["id"], row["day"]) for row in rows(second)]
    assert list(dict.fromkeys(later)) == [
        *((a, "2026-01-03") for a in range(3)),
        *((3, f"2026-01-0{d}") for d in (1, 2, 3)),
    ]
    api.asked.clear()
    assert rows(read(opened(text, api, at("2026-01-04T10:00:00Z"), integration=integration), second[-1].position)) == []
    assert api.asked == []
    third = read(opened(text, api, at("2026-01-05T00:00:00Z"), integration=integration), second[-1].position)
    assert {row["day"] for row in rows(third)} == {"2026-01-04"}


def test_one_cursor_for_all_is_a_window_that_all_were_read_to(monkeypatch):
    """Past the bound of cursors, all partitions go on after the last window that was complete when the pass began."""
    monkeypatch.setattr(cursors, "MAX_PARTITIONS", 2)
    api = Statistics()
    text = report(each="{each: accounts, as: account}", path='"/report/{{ account.id }}"')
    first = read(opened(text, api, at("2026-01-05T00:10:00Z")))
    assert first[-1].position["cursors"]["shared"] == "2026-01-05"
    api.asked.clear()
    second = read(opened(text, api, at("2026-01-06T00:10:00Z")), first[-1].position)
    assert [(row["account"]["id"], row["day"]) for row in rows(second)] == [
        (a, "2026-01-05") for a in range(3) for _ in (1, 2)
    ]


def test_the_shared_cursor_waits_for_a_window_that_ended_as_the_pass_began(monkeypatch):
    """A pass that runs over midnight shares the edge before it: partitions that were read first lack the new day."""
    monkeypatch.setattr(cursors, "MAX_PARTITIONS", 2)
    api, clock = Statistics(), at("2026-01-04T23:59:00Z")
    late = clock.time + 120

    def slow(request):
        if "/report/2" in request.url:
            clock.time = late
        return api(request)

    text = report(each="{each: accounts, as: account}", path='"/report/{{ account.id }}"')
    made = source(
        instance(text, integration={"limits": {"concurrency": 1}}),
        incremental=True,
        transport=FunctionTransport(slow),
        clock=clock,
    )
    first = read(made)
    assert first[-1].position["cursors"]["shared"] == "2026-01-04"


CHILD = """
streams:
  runs:
    get: /report
    records: data[]
    key: [day, campaign]
    page: {page: query.page}
    cursor:
      type: date
      start: "2026-01-01"
      into: {query.from: start, query.to: end}
      windows: {every: 1d, columns: {day: start}}
    schema: {properties: {campaign: {type: integer}, clicks: {type: integer}}}
  items:
    for: {each: runs, as: run}
    get: "/runs/{{ day }}/{{ run.campaign }}"
    records: data[]
    key: [day, run.campaign, id]
    schema: {properties: {id: {type: integer}}}
"""


def test_a_parent_that_is_read_by_windows_gives_its_window_on():
    """What is read below a window's records knows the window, in templates and as a column."""
    api = Statistics()
    below = []

    def both(request):
        path = urlsplit(request.url).path
        if path.startswith("/runs/"):
            below.append(path)
            return answer({"data": [{"id": 7}]})
        return api(request)

    made = source(instance(CHILD), transport=FunctionTransport(both), clock=at("2026-01-03T00:00:00Z"))
    assert made.schema.names == ("id", "day", "run")
    found = rows(read(made))
    assert sorted(below) == [f"/runs/2026-01-0{d}/{c}" for d in (1, 2) for c in (1, 2)]  # some are asked at once
    assert [(row["day"], row["run"]["campaign"]) for row in found] == [
        (f"2026-01-0{d}", c) for d in (1, 2) for c in (1, 2)
    ]


@given(st.integers(1, 40), st.integers(0, 5), st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_no_day_is_left_out_however_reads_are_spread(every, lookback, waits):
    """Whenever reads come and whatever is read again, each whole window up to the last read was read, in order."""
    api = Statistics()
    text = report(f"{{every: {every}d, columns: {{day: start}}, lookback: {lookback}}}")
    clock = at("2026-01-01T12:00:00Z")
    position = None
    seen: set[str] = set()
    for wait in waits:
        clock.time += wait * 86400
        batches = read(opened(text, api, FakeClock(clock.time)), position)
        seen.update(low for low, _ in api.spans)
        position = batches[-1].position if batches else position
    whole = sum(waits) // every
    start = dt.date(2026, 1, 1)
    assert seen == {(start + dt.timedelta(days=n * every)).isoformat() for n in range(whole)}


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Beirut"]
)


@given(ZONES, st.sampled_from(["d", "w", "mo"]), st.integers(1, 5), st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)))
def test_edges_are_midnights_in_any_zone(zone, unit, count, day):
    """Edges ahead and back lead to the same one, also over midnights that a zone leaves out; days follow each other."""
    kind = CursorKind("timestamp")
    windows = Windows(kind, 0, count, unit, ZoneInfo(zone), {"day": "start"})
    start = windows.aligned(int(dt.datetime.combine(day, dt.time(12), ZoneInfo(zone)).timestamp()) * 1_000_000_000)
    edge = start
    for _ in range(30):
        following = windows.after(edge)
        assert following > edge
        assert windows.after(following, -1) == edge
        assert windows.last(start, following / 1e9) == following
        assert windows.last(start, following / 1e9 - 1) == edge
        edge = following
    assert windows.after(start, 30) == edge


def test_a_declaration_that_cannot_be_read_is_refused():
    """Hours of dates, no start and no such zone are refused when the stream is opened, whoever made the connector."""
    for text in (
        report("{every: 1h, columns: {day: start}}"),
        report(start="config.since"),
        report(start='"soon"'),
        report("{every: 1d, columns: {day: start}, timeZone: Europe/Nowhere}"),
    ):
        with pytest.raises(Invalid) as caught:
            opened(text, Statistics(), at("2026-01-03T00:00:00Z"))
        assert caught.value.code == "SYN574"
