"""Partitions: streams that are read for values and for parents, to any depth; in order, resumed exactly, with cursors."""

from __future__ import annotations

import json
import threading
import time
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.connectors.rest.reading import cursors
from syncline.connectors.rest.reading.partition import WHOLE, Product, Values
from syncline.model.errors import Again, Invalid
from tests.examples import examples
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TREE = """
streams:
  orgs:
    get: /orgs
    records: data[]
    key: [id]
    page: {cursor: next, into: query.cursor}
    schema: {properties: {id: {type: integer}, name: {type: string, x-class: pii.name}}}
  repos:
    for: {each: orgs, as: org}
    get: /orgs/{{ org.id }}/repos
    records: data[]
    key: [org.id, id]
    page: {cursor: next, into: query.cursor}
    schema: {properties: {id: {type: integer}, at: {type: string}, open: {type: boolean}}}
  issues:
    for: {each: repos, as: repo}
    get: /orgs/{{ org.id }}/repos/{{ repo.id }}/issues
    records: data[]
    key: [org.id, repo.id, id]
    page: {cursor: next, into: query.cursor}
    cursor: {field: at, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: string}}}
"""


class Api:
    """Folders of records by path, in pages; remembers what it was asked."""

    def __init__(self, folders: dict[str, list[dict[str, Any]]], size: int = 2) -> None:
        self.folders = folders
        self.size = size
        self.asked: list[str] = []
        self.fails: str | None = None

    def __call__(self, request):
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query))
        self.asked.append(parts.path)
        if self.fails and parts.path.startswith(self.fails):
            return answer({}, status=500)
        found = [r for r in self.folders.get(parts.path, []) if r.get("at", "") >= query.get("since", "")]
        start = int(query.get("cursor", 0))
        end = start + self.size
        return answer({"data": found[start:end], "next": str(end) if end < len(found) else None})


def folders(tree: list[list[list[int]]]) -> dict[str, list[dict[str, Any]]]:
    """Folders of a tree: issues (their days) of repos of orgs."""
    found: dict[str, list[dict[str, Any]]] = {"/orgs": [{"id": o, "name": f"o{o}"} for o in range(len(tree))]}
    for o, repos in enumerate(tree):
        found[f"/orgs/{o}/repos"] = [
            {"id": r, "at": f"2024-01-{r + 1:02}", "open": r % 2 == 0} for r in range(len(repos))
        ]
        for r, issues in enumerate(repos):
            found[f"/orgs/{o}/repos/{r}/issues"] = [
                {"id": n, "at": f"2024-02-{day:02}T00:00:00Z"} for n, day in enumerate(issues)
            ]
    return found


@cache
def made_of(text, concurrency, config):
    return instance(text, integration={"limits": {"concurrency": concurrency}}, config=json.loads(config))


def opened(text, api, stream="issues", concurrency=1, config=None, **parts):
    return source(
        made_of(text, concurrency, json.dumps(config or {})), stream, transport=FunctionTransport(api), **parts
    )


def flat(batches):
    return [(r["org"]["id"], r["repo"]["id"], r["id"]) for r in rows(batches)]


def expected(tree):
    return [(o, r, n) for o, repos in enumerate(tree) for r, issues in enumerate(repos) for n in range(len(issues))]


def test_parents_to_any_depth_are_fields_of_each_record():
    """A stream is read once for each record of its parent, and so on up; each record tells what it was read for."""
    tree = [[[1], [1, 2, 3]], [], [[], [4]]]
    api = Api(folders(tree))
    made = opened(TREE, api)
    assert made.schema.names == ("id", "at", "org", "repo")
    org = made.schema.get("org")
    assert org is not None
    assert org.classes == {"pii.name"}
    batches = read(made)
    assert flat(batches) == expected(tree)
    last = rows(batches)[-1]
    assert last["org"] == {"id": 2, "name": "o2"}
    assert last["repo"] == {"id": 1, "at": "2024-01-02", "open": False}
    assert batches[0].places([0]) == ["GET /orgs/0/repos/0/issues#1"]


TREES = st.lists(st.lists(st.lists(st.integers(1, 28), max_size=4), max_size=3), max_size=3)


