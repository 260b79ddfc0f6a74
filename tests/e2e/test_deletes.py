"""Deletes from an API's tombstones to the rows of a table, by whole runs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from tests.api_server import Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import audit_ok, build

KEY = ObjectKey("acme", "Sync", "tickets")


class Tickets:
    """An API that gives records, and tombstones of which only the key is left."""

    def __init__(self) -> None:
        self.url = ""
        self.pages = [[ticket(n) for n in range(1, 11)]]
        self.failing = -1

    def __call__(self, asked):
        page = int(asked.query.get("cursor", 0))
        if page == self.failing:
            return Reply({}, 500)
        following = str(page + 1) if page + 1 < len(self.pages) else None
        return Reply({"data": self.pages[page], "next": following})

    def texts(self, deletes, guards="", typed=True):
        found = helpdesk(self.url)
        connector = found["connector.yaml"].replace("key: [id]", "key: [id]\n      deleted: \"state == 'gone'\"")
        if not typed:
            connector = connector[: connector.index("      schema:")]
        more = f", deletes: {deletes}{guards}}}"
        return {**found, "connector.yaml": connector, "sync.yaml": found["sync.yaml"].rstrip().removesuffix("}") + more}


def ticket(number, title="t"):
    return {"id": number, "title": title, "hours": 1}


def tombstone(number):
    return {"id": number, "state": "gone"}


@pytest.fixture
def tickets():
    """The API, running."""
    service = Tickets()
    with api_server(service) as server:
        service.url = server.url
        yield service


def applied(root, texts):
    settings = build(root, texts)
    workflow.apply(settings)
    return settings


def run(settings):
    return workflow.run(settings, KEY, progress=Silent())


def rows(root, what="id"):
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute(f"SELECT {what} FROM tickets ORDER BY id").fetchall()


@pytest.mark.parametrize("typed", [True, False])
def test_the_last_word_on_a_key_counts(tmp_path, tickets, typed):
    """Tombstones delete their rows, a record after one brings its row back, and every record is accounted for."""
    settings = applied(tmp_path, tickets.texts("hard", typed=typed))
    run(settings)
    tickets.pages = [
        [ticket(1, "new"), tombstone(1), tombstone(2), ticket(2, "back"), tombstone(3), tombstone(99), ticket(11)]
    ]
    done = run(settings)
    counts = done.record.counts
    assert rows(tmp_path, "id, title") == [(2, "back"), *((n, "t") for n in range(4, 12))]
    assert (counts.read, counts.written, counts.skipped, counts.rejected) == (7, 5, 2, 0)
    assert (counts.inserted, counts.updated, counts.unchanged, counts.deleted) == (1, 1, 1, 2)
    assert run(settings).record.counts.deleted == 0
    assert audit_ok(settings)


def test_pages_of_nothing_but_tombstones_are_no_broken_schema(tmp_path, tickets):
    """Many records without a field that the mapping requires delete their rows: they don't stop the run."""
    texts = tickets.texts("hard")
    sync = texts["sync.yaml"].replace("{to: title, from: title,", "{to: title, from: title, required: true,")
    settings = applied(tmp_path, {**texts, "sync.yaml": sync})
    tickets.pages = [[ticket(n) for n in range(1, 41)]]
    run(settings)
    tickets.pages = [[ticket(1)], list(map(tombstone, range(2, 40)))]
    assert run(settings).record.counts.deleted == 38
    assert rows(tmp_path) == [(1,), (40,)]


def test_soft_deletes_mark_rows_until_they_come_back(tmp_path, tickets):
    """A row stays with the time of its deletion, and is as before when its record is there again."""
    settings = applied(tmp_path, tickets.texts("soft"))
    run(settings)
    tickets.pages = [[tombstone(4)]]
    assert run(settings).record.counts.deleted == 1
    marked = rows(tmp_path, "id, title, deleted_at IS NOT NULL")
    assert [row for row in marked if row[2]] == [(4, "t", 1)]
    tickets.pages = [[ticket(4)]]
    run(settings)
    assert not any(gone for (gone,) in rows(tmp_path, "deleted_at IS NOT NULL"))


def test_ignored_tombstones_are_skipped(tmp_path, tickets):
    """Without deletes, nothing is deleted."""
    settings = applied(tmp_path, tickets.texts("ignore"))
    run(settings)
    tickets.pages = [[tombstone(4)]]
    assert run(settings).record.counts.skipped == 1
    assert len(rows(tmp_path)) == 10


@pytest.mark.parametrize("bound", ["20%", "2"])
def test_a_guard_bounds_what_a_run_deletes(tmp_path, tickets, bound):
    """Up to the bound rows are deleted; one more, and the batch changes nothing: not even its other rows."""
    settings = applied(tmp_path, tickets.texts("hard", f", guards: {{maxDeletes: {bound}}}"))
    run(settings)
    tickets.pages = [[ticket(11), *map(tombstone, (1, 2, 3))]]
    with pytest.raises(Denied) as denied:
        run(settings)
    assert denied.value.code == "SYN527"
    assert rows(tmp_path) == [(n,) for n in range(1, 11)]
    tickets.pages = [[*map(tombstone, (1, 2))]]
    assert run(settings).record.counts.deleted == 2


def test_a_run_that_broke_off_goes_on(tmp_path, tickets):
    """What was deleted before a failure stays deleted; the next run ends what is left, and counts both."""
    settings = applied(tmp_path, tickets.texts("hard"))
    run(settings)
    tickets.pages = [[tombstone(1)], [tombstone(2), ticket(1)]]
    tickets.failing = 1
    with pytest.raises(Exception, match="500"):
        run(settings)
    tickets.failing = -1
    done = run(settings)
    assert rows(tmp_path) == [(1,), *((n,) for n in range(3, 11))]
    assert done.record.counts.deleted == 2
    assert done.record.counts.balanced()


