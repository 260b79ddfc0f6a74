"""Deleting rows whose records a full read no longer has, by whole runs: what counts as seen, and when nothing goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again, Denied
from syncline.model.key import ObjectKey
from tests.api_server import Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import audit_events, build

KEY = ObjectKey("acme", "Sync", "tickets")


class Tickets:
    """An API that gives what is in `pages`; asked for the page `failing`, it fails, with another status where asked to."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: list[list[object]] = [[ticket(n) for n in range(1, 11)]]
        self.failing = -1
        self.status = 500

    def __call__(self, asked):
        page = int(asked.query.get("cursor", 0))
        if page == self.failing:
            return Reply({}, self.status)
        following = str(page + 1) if page + 1 < len(self.pages) else None
        return Reply({"data": self.pages[page], "next": following})

    def texts(self, bound="50%", more=""):
        found = helpdesk(self.url)
        sync = found["sync.yaml"].rstrip().removesuffix("}")
        return {**found, "sync.yaml": f"{sync}, absent: delete, guards: {{maxDeletes: {bound}}}{more}}}"}


def ticket(number, title="t", hours: object = 1):
    return {"id": number, "title": title, "hours": hours}


@pytest.fixture
def tickets():
    """The API, running."""
    service = Tickets()
    with api_server(service) as server:
        service.url = server.url
        yield service


@pytest.fixture
def house(tmp_path, tickets):
    """Settings of a house whose first run loaded ten tickets, and the means to run again and look."""
    settings = build(tmp_path, tickets.texts())
    workflow.apply(settings)
    workflow.run(settings, KEY, progress=Silent())
    return settings


def run(settings):
    return workflow.run(settings, KEY, progress=Silent())


def ids(settings):
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM tickets ORDER BY id")]


def tables(settings):
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_what_is_gone_at_the_source_goes(house, tickets):
    """Rows without a record are deleted at the end, the receipt and the log count them, and nothing of ours is left."""
    tickets.pages = [[ticket(n) for n in range(1, 8)], [ticket(11)]]
    found = run(house)
    assert ids(house) == [*range(1, 8), 11]
    counts = found.record.counts
    assert (counts.read, counts.written, counts.inserted, counts.deleted, counts.absent) == (8, 8, 1, 0, 3)
    assert found.receipt is not None
    assert found.receipt.notes == ()
    finish = [e for e in audit_events(house) if e["metadata"]["event_code"] == "run.finish"][-1]
    assert finish["unmapped"]["details"]["absent"] == 3
    assert not [name for name in tables(house) if "seen" in name]
    assert run(house).record.counts.absent == 0


def test_a_rejected_record_is_there(house, tickets):
    """Its key counts as seen, whatever is wrong with the rest of it: its row stays as it was."""
    tickets.pages = [[ticket(n, hours=10**9 if n == 2 else 1) for n in range(1, 6)] + [ticket(6, "x" * 101)]]
    found = run(house)
    assert ids(house) == [1, 2, 3, 4, 5, 6]
    assert found.record.counts.rejected == 2
    assert found.record.counts.absent == 4


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"title": "without a key", "hours": 1}, "GET /tickets#2 can't be read"),
        ({"id": "seven", "title": "t", "hours": 1}, "GET /tickets#2 can't be read"),
        ({"id": 2**70, "title": "t", "hours": 1}, "can't be read"),
    ],
)
def test_nothing_goes_where_a_record_cannot_be_told(house, tickets, bad, says):
    """A malformed record, or one whose key is unreadable, may be any: no row is deleted, and the receipt says why."""
    tickets.pages = [[ticket(1), bad, ticket(3)]]
    found = run(house)
    assert ids(house) == [*range(1, 11)]
    assert found.receipt is not None
    assert found.record.counts.absent == 0
    assert found.record.counts.rejected == 1
    assert [note.startswith("no row was deleted for being absent: ") for note in found.receipt.notes] == [True]
    assert says in found.receipt.notes[0]


def test_too_many_are_refused_at_the_end(house, tickets):
    """What was read is written; more deletes than maxDeletes allows are none, and the next run begins anew."""
    tickets.pages = [[ticket(1, "changed")]]
    with pytest.raises(Denied) as caught:
        run(house)
    assert caught.value.code == "SYN527"
    assert "9 of 10" in caught.value.message
    assert ids(house) == [*range(1, 11)]
    tickets.pages = [[ticket(n) for n in range(1, 10)]]
    assert run(house).record.counts.absent == 1
    assert ids(house) == [*range(1, 10)]


def test_a_source_that_is_empty_is_not_believed(house, tickets):
    """An answer without records, which would delete every row, is refused by the bound."""
    tickets.pages = [[]]
    with pytest.raises(Denied):
        run(house)
    assert ids(house) == [*range(1, 11)]


def test_a_read_that_breaks_off_deletes_nothing_until_it_is_whole(house, tickets):
    """The run that goes on with it knows what was seen before, and deletes by all of it."""
    tickets.pages = [[ticket(n) for n in range(1, 5)], [ticket(n) for n in range(5, 8)]]
    tickets.failing = 1
    with pytest.raises(Again):
        run(house)
    assert ids(house) == [*range(1, 11)]
    tickets.failing = -1
    found = run(house)
    assert found.receipt is not None
    assert found.receipt.resumed == 1
    assert found.record.counts.absent == 3
    assert ids(house) == [*range(1, 8)]


