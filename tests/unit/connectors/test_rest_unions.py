"""Streams that are read for several things, and for several parents at once: what is asked, and what is gone on with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.connectors.rest.reading import cursors, front
from syncline.sdk.http import Request
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

UNION = """
streams:
  owned: {get: /owned, records: "data[]", key: [id], page: {page: query.page}, schema: {properties: {id: {type: integer}}}}
  starred: {get: /starred, records: "data[]", key: [id], page: {page: query.page}, schema: {properties: {id: {type: integer}}}}
  items:
    for: FOR
    get: PATH
    records: data[]
    key: [id]
    cursor: {field: at, type: integer, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: integer}}}
"""
BOTH = UNION.replace("FOR", "[{each: owned, as: repo}, {each: starred, as: repo}]").replace("PATH", "/{{ repo.id }}")


@dataclass
class Api:
    """Lists in pages of two, and items of each, as (id, at) pairs, that start where they are asked to."""

    lists: dict[str, list[int]]
    items: dict[str, list[tuple[int, int]]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Any:
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query))
        if parts.path in self.lists:
            at = 2 * (int(query["page"]) - 1)
            return answer({"data": [{"id": n} for n in self.lists[parts.path][at : at + 2]]})
        self.asked.append(parts.path + (f"?{parts.query}" if parts.query else ""))
        ids = query["of"].split(",") if "of" in query else [parts.path.strip("/")]
        since = int(query.get("since", 0))
        found = [pair for number in ids for pair in self.items.get(number, []) if pair[1] >= since]
        return answer({"data": [{"id": number, "at": at} for number, at in found]})


def opened(text, api, *, config=None, **how):
    made = instance(text, config=config or {}, integration={"limits": {"concurrency": 1}})
    return source(made, incremental=True, transport=FunctionTransport(api), **how)


def ids(batches):
    return [row["id"] for row in rows(batches)]


OWNERS = """
streams:
  users: {get: /users, records: "data[]", key: [id], schema: {properties: {id: {type: integer}, kind: {type: string}}}}
  teams: {get: /teams, records: "data[]", key: [id], schema: {properties: {id: {type: integer}, kind: {type: string}}}}
  items:
    for: [{each: users, as: owner}, {each: teams, as: owner}]
    get: /{{ owner.kind }}/{{ owner.id }}
    records: data[]
    key: [id]
    cursor: {field: at, type: integer, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: integer}}}
"""


def test_parents_that_only_share_a_key_are_two():
    """A user and a team with one number are asked for by different requests: both are, each from its own cursor."""
    asked: list[str] = []

    def api(request: Request) -> Any:
        parts = urlsplit(request.url)
        if parts.path in {"/users", "/teams"}:
            return answer({"data": [{"id": 1, "kind": parts.path[1:-1]}]})
        asked.append(parts.path + (f"?{parts.query}" if parts.query else ""))
        return answer({"data": [{"id": 10, "at": 5} if parts.path == "/user/1" else {"id": 20, "at": 9}]})

    first = read(opened(OWNERS, api))
    assert ids(first) == [10, 20]
    read(opened(OWNERS, api), first[-1].position)
    assert asked == ["/user/1", "/team/1", "/user/1?since=5", "/team/1?since=9"]


def test_what_two_members_give_is_read_once():
    """A repository that is owned and starred is one partition: it isn't asked for twice, and keeps one cursor."""
    api = Api({"/owned": [1, 2, 3], "/starred": [3, 4, 1]}, {str(n): [(n * 10, n)] for n in range(1, 5)})
    batches = read(opened(BOTH, api))
    assert ids(batches) == [10, 20, 30, 40]
    assert api.asked == ["/1", "/2", "/3", "/4"]
    api.items["1"].append((11, 9))
    api.asked.clear()
    assert ids(read(opened(BOTH, api), batches[-1].position)) == [11]
    assert api.asked == ["/1?since=1", "/2?since=2", "/3?since=3", "/4?since=4"]


def test_a_read_that_is_killed_in_a_union_reads_nothing_twice():
    """What earlier members gave is in the position, so that it stays one partition after a kill at any batch."""
    api = Api({"/owned": [1, 2, 3], "/starred": [3, 4, 1, 2, 5]}, {str(n): [(n * 10, n)] for n in range(1, 6)})
    whole = read(opened(BOTH, api, batch_rows=1))
    assert ids(whole) == [10, 20, 30, 40, 50]
    for number, batch in enumerate(whole):
        assert ids(read(opened(BOTH, api, batch_rows=1), batch.position)) == ids(whole[number + 1 :])
    assert "met" not in str(whole[-1].position)