@settings(max_examples=examples(25), deadline=None)
@given(
    tree=TREES,
    size=st.integers(1, 3),
    batch=st.integers(1, 4),
    width=st.sampled_from([1, 3]),
    incremental=st.booleans(),
)
def test_any_tree_resumes_from_any_position(tree, size, batch, width, incremental):
    """However many are read at a time, records come in one order, and every position yields exactly what came after."""
    api = Api(folders(tree), size)

    def whole(position=None):
        return read(opened(TREE, api, concurrency=width, batch_rows=batch, incremental=incremental), position)

    golden = whole()
    assert flat(golden) == expected(tree)
    for index, found in enumerate(golden):
        rest = whole(json.loads(json.dumps(found.position)))
        assert flat(rest) == flat(golden[index + 1 :])
        assert not rest or rest[-1].position == golden[-1].position


@settings(max_examples=examples(30), deadline=None)
@given(tree=TREES, data=st.data())
def test_any_failures_lose_and_double_nothing(tree, data):
    """Runs that fail anywhere, again and again, add up to what one undisturbed run reads."""
    api = Api(folders(tree), 2)
    paths = sorted(api.folders)
    position, found = None, []
    for _ in range(4):
        api.fails = data.draw(st.sampled_from(paths))
        made = opened(TREE, api, concurrency=3, batch_rows=2, incremental=True)
        try:
            for got in made.read(position):
                found.append(got)
                position = json.loads(json.dumps(got.position))
        except Again:
            continue
        else:
            break
        finally:
            made.close()
    else:
        api.fails = None
        found += read(opened(TREE, api, concurrency=3, incremental=True), position)
    assert flat(found) == expected(tree)


def test_each_partition_has_its_own_cursor():
    """The next read asks each partition from its own cursor on, and reads new partitions from the start."""
    tree = [[[1, 5], [20, 21]]]
    api = Api(folders(tree))
    first = read(opened(TREE, api, incremental=True))
    assert len(first[-1].position["cursors"]["base"]) == 2
    api.folders["/orgs/0/repos/0/issues"].append({"id": 9, "at": "2024-02-06T00:00:00Z"})
    api.folders["/orgs/0/repos"].append({"id": 7, "at": "2024-01-07", "open": True})
    api.folders["/orgs/0/repos/7/issues"] = [{"id": 1, "at": "2024-02-01T00:00:00Z"}]
    second = read(opened(TREE, api, incremental=True), first[-1].position)
    assert flat(second) == [(0, 0, 9), (0, 7, 1)]
    assert rows(read(opened(TREE, api, incremental=True), second[-1].position)) == []


def test_past_a_bound_one_cursor_serves_all_partitions(monkeypatch):
    """A position stays small with any number of partitions: one cursor, late enough for none to lose a record."""
    monkeypatch.setattr(cursors, "MAX_PARTITIONS", 3)
    tree = [[[n + 1] for n in range(8)]]
    api = Api(folders(tree))
    clock = FakeClock(1_900_000_000.0)
    first = read(opened(TREE, api, incremental=True, clock=clock))
    kept = first[-1].position["cursors"]
    assert "base" not in kept
    assert kept["shared"] == "2024-02-08T00:00:00Z"
    api.folders["/orgs/0/repos/0/issues"].append({"id": 9, "at": "2024-02-09T00:00:00Z"})
    second = read(opened(TREE, api, incremental=True, clock=clock), first[-1].position)
    # The record at the cursor itself comes again: its digest isn't kept.
    assert flat(second) == [(0, 0, 9), (0, 7, 0)]


def test_a_shared_cursor_is_never_later_than_the_begin_of_its_pass(monkeypatch):
    """A record that came into one partition while others were read isn't lost by their later cursors."""
    monkeypatch.setattr(cursors, "MAX_PARTITIONS", 1)
    tree = [[[1], [28]]]
    api = Api(folders(tree))
    clock = FakeClock(1_707_000_000.0)  # 2024-02-03, before the last record's own time
    first = read(opened(TREE, api, incremental=True, clock=clock))
    assert first[-1].position["cursors"]["shared"] == "2024-02-03T22:35:00Z"


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("refused", ["/orgs", "/orgs/0/repos", "/orgs/1/repos", "/orgs/0/repos/1/issues"])
def test_what_a_rule_passes_over_is_not_known_to_be_gone(refused, status):
    """A partition, or a page of parents at any depth, may have had records, unless its status says that it is gone."""
    api = Api(folders([[[1], [2]], [[3]]]))

    def some(request):
        return answer({}, status=status) if urlsplit(request.url).path == refused else api(request)

    found = read(opened(f"http: {{errors: [{{when: 'status == `{status}`', do: skip}}]}}\n{TREE}", some))
    said = [batch.unsure for batch in found if batch.unsure]
    assert len(said) == (status == 403)
    assert all(text.startswith(f"GET {refused}") and "was passed over (status 403)" in text for text in said)


