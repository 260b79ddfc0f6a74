"""Cursors by their type: numbers, times counted in seconds or milliseconds, and texts; bounds are written as records are."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TEXT = """
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {cursor: next, into: query.at}
    cursor: {field: at, type: TYPE, MORE}
    schema: {properties: {id: {type: integer}, at: {type: JSON}}}
"""
SECOND = 1_700_000_000
#: Types with the values of seven records, as they are compared, and what else a cursor of that type may have.
NUMBERS = "into: {query.from: start}"
TIMES = "into: {query.from: start, query.to: end}, window: 1h, lookback: 90s, start: '1699990000'"
CASES = {
    "integer": ("integer", [9, 10, 99, 100, 101, 1000, 10**17], NUMBERS),
    "string": ("string", ["a", "b", "b1", "b2", "c", "d", "é"], NUMBERS),
    "epoch": ("number", [SECOND + 2000 * n for n in range(7)], TIMES),
    "epoch with a fraction": ("number", [SECOND + 2000 * n + 0.25 for n in range(7)], TIMES),
    "epoch_ms": (
        "integer",
        [1000 * (SECOND + 2000 * n) + 7 for n in range(7)],
        TIMES.replace("99990000", "99990000000"),
    ),
}


class Api:
    """Records with growing values, asked for from one and up to another, two on a page."""

    def __init__(self, values):
        self.records = [{"id": n, "at": value} for n, value in enumerate(values)]
        self.bounds = []

    def __call__(self, request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        like = type(self.records[0]["at"])
        like = float if like is int else like
        low, high = query.get("from"), query.get("to")
        found = [r for r in self.records if low is None or r["at"] >= like(low)]
        found = [r for r in found if high is None or r["at"] < like(high)]
        at = int(query.get("at", 0))
        if at == 0:
            self.bounds.append((low, high))
        return answer({"data": found[at : at + 2], "next": str(at + 2) if at + 2 < len(found) else None})


def opened(name, api):
    json_type, _, more = CASES[name]
    text = TEXT.replace("TYPE", name.split()[0]).replace("JSON", json_type).replace("MORE", more)
    return source(
        instance(text), incremental=True, transport=FunctionTransport(api), clock=FakeClock(time=SECOND + 100_000.0)
    )


def ids(batches):
    return [row["id"] for row in rows(batches)]


@pytest.mark.parametrize("name", CASES)
def test_what_was_read_is_not_read_again_and_what_is_new_is(name):
    """The first read has all, the next one only what came since, whatever the values are; bounds are of the records' kind."""
    api = Api(CASES[name][1][:5])
    first = read(opened(name, api))
    assert ids(first) == list(range(5))

    api.records += Api(CASES[name][1]).records[5:]
    api.bounds.clear()
    second = read(opened(name, api), json.loads(json.dumps(first[-1].position)))

    assert [n for n in ids(second) if n > 4] == [5, 6]
    assert {*ids(second)} <= {4, 5, 6}
    assert len(ids(second)) == len({*ids(second)})
    if name.startswith("epoch"):
        back = 90_000 if name == "epoch_ms" else 90
        assert float(api.bounds[0][0]) == CASES[name][1][4] - back
    else:
        assert api.bounds == [(str(CASES[name][1][4]), None)]


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("epoch")])
def test_windows_of_counted_times_follow_each_other(name):
    """Spans of an hour follow each other without a gap from the start to now, in the unit that records count in."""
    api = Api(CASES[name][1])
    read(opened(name, api))

    unit = 1000 if name == "epoch_ms" else 1
    edges = [(float(low), float(high)) for low, high in api.bounds]
    assert edges[0][0] == 1_699_990_000 * unit
    assert edges[-1][1] == (SECOND + 100_000) * unit
    assert all(high == low for (_, high), (low, _) in pairwise(edges))
    assert {high - low for low, high in edges[:-1]} == {3600 * unit}