def test_a_guard_counts_what_was_deleted_before_a_run_broke_off(tmp_path, tickets):
    """A run that goes on has deleted what its first part did: together they don't pass the bound."""
    settings = applied(tmp_path, tickets.texts("hard", ", guards: {maxDeletes: 2}"))
    run(settings)
    tickets.pages = [[tombstone(1), tombstone(2)], [tombstone(3)]]
    tickets.failing = 1
    with pytest.raises(Exception, match="500"):
        run(settings)
    tickets.failing = -1
    with pytest.raises(Denied):
        run(settings)
    assert rows(tmp_path) == [(n,) for n in range(3, 11)]


def test_a_marked_column_is_not_also_mapped(tmp_path, tickets):
    """A mapping that makes the column of soft deletes itself is found before anything runs."""
    texts = tickets.texts("soft")
    texts["sync.yaml"] = texts["sync.yaml"].replace("to: title,", "to: deleted_at,")
    codes = [d.code for d in workflow.validate(build(tmp_path, texts)).diagnostics]
    assert codes == ["SYN526"]


TARGET = """
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: board}
spec:
  version: 1.0.0
  title: Board
  config: {properties: {url: {type: string, format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  check: {get: /cards}
  streams:
    tickets:
      get: /cards
      records: items[]
      key: [id]
      write: {upsert: {put: "/cards/{{ record.id }}"}, delete: {delete: "/cards/{{ record.id }}"}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: board@^1, config: {url: "URL"}}
"""


class Board(Tickets):
    """The same API, which also takes records; it refuses to delete number 5."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: set[int] = set()
        self.pinned = frozenset({5})

    def __call__(self, asked):
        if asked.method == "GET":
            return super().__call__(asked)
        number = int(asked.path.rpartition("/")[2])
        if asked.method == "PUT":
            self.cards.add(number)
            return Reply({})
        if number in self.pinned:
            return Reply({"error": "it is pinned"}, 422)
        if number not in self.cards:
            return Reply({}, 404)
        self.cards.discard(number)
        return Reply({})


def test_an_api_is_asked_to_delete_and_its_refusals_are_rejects(tmp_path):
    """Records go by key, those that are gone stay unchanged, a refused one is a reject; the guard is held before."""
    board = Board()
    with api_server(board) as server:
        board.url = server.url
        texts = board.texts("hard", ", guards: {maxDeletes: 4}")
        settings = applied(tmp_path, {**texts, "warehouse.yaml": TARGET.replace("URL", board.url)})
        run(settings)
        board.pages = [[*map(tombstone, (1, 2, 3, 4, 5)), ticket(12)]]
        with pytest.raises(Denied):
            run(settings)
        assert board.cards == set(range(1, 11))
        board.pages = [[tombstone(1), tombstone(5), tombstone(99), ticket(12)]]
        done = run(settings)
    counts = done.record.counts
    assert board.cards == {*range(2, 11), 12}
    assert (counts.written, counts.rejected, counts.deleted) == (3, 1, 1)
    assert [r.place.rpartition("#")[2] for r in workflow.rejects(settings, done.record.id)] == ["2"]
    assert counts.balanced()


def test_people_do_not_see_how_tombstones_are_told(tmp_path, tickets):
    """Rejects and previews show records as the source sent them: no field of ours, whatever they were rejected for."""
    texts = tickets.texts("hard")
    texts["connector.yaml"] = texts["connector.yaml"].replace("required: [id]", "required: [id, title]")
    settings = applied(tmp_path, texts)
    tickets.pages = [[{"id": 1}, ticket(2, "x" * 200), {"id": "z", "title": "", "state": "gone"}, ticket(4)]]
    previewed = workflow.preview(settings, KEY, limit=10).rejects
    done = run(settings)
    kept = tuple(workflow.rejects(settings, done.record.id))
    assert [reject.rule for reject in kept] == ["parse", "maxLength", "parse"]
    assert len(previewed) == len(kept) == done.record.counts.rejected
    for reject in (*previewed, *kept):
        assert "syncline" not in f"{reject.record} {reject.value} {reject.message}"
    assert json.loads(kept[0].record) == {"id": 1}
    assert json.loads(kept[1].record) == {"id": 2, "title": "x" * 200, "hours": 1}


def test_a_refused_delete_is_deleted_by_a_retry(tmp_path):
    """What is kept of a tombstone that an API refused still says that it is one: a retry deletes, and doesn't write."""
    board = Board()
    with api_server(board) as server:
        board.url = server.url
        settings = applied(tmp_path, {**board.texts("hard"), "warehouse.yaml": TARGET.replace("URL", board.url)})
        run(settings)
        board.pages = [[tombstone(5)]]
        refused = run(settings)
        board.pinned = frozenset()
        retried = workflow.retry(settings, refused.record.id, progress=Silent())
    assert (refused.record.counts.rejected, retried.record.counts.deleted) == (1, 1)
    assert 5 not in board.cards


def test_a_plan_says_that_rows_are_deleted(tmp_path, tickets):
    """A sync that begins to delete says so in its plan, as what can't be undone."""
    applied(tmp_path, tickets.texts("ignore"))
    plan = workflow.plan(build(tmp_path, tickets.texts("hard")))
    found = [effect for change in plan.changes for effect in change.effects if "are deleted" in effect.message]
    assert [effect.reversible for effect in found] == [False]