def test_only_some_parents():
    """`only` passes over parents that it doesn't hold for."""
    tree = [[[1], [2], [3]]]
    api = Api(folders(tree))
    text = TREE.replace("{each: repos, as: repo}", '{each: repos, as: repo, only: "open && id < `9`"}')
    assert flat(read(opened(text, api))) == [(0, 0, 0), (0, 2, 0)]


CHANGED = """
streams:
  tickets:
    get: /tickets
    records: data[]
    key: [id]
    page: {cursor: next, into: query.cursor}
    cursor: {field: at, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: string}}}
  comments:
    for: {each: tickets, as: ticket, changed: true}
    get: /tickets/{{ ticket.id }}/comments
    records: data[]
    key: [ticket.id, id]
    schema: {properties: {id: {type: integer}}}
"""


@pytest.mark.parametrize("width", [1, 3])
def test_only_children_of_changed_parents_are_read(width):
    """With `changed`, an incremental read goes only by parents past their own cursor; its positions resume too."""
    tickets = [{"id": n, "at": f"2024-01-{n:02}"} for n in range(1, 6)]
    api = Api({"/tickets": tickets, **{f"/tickets/{n}/comments": [{"id": n}] for n in range(1, 8)}})

    def whole(position=None):
        return read(opened(CHANGED, api, "comments", incremental=True, batch_rows=1, concurrency=width), position)

    first = whole()
    assert [r["id"] for r in rows(first)] == [1, 2, 3, 4, 5]
    assert whole(first[-1].position) == []
    tickets += [{"id": 2, "at": "2024-01-08"}, {"id": 6, "at": "2024-01-09"}, {"id": 7, "at": "2024-01-10"}]
    second = whole(first[-1].position)
    assert [r["id"] for r in rows(second)] == [2, 6, 7]
    for index, found in enumerate(second):
        assert rows(whole(found.position)) == rows(second[index + 1 :])
    api.asked.clear()
    assert whole(second[-1].position) == []
    assert [path for path in api.asked if "comments" in path] == []


VALUES = """
config: {properties: {teams: {}}}
streams:
  people:
    for: FOR
    get: /teams/{{ team }}/people
    records: data[]
    key: [team, id]
    schema: {properties: {id: {type: integer}}}
"""


def test_values_of_the_declaration_and_of_the_configuration():
    """A stream is read for each value of a list, or of a setting in which commas separate them."""
    api = Api({"/teams/a/people": [{"id": 1}], "/teams/b/people": [{"id": 2}, {"id": 3}]}, 9)
    wanted = [{"id": 1, "team": "a"}, {"id": 2, "team": "b"}, {"id": 3, "team": "b"}]
    assert rows(read(opened(VALUES.replace("FOR", "{in: [a, b], as: team}"), api, "people"))) == wanted
    text = VALUES.replace("FOR", "{in: config.teams, as: team}")
    assert rows(read(opened(text, api, "people", config={"teams": "a, b"}))) == wanted


REPORTS = """
config: {properties: {accounts: {}}}
streams:
  accounts:
    get: /accounts
    records: data[]
    key: [id]
    page: {cursor: next, into: query.cursor}
    schema: {properties: {id: {type: integer}}}
  rows:
    for: FOR
    get: /PATH/{{ report }}/{{ day }}
    records: data[]
    key: [report, day, id]
    page: {cursor: next, into: query.cursor}
    cursor: {field: at, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: string}}}
"""
LISTS = (
    "{in: config.accounts, as: account, times: [{in: [sales, visits], as: report}, {in: [mo, tu], as: day}]}",
    "{{ account }}",
)
PRODUCT = (
    "{each: accounts, as: account, times: [{in: [sales, visits], as: report}, {in: [mo, tu], as: day}]}",
    "{{ account.id }}",
)


def reports(accounts: list[int]) -> tuple[dict[str, list[dict[str, Any]]], list[tuple[str, str, str, int]]]:
    """Folders of three records for each combination, and these in the order that they come in."""
    found: dict[str, list[dict[str, Any]]] = {"/accounts": [{"id": account} for account in accounts]}
    expected = []
    for account, report, day in product(accounts, ("sales", "visits"), ("mo", "tu")):
        found[f"/{account}/{report}/{day}"] = [{"id": n, "at": f"2024-01-0{n}"} for n in (1, 2, 3)]
        expected += [(str(account), report, day, n) for n in (1, 2, 3)]
    return found, expected