def test_past_the_bound_partitions_come_again(monkeypatch):
    """A position doesn't grow without bound: what it has no room for is read again, and the run's receipt says so."""
    monkeypatch.setattr(cursors, "MAX_PARTITIONS", 2)
    monkeypatch.setattr(front, "MAX_PARTITIONS", 2)
    notes: list[str] = []
    api = Api({"/owned": [1, 2, 3], "/starred": [1, 2, 3]}, {str(n): [(n * 10, n)] for n in range(1, 4)})
    made = instance(BOTH, integration={"limits": {"concurrency": 1}}, notice=notes.append)
    assert ids(read(source(made, incremental=True, transport=FunctionTransport(api)))) == [10, 20, 30, 30]
    assert any("come again in a later one" in note for note in notes)


@pytest.mark.parametrize("width", [1, 4])
def test_lists_with_the_same_values_are_read_once(width):
    """A value that two lists have, or one has twice, is one partition, also where a setting gives it."""
    text = UNION.replace("FOR", "[{in: [a, b, a], as: place}, {in: config.more, as: place}]").replace(
        "PATH", "/{{ place }}"
    )
    api = Api({}, {"a": [(1, 1)], "b": [(2, 2)], "c": [(3, 3)]})
    made = instance(text, config={"more": "b, c, c"}, integration={"limits": {"concurrency": width}})
    assert ids(read(source(made, incremental=True, transport=FunctionTransport(api)))) == [1, 2, 3]
    assert sorted(api.asked) == ["/a", "/b", "/c"]


GROUPS = (
    UNION.replace("FOR", "{each: owned, as: repo, group: 3}")
    .replace("PATH", "/items\n    query: {of: \"{{ repo.id | join(',') }}\"}")
    .replace("type: integer, into", "type: epoch, into")
)


def test_a_request_is_for_a_group_of_parents():
    """Parents of several pages make a group; no more than so many are in one, and each comes once."""
    api = Api({"/owned": [1, 2, 3, 4, 5, 6, 7]}, {str(n): [(n * 10, 1)] for n in range(1, 8)})
    batches = read(opened(GROUPS, api))
    assert ids(batches) == [10, 20, 30, 40, 50, 60, 70]
    assert [path.partition("=")[2] for path in api.asked] == ["1%2C2%2C3", "4", "5%2C6%2C7"]
    assert set(rows(batches)[0]) == {"id", "at"}


def test_members_of_groups_keep_their_cursors():
    """A new parent is read from the start in a group of its own; once read, it joins others, from the earliest cursor."""
    api = Api({"/owned": [1, 2, 3]}, {"1": [(10, 5)], "2": [(20, 7)], "3": [(30, 6)]})
    position = read(opened(GROUPS, api))[-1].position
    api.lists["/owned"] = [2, 9, 3]
    api.items |= {"9": [(90, 1)], "2": [(20, 7), (21, 8)]}
    api.asked.clear()
    found = read(opened(GROUPS, api), position)
    assert api.asked == ["/items?of=2%2C3&since=7", "/items?of=9"]
    assert ids(found) == [21, 90]
    api.asked.clear()
    joined = read(opened(GROUPS, api), found[-1].position)
    assert sorted(set(ids(joined))) == [20, 21, 30]
    api.asked.clear()
    assert ids(read(opened(GROUPS, api), joined[-1].position)) == []
    assert api.asked == ["/items?of=2%2C9%2C3&since=8"]


def test_groups_stay_whole():
    """Parents that come one by one are as many requests in the end as they would have been together."""
    api = Api({"/owned": [1]}, {str(n): [(n * 10, n)] for n in range(1, 7)})
    position = None
    for number in range(1, 7):
        api.lists["/owned"] = list(range(1, number + 1))
        position = read(opened(GROUPS.replace("group: 3", "group: 2"), api), position)[-1].position
    api.asked.clear()
    read(opened(GROUPS.replace("group: 3", "group: 2"), api), position)
    assert len(api.asked) == 3


def test_a_late_record_of_another_member_is_read():
    """A group's cursor is the greatest of all its members, and what another has from just before isn't left out."""
    now = int(time.time())
    api = Api({"/owned": [1, 2]}, {"1": [(10, now - 5)], "2": [(20, now - 900)]})
    position = read(opened(GROUPS, api))[-1].position
    api.items["2"].append((21, now - 60))
    assert 21 in ids(read(opened(GROUPS, api), position))


def test_a_read_of_groups_that_is_killed_goes_on():
    """After a kill at any batch, the groups are the same, and each record comes once."""
    api = Api({"/owned": [1, 2, 3, 4, 5, 6, 7]}, {str(n): [(n * 10, 1)] for n in range(1, 8)})
    whole = read(opened(GROUPS, api, batch_rows=1))
    for number, batch in enumerate(whole):
        assert ids(read(opened(GROUPS, api, batch_rows=1), batch.position)) == ids(whole[number + 1 :])


def test_a_list_is_no_text():
    """A group that a template puts into text as it is is an error that says what to write, before anything is sent."""
    api = Api({"/owned": [1]}, {})
    with pytest.raises(Exception, match="join") as caught:
        read(opened(GROUPS.replace(" | join(',')", ""), api))
    assert getattr(caught.value, "code", "") == "SYN431"
    assert api.asked == []
