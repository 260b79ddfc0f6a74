"""Spans of a cursor whose bounds a request can only say coarsely: whatever is asked for one after the other has everything."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

if TYPE_CHECKING:
    from syncline.sdk.batch import Batch, Position

BEGIN = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAYS = "%Y-%m-%d"
#: A record every 37 minutes and a half of a second.
RECORDS: list[dict[str, Any]] = [
    {"id": n, "at": (BEGIN + n * dt.timedelta(minutes=37, seconds=0.5)).isoformat(timespec="milliseconds")}
    for n in range(400)
]


def connector(cursor: str) -> str:
    return f"""
http: {{url: "https://api.example.com", errors: [{{when: "status == `422`", do: split}}]}}
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    cursor: {{field: at, into: {{query.from: start, query.to: end}}, {cursor}}}
    schema: {{properties: {{id: {{type: integer}}, at: {{type: string}}}}}}
"""


class Api:
    """Compares as much of a time as a bound has; the end is `included` or not. More than `most` records are refused."""

    def __init__(self, *, included: bool, most: int = 1000) -> None:
        self.included, self.most = included, most
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: Any) -> Any:
        query = dict(parse_qsl(urlsplit(request.url).query))
        low, high = query["from"], query["to"]
        self.asked.append((low, high))
        found = [r for r in RECORDS if low <= r["at"][: len(low)] and self._before(r["at"][: len(high)], high)]
        return answer({"data": found}) if len(found) <= self.most else answer({}, status=422)

    def _before(self, at: str, high: str) -> bool:
        return at < high or (self.included and at == high)


def batches(cursor: str, api: Api, position: Position | None = None) -> list[Batch]:
    """What is read on 12 January at ten o'clock, in batches of a few records."""
    clock = FakeClock((BEGIN + dt.timedelta(days=11, hours=10)).timestamp())
    made = instance(connector(cursor))
    opened = source(made, incremental=True, transport=FunctionTransport(api), clock=clock, batch_rows=10)
    return read(opened, position)


def found(cursor: str, api: Api) -> list[int]:
    """The records of a first read."""
    return [row["id"] for row in rows(batches(cursor, api))]


@given(
    after=st.integers(0, 8 * 86400),
    minutes=st.integers(7, 10_000),
    form=st.sampled_from([DAYS, "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M:%S"]),
    included=st.booleans(),
    most=st.integers(45, 200),
)
def test_no_record_is_between_two_spans(after: int, minutes: int, form: str, included: bool, most: int):
    """Whatever the window, the form of bounds and the side that they are on, also where spans are halved: all records
    come, and where the end is left out, each comes once.
    """
    most = 1000 if form == DAYS and included else most
    start = BEGIN + dt.timedelta(seconds=after)
    cursor = f'start: "{start.isoformat()}", window: {minutes}m, format: "{form}"'

    ids = found(cursor, Api(included=included, most=most))

    wanted = {r["id"] for r in RECORDS if dt.datetime.fromisoformat(r["at"]) >= start}
    assert wanted - set(ids) == set()
    if not included:
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("form", [DAYS, "%Y-%m-%dT%H:%M:%S"])
def test_a_read_that_ends_among_halved_spans_goes_on(form: str):
    """From the position of any batch, the rest is read exactly, whatever was halved before it; then nothing is left."""
    cursor = f'start: "2024-01-01T05:00:00", window: 5d, format: "{form}"'
    whole = batches(cursor, Api(included=False, most=90))

    assert len(whole) > 4
    for index, batch in enumerate(whole):
        rest = batches(cursor, Api(included=False, most=90), json.loads(json.dumps(batch.position)))
        assert rows(rest) == rows(whole[index + 1 :])


def test_spans_end_with_a_day_where_days_are_all_that_can_be_said():
    """A window of a day and a half, and one of an hour, become whole days: none is asked for in vain."""
    for window, days in (("36h", 1), ("60h", 2), ("1h", 1)):
        api = Api(included=False)
        found(f'start: "2024-01-01", window: {window}, format: "{DAYS}"', api)

        spans = [(dt.date.fromisoformat(a), dt.date.fromisoformat(b)) for a, b in api.asked]
        assert {(high - low).days for low, high in spans[:-1]} == {days}
        assert all(before[1] == after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("included", [False, True])
def test_what_cannot_be_said_any_shorter_ends_the_read(included: bool):
    """Too many results of the shortest span that a request can say: an error, after no request that says the same."""
    api = Api(included=included, most=20)

    with pytest.raises(Invalid, match="too many results between .* which can't be halved") as raised:
        found(f'start: "2024-01-01", format: "{DAYS}"', api)

    assert raised.value.code == "SYN477"
    assert len(api.asked) == len(set(api.asked)) <= 5


def test_a_window_shorter_than_a_day_of_dates_is_a_day():
    """Cursors that are dates go on by at least a day, whatever the window."""
    api = Api(included=False)

    ids = found('type: date, start: "2024-01-01", window: 1h', api)

    assert set(ids) == {r["id"] for r in RECORDS}
    assert len(api.asked) == 11