def combined(batches):
    def account(row):
        return str(row["account"]["id"] if isinstance(row["account"], dict) else row["account"])

    return [(account(row), row["report"], row["day"], row["id"]) for row in rows(batches)]


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("way", [LISTS, PRODUCT], ids=["lists", "parents"])
def test_every_combination_is_read_and_resumed(way, width):
    """Each account with each report and each day is read once, in one order, from any position on what is left."""
    found, expected = reports([1, 2, 3])
    api = Api(found)
    text = REPORTS.replace("FOR", way[0]).replace("PATH", way[1])

    def whole(position=None):
        made = opened(
            text, api, "rows", concurrency=width, incremental=True, batch_rows=1, config={"accounts": "1,2,3"}
        )
        return read(made, position)

    golden = whole()
    assert combined(golden) == expected
    for index, batch in enumerate(golden):
        rest = whole(json.loads(json.dumps(batch.position)))
        assert combined(rest) == expected[sum(b.frame.height for b in golden[: index + 1]) :]
        assert not rest or rest[-1].position == golden[-1].position

    assert len(golden[-1].position["cursors"]["base"]) == 12
    api.folders["/2/visits/mo"].append({"id": 9, "at": "2024-01-04"})
    api.folders["/1/sales/tu"].append({"id": 8, "at": "2024-01-03"})
    assert combined(whole(golden[-1].position)) == [("1", "sales", "tu", 8), ("2", "visits", "mo", 9)]


def test_a_list_that_changed_reads_what_is_new():
    """An account that is new, and a new order of them, change nothing for the combinations that are known."""
    found, expected = reports([1, 2, 3])
    text = REPORTS.replace("FOR", LISTS[0]).replace("PATH", LISTS[1])

    def whole(accounts, position=None):
        made = opened(text, Api(found), "rows", incremental=True, config={"accounts": accounts})
        return read(made, position)

    first = whole("1,2")
    assert combined(whole("3,2,1", first[-1].position)) == [row for row in expected if row[0] == "3"]


def test_combinations_are_made_when_they_are_asked_for():
    """The combinations of a page of parents are a sequence that holds none of them, each with a key of its own."""
    lists = [Values.of("a", [str(n) for n in range(100)]), Values.of("b", [str(n) for n in range(100)])]
    outer = [Values.of("p", ["x", "y"]).within(WHOLE, at) for at in range(2)]
    made = Product(outer, lists)

    assert len(made) == 20_000
    assert dict(made[12_345].scope) == {"p": "y", "a": "23", "b": "45"}
    assert made[-1].described() == "p y, a 99, b 99"
    assert len({partition.key for partition in made[:500]}) == 500
    with pytest.raises(IndexError):
        made[20_000]


def test_too_many_combinations_are_refused():
    """Lists of a setting that would be read by more than 10,000 requests are refused before the first."""
    days = ", ".join(f"d{n}" for n in range(2_000))
    text = REPORTS.replace("FOR", LISTS[0].replace("[mo, tu]", f"[{days}]")).replace("PATH", LISTS[1])
    with pytest.raises(Invalid) as caught:
        opened(text, Api({}), "rows", config={"accounts": "1,2,3"})
    assert caught.value.code == "SYN264"
    assert "3 account by 2 report by 2,000 day are 12,000 combinations" in caught.value.message


UNION = """
streams:
  users: {get: /users, records: "data[]", key: [id], schema: {properties: {id: {type: integer}, mail: {type: string}}}}
  groups: {get: /groups, records: "data[]", schema: {properties: {id: {type: integer}, title: {type: string}}}}
  files:
    for: [{each: users, as: owner}, {each: groups, as: owner}, {in: [all], as: place}]
    get: /{{ place | default('owners') }}/{{ owner.id | default('') }}
    records: data[]
    schema: {properties: {id: {type: integer}}}
"""