def test_what_made_a_run_unsure_is_remembered_when_it_goes_on(house, tickets):
    """A malformed record of the part that was read before the break keeps the rest of the run from deleting."""
    tickets.pages = [[ticket(1), {"title": "without a key"}], [ticket(3)]]
    tickets.failing = 1
    with pytest.raises(Again):
        run(house)
    tickets.failing = -1
    found = run(house)
    assert found.record.counts.absent == 0
    assert ids(house) == [*range(1, 11)]


def test_a_retry_of_rejects_deletes_nothing(house, tickets):
    """It reads some records again, so what it lacks isn't gone."""
    tickets.pages = [[ticket(n, "x" * (101 if n == 2 else 1)) for n in range(1, 11)]]
    run(house)
    build(
        house.root,
        {**tickets.texts(), "sync.yaml": tickets.texts()["sync.yaml"].replace("maxLength: 100", "maxLength: 200")},
    )
    workflow.apply(house)
    first = workflow.runs(house, KEY, 1)[0]
    assert workflow.retry(house, first.id, progress=Silent()).record.counts.absent == 0
    assert ids(house) == [*range(1, 11)]


def test_a_flow_that_begins_to_delete_reads_anew_what_it_had_begun(tmp_path, tickets):
    """A run that was broken off without noting keys isn't gone on with as if it had: it reads from the start."""
    plain = helpdesk(tickets.url)
    settings = build(tmp_path, plain)
    workflow.apply(settings)
    run(settings)
    tickets.pages = [[ticket(n) for n in range(1, 5)], [ticket(n) for n in range(5, 10)]]
    tickets.failing = 1
    with pytest.raises(Again):
        run(settings)
    build(tmp_path, tickets.texts())
    workflow.apply(settings)
    tickets.failing = -1
    with pytest.raises(Again) as caught:
        run(settings)
    assert caught.value.code == "SYN488"
    assert run(settings).record.counts.absent == 1
    assert ids(settings) == [*range(1, 10)]


def test_what_was_written_while_keys_were_not_noted_stays(tmp_path, tickets):
    """A run that goes on under `absent: keep`, and then under `delete` again, doesn't know all that it came to."""
    plain = helpdesk(tickets.url)
    settings = build(tmp_path, tickets.texts())
    workflow.apply(settings)
    tickets.pages = [[ticket(n) for n in range(first, first + 3)] for first in (1, 4, 7)]
    for failing, texts in ((1, tickets.texts()), (2, plain)):
        build(tmp_path, texts)
        workflow.apply(settings)
        tickets.failing = failing
        with pytest.raises(Again):
            run(settings)
    build(tmp_path, tickets.texts("100%"))
    workflow.apply(settings)
    tickets.failing = -1
    found = run(settings)
    assert found.receipt is not None
    assert found.receipt.resumed == 2
    assert found.record.counts.absent == 0
    assert ids(settings) == [*range(1, 10)]
    assert "`absent` was changed while the run was under way" in " ".join(found.receipt.notes)
    tickets.pages = [[ticket(1)]]
    assert run(settings).record.counts.absent == 8


def test_what_was_written_after_a_run_that_noted_nothing_yet_stays(tmp_path, tickets):
    """A run killed before its first commit leaves an empty table of keys: it isn't taken for what its successor saw."""
    plain = helpdesk(tickets.url)
    settings = build(tmp_path, tickets.texts())
    workflow.apply(settings)
    tickets.pages = [[ticket(n) for n in range(1, 4)], [ticket(4)]]
    for failing, texts in ((0, tickets.texts()), (1, plain)):
        build(tmp_path, texts)
        workflow.apply(settings)
        tickets.failing = failing
        with pytest.raises(Again):
            run(settings)
    build(tmp_path, tickets.texts("100%"))
    workflow.apply(settings)
    tickets.failing = -1
    found = run(settings)
    assert found.record.counts.absent == 0
    assert ids(settings) == [1, 2, 3, 4]


@pytest.mark.parametrize("do", ["skip", "ignore"])
@pytest.mark.parametrize(("status", "absent"), [(403, 0), (503, 0), (404, 3), (410, 3)])
def test_an_answer_that_is_passed_over_may_have_had_records(house, tickets, do, status, absent):
    """Nothing goes for a page that a rule skips, unless its status says that it isn't there; rehearsals say the same."""
    tickets.pages = [[ticket(n) for n in range(1, 8)], [ticket(n) for n in range(8, 11)]]
    tickets.failing, tickets.status = 1, status
    texts = tickets.texts()
    rule = f"http:\n    errors: [{{when: 'status == `{status}`', do: {do}, message: skipped}}]\n"
    texts["connector.yaml"] = texts["connector.yaml"].replace("http:\n", rule)
    build(house.root, texts)
    told = [one.counts.absent for one in workflow.plan(house, data=1000).data]
    workflow.apply(house)
    told.append(workflow.rehearse(house, KEY, progress=Silent()).counts.absent)
    found = run(house)
    assert found.receipt is not None
    assert [*told, found.record.counts.absent] == [absent] * 3
    assert ids(house) == [*range(1, 11 - absent)]
    said = [note for note in found.receipt.notes if "no row was deleted for being absent" in note]
    assert [f"was passed over (status {status})" in note for note in said] == ([] if absent else [True])
