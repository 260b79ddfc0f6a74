"""A start that is so long before the first read, or that long at most: what is asked for, and that going on, and the next read, don't move it."""

from __future__ import annotations

import itertools
import json
from contextlib import nullcontext
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.model.errors import Invalid
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TEXT = """
config: {properties: {since: {}}}
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {page: query.page}
    cursor: {field: at, into: {query.from: start}, CURSOR}
    schema: {properties: {id: {type: integer}, at: {type: string}}}
"""
EACH = TEXT.replace("get: /items", "for: {in: [a, b, c], as: shop}\n    get: /items/{{ shop }}")
#: Of FakeClock's first moment, 2023-11-14T22:13:20Z.
THEN = "2023-10-15T22:13:20Z"


class Api:
    """Two pages with a record each, and an empty one; remembers bounds."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append(query.get("from", ""))
        page = int(query["page"])
        return answer({"data": [{"id": page, "at": f"2023-11-0{page}T00:00:00Z"}] if page < 3 else []})


def opened(text, api, clock=None, *, incremental=True, **parts):
    made = instance(text, **parts)
    return source(
        made, incremental=incremental, transport=FunctionTransport(api), clock=clock or FakeClock(), batch_rows=1
    )


@pytest.mark.parametrize(
    ("cursor", "asked"),
    [
        ("start: -30d", THEN),
        ("start: -12h", "2023-11-14T10:13:20Z"),
        ("start: -1d12h", "2023-11-13T10:13:20Z"),
        ("start: config.since", "2023-11-07T22:13:20Z"),
        ('start: -30d, format: "%d.%m.%Y"', "15.10.2023"),
        ("start: -30d, format: epoch", "1697408000"),
        ("start: -30d, type: date", "2023-10-15"),
        ("start: -12h, type: date", "2023-11-13"),
        ('start: -30d, formats: ["%d.%m.%Y", "%Y-%m-%dT%H:%M:%SZ"]', THEN),
        ("start: -30d, window: 60d, into: {query.from: start, query.to: end}", THEN),
        ('start: "2020-01-01", startWithin: 30d', THEN),
        ("start: -90d, startWithin: 30d", THEN),
        ("start: config.unset, startWithin: 30d", THEN),
        ("start: config.unset, startWithin: 30d, window: 60d, into: {query.from: start, query.to: end}", THEN),
        ('start: "2020-01-01", startWithin: 30d, type: date', "2023-10-15"),
        ("start: config.since, startWithin: 30d", "2023-11-07T22:13:20Z"),
        ('start: "2023-11-01T08:00:00Z", startWithin: 30d', "2023-11-01T08:00:00Z"),
    ],
)
def test_the_first_read_starts_so_long_before_it(cursor, asked):
    """The start is told in the cursor's type and format, also where a setting gives it or spans follow each other."""
    api = Api()
    text = TEXT.replace(
        "into: {query.from: start}, CURSOR", cursor if "into" in cursor else f"into: {{query.from: start}}, {cursor}"
    )
    read(opened(text, api, config={"since": "-1w"}))
    assert api.asked == [asked] * 3


@pytest.mark.parametrize("kind", ["epoch", "epoch_ms"])
def test_numbers_that_are_times_have_such_a_start(kind):
    """Seconds and milliseconds since 1970 start so long before the first read as well."""
    asked: list[str] = []

    def nothing(request):
        asked.append(dict(parse_qsl(urlsplit(request.url).query))["from"])
        return answer({"data": []})

    read(opened(TEXT.replace("CURSOR", f"start: -30d, type: {kind}"), nothing))
    assert asked == [{"epoch": "1697408000", "epoch_ms": "1697408000000"}[kind]]


def test_older_records_are_left_out():
    """An API without a parameter for it gives older ones, too: what is before the start isn't kept."""
    text = TEXT.replace("into: {query.from: start}, CURSOR", "start: -13d")
    assert [row["id"] for row in rows(read(opened(text, Api())))] == [2]


RELATIVE = pytest.mark.parametrize("start", ["start: -30d", 'start: "2020-01-01", startWithin: 30d'])


def test_windows_begin_with_the_first_edge_within():
    """Of weeks from a day on, the first that begins within so many days is read first: their edges stay."""
    asked: list[str] = []

    def nothing(request):
        asked.append(dict(parse_qsl(urlsplit(request.url).query))["from"])
        return answer({"data": []})

    cursor = 'type: date, start: "2023-01-01", startWithin: 29d, windows: {every: 1w, columns: {week: start}}'
    read(
        opened(
            TEXT.replace("field: at, into: {query.from: start}, CURSOR", f"into: {{query.from: start}}, {cursor}"),
            nothing,
        )
    )
    assert asked == ["2023-10-22", "2023-10-29", "2023-11-05"]


@pytest.mark.parametrize(
    ("windows", "fits"), [("1d", True), ("1d, delay: 1h", False), ("25h", False), ("1w", False), ("1mo", False)]
)
def test_no_window_that_never_comes_is_waited_for(windows, fits):
    """A start that reaches back for less than a window takes would find none that is over, in this read and in any."""
    cursor = f'start: "2023-01-01", startWithin: 1d, windows: {{every: {windows}, columns: {{span: start}}}}'
    text = TEXT.replace("field: at, into: {query.from: start}, CURSOR", f"into: {{query.from: start}}, {cursor}")
    with nullcontext() if fits else pytest.raises(Invalid, match="none is ever read"):
        opened(text, Api())


@RELATIVE
def test_the_next_read_goes_on_at_the_cursor(start):
    """After a first read, it is the greatest cursor that counts, however late the next one comes."""
    api, clock = Api(), FakeClock()
    text = TEXT.replace("CURSOR", start)
    position = read(opened(text, api, clock))[-1].position
    clock.time += 100 * 86_400
    api.asked.clear()
    read(opened(text, api, clock), position)
    assert set(api.asked) == {"2023-11-02T00:00:00Z"}


@RELATIVE
@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("text", [TEXT, EACH], ids=["one", "partitions"])
def test_going_on_doesn_t_move_it(text, incremental, start):
    """From every position, a day later, the same start is asked for, by all partitions, and each record comes once."""
    text = text.replace("CURSOR", start)
    whole = read(opened(text, Api(), incremental=incremental))
    for kept in range(1, len(whole)):
        api, clock = Api(), FakeClock()
        reading = opened(text, api, clock, incremental=incremental)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        clock.time += 86_400
        position = json.loads(json.dumps(batches[-1].position))
        again = read(opened(text, api, clock, incremental=incremental), position)
        assert rows(batches) + rows(again) == rows(whole)
        assert set(api.asked) == {THEN}


@pytest.mark.parametrize(
    ("cursor", "code"),
    [
        ("type: integer, start: -30d", "SYN433"),
        ("start: -30x", "SYN433"),
        ("start: --30d", "SYN433"),
        ('type: integer, start: "1", startWithin: 30d', "SYN433"),
        ("start: config.unset, startWithin: config.since", "SYN433"),
    ],
)
def test_what_is_no_such_time_is_refused(cursor, code):
    """A number isn't so long before anything, and what is no duration is none with a sign either."""
    with pytest.raises(Invalid) as caught:
        opened(TEXT.replace("CURSOR", cursor), Api(), config={"since": "soon"})
    assert caught.value.code == code