def test_a_union_is_read_one_after_the_other():
    """A stream may be read for several things; a field that one of them doesn't give is null."""
    api = Api(
        {
            "/users": [{"id": 1, "mail": "a@b"}],
            "/groups": [{"id": 7, "title": "staff"}],
            "/owners/1": [{"id": 10}],
            "/owners/7": [{"id": 70}],
            "/all/": [{"id": 99}],
        }
    )
    batches = read(opened(UNION, api, "files", batch_rows=1))
    assert rows(batches) == [
        {"id": 10, "owner": {"id": 1, "mail": "a@b", "title": None}, "place": None},
        {"id": 70, "owner": {"id": 7, "mail": None, "title": "staff"}, "place": None},
        {"id": 99, "owner": None, "place": "all"},
    ]
    for index, found in enumerate(batches):
        assert rows(read(opened(UNION, api, "files", batch_rows=1), found.position)) == rows(batches[index + 1 :])


def test_parents_without_a_schema_are_json_text():
    """Of a parent without a schema, what templates and mappings read is read, as JSON text with exact digits."""
    text = """
streams:
  lists: {get: /lists, records: "data[]"}
  items: {for: {each: lists, as: list}, get: "/lists/{{ list.meta.id }}", records: "data[]"}
"""
    api = Api({"/lists": [{"meta": {"id": 9007199254740993}, "price": 1.10}], "/lists/9007199254740993": [{"id": 1}]})
    found = rows(read(opened(text, api, "items", paths=("id", "list.price"))))
    assert found == [{"id": "1", "list": '{"meta":{"id": 9007199254740993},"price":1.1}'}]


def test_malformed_parents_are_told_of():
    """A parent that doesn't fit its schema is a malformed record of the child's read, so that nothing is left out."""
    api = Api({"/orgs": [{"id": 1, "name": "a"}, {"id": "x", "name": "b"}], "/orgs/1/repos": [{"id": 5}]})
    batches = read(opened(TREE, api, "repos"))
    assert [r["id"] for r in rows(batches)] == [5]
    assert [m.place for b in batches for m in b.malformed] == ["GET /orgs#2"]


def test_a_page_of_parents_that_changed_is_read_again():
    """Where the parents' page isn't what it was at the kill, all of it is read again: twice perhaps, never not at all."""
    tree = [[[1], [2], [3]]]
    api = Api(folders(tree), 9)
    first = read(opened(TREE, api, batch_rows=1))
    del api.folders["/orgs/0/repos"][0]
    rest = read(opened(TREE, api, batch_rows=1), first[1].position)
    assert flat(rest) == [(0, 1, 0), (0, 2, 0)]


def test_partitions_are_read_at_the_same_time():
    """As many requests are under way at once as the integration allows, and no more."""
    lock, state, together = threading.Lock(), {"now": 0, "most": 0}, threading.Event()
    api = Api(folders([[[1]] * 6] * 4))

    def slow(request):
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
            if state["now"] == 3:
                together.set()
        if request.url.partition("?")[0].endswith("/issues"):  # the requests of which there are many
            assert together.wait(120)
            time.sleep(0.01)
        with lock:
            state["now"] -= 1
            return api(request)

    batches = read(opened(TREE, slow, concurrency=3))
    assert flat(batches) == expected([[[1]] * 6] * 4)
    assert state["most"] == 3


def test_a_failure_keeps_what_came_before_it():
    """When a partition fails, everything before it is handed over; reading goes on from there."""
    tree = [[[1], [2], [3]], [[4]]]
    for width in (1, 4):
        api = Api(folders(tree))
        api.fails = "/orgs/0/repos/2"
        found = []
        made = opened(TREE, api, concurrency=width)
        with pytest.raises(Again):
            found.extend(made.read(None))
        made.close()
        assert flat(found) == [(0, 0, 0), (0, 1, 0)]
        api.fails = None
        assert flat(read(opened(TREE, api, concurrency=width), found[-1].position)) == [(0, 2, 0), (1, 0, 0)]


def test_streams_that_are_read_for_each_other_are_refused():
    """A cycle of parents is an error before anything is sent."""
    text = "streams: {a: {for: {each: b, as: b}, get: '/{{ b.id }}'}, b: {for: {each: a, as: a}, get: '/{{ a.id }}'}}"
    with pytest.raises(Invalid) as caught:
        opened(text, Api({}), "a", paths=("id",))
    assert caught.value.code == "SYN479"


def test_a_position_of_another_kind_is_refused():
    """A position of a stream that was read once, or for something else, is no position of a partitioned one."""
    for position in ({"v": 1, "cursor": "2024-01-01", "seen": []}, {"v": 2, "parents": [None, None]}):
        with pytest.raises(Invalid) as caught:
            read(opened(TREE, Api({}), incremental=True), position)
        assert caught.value.code == "SYN434"
