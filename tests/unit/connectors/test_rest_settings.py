"""Settings decide which records and parents are kept, and which page is the last, without a word of them sent."""

from __future__ import annotations

import json

import pytest

from syncline.model.errors import Invalid
from tests.api_server import Reply, api_server
from tests.rest_streams import FakeClock, instance, read, rows, source

TEXT = """
config:
  properties: {projects: {}, least: {type: number}, once: {type: boolean}}
streams:
  boards:
    get: /boards
    records: data[]
    filter: "FILTER"
    page: {cursor: next, into: query.after, last: "config('once') || !next"}
    key: [id]
    schema: {properties: {id: {type: integer}, key: {type: string}, size: {type: number}}}
  issues:
    for: {each: boards, as: board, only: "ONLY"}
    get: "/boards/{{ board.id }}/issues"
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}}}
"""
BOARDS = [
    {"id": 1, "key": "A", "size": 1.1},
    {"id": 2, "key": "AB", "size": 2},
    {"id": 3, "key": "B", "size": 1.10},
    {"id": 4, "size": 9},
]


def api(asked):
    """Two pages of boards, and for each board an issue with ten times its number."""
    if asked.path.endswith("/issues"):
        return Reply({"data": [{"id": int(asked.path.split("/")[2]) * 10}]})
    after = asked.query.get("after")
    return Reply({"data": BOARDS[2:] if after else BOARDS[:2], "next": None if after else "x"})


def ids(stream="boards", *, condition="id > `0`", only="id > `0`", **config):
    """The ids that come, and how many requests were sent, by a real server."""
    text = TEXT.replace("FILTER", condition).replace("ONLY", only)
    with api_server(api) as server:
        made = instance(text, url=server.url, config=config)
        batches = read(source(made, stream=stream, incremental=False, clock=FakeClock()))
        return [row["id"] for row in rows(batches)], len(server.asked)


LISTED = "!config('projects') || contains(split(config('projects')), key)"


@pytest.mark.parametrize(
    ("condition", "config", "kept"),
    [
        (LISTED, {"projects": "A, B"}, [1, 3]),
        (LISTED, {"projects": "AB"}, [2]),
        (LISTED, {"projects": ""}, [1, 2, 3, 4]),
        (LISTED, {}, [1, 2, 3, 4]),
        ("contains(split(config('projects')), key)", {}, []),
        ("key == config('projects')", {"projects": "A, B"}, []),
        ("key == config('projects')", {}, [4]),
        ("size == config('least')", {"least": 1.1}, [1, 3]),
        ("size > config('least')", {"least": 2}, [4]),
        ("config('once')", {"once": False}, []),
    ],
)
def test_settings_decide_which_records_are_kept(condition, config, kept):
    """By their own values, of their own types; one that isn't given is null, and an empty list has nothing in it."""
    assert ids(condition=condition, **config) == (kept, 2)


def test_a_setting_ends_paging():
    """The first page is the last one where the setting says so, and else the API decides."""
    assert ids(once=True) == ([1, 2], 1)
    assert ids(once=False) == ([1, 2, 3, 4], 2)


PAGED = """
config: {properties: {pages: {type: integer}, site: {}}}
streams:
  items:
    post: /items
    body: {site: "{{ config.site | replace('https://', '') | replace('/', '') }}"}
    records: data[]
    page: {page: body.params.page, last: "page >= config('pages')"}
    key: [id]
    schema: {properties: {id: {type: integer}}}
"""


def test_a_setting_counts_pages():
    """Pages of a body come up to the setting's number, also where a read goes on; of its text, a part is sent."""
    bodies = []

    def api(asked):
        bodies.append(json.loads(asked.body))
        page = bodies[-1]["params"]["page"]
        return Reply({"page": page, "data": [{"id": page}]})

    with api_server(api) as server:
        made = instance(PAGED, url=server.url, config={"pages": 3, "site": "https://x.example/"})
        opened = source(made, incremental=False, clock=FakeClock(), batch_rows=1)
        first = next(opened.read(None))
        opened.close()
        rest = read(source(made, incremental=False, clock=FakeClock(), batch_rows=1), first.position)
    assert [row["id"] for row in rows([first, *rest])] == [1, 2, 3]
    assert {body["site"] for body in bodies} == {"x.example"}


def test_settings_decide_which_parents_are_read_for():
    """The others aren't asked for."""
    assert ids("issues", only="contains(split(config('projects')), key)", projects="B,AB") == ([20, 30], 4)


SPANS = """
config: {properties: {span: {}, back: {}}}
streams:
  items:
    get: /items
    records: data[]
    cursor: {field: at, start: "2023-11-01", window: config.span, lookback: config.back, into: {query.from: start, query.to: end}}
    key: [id]
    schema: {properties: {id: {type: integer}, at: {type: string}}}
"""


def spans(position=None, **config):
    """Where the spans begin that a real server is asked for, and the position after them."""
    with api_server(lambda _: Reply({"data": [{"id": 1, "at": "2023-11-10T00:00:00Z"}]})) as server:
        made = instance(SPANS, url=server.url, config=config)
        batches = read(source(made, incremental=True, clock=FakeClock()), position)
        return [asked.query["from"][:10] for asked in server.asked], batches[-1].position if batches else position


def test_settings_say_how_long_spans_are_and_how_far_a_read_looks_back():
    """Spans of so many days up to now; then from so long before the last cursor. Without the settings, neither."""
    asked, position = spans(span="5d", back="36h")
    assert asked == ["2023-11-01", "2023-11-06", "2023-11-11"]
    assert spans(position, span="1w", back="36h")[0] == ["2023-11-08"]
    assert spans(position, span="", back="")[0] == ["2023-11-10"]
    assert spans()[0] == ["2023-11-01"]


@pytest.mark.parametrize("config", [{"span": "5 days"}, {"span": "0d"}, {"back": "5"}])
def test_a_setting_that_is_no_length_is_refused(config):
    """Before anything is asked."""
    with pytest.raises(Invalid) as caught:
        spans(**config)
    assert caught.value.code == "SYN433"
