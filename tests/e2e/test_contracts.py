"""An API that changes while a run reads it: what was added is told of, what breaks the schema stops it before it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk, syncline
from tests.e2e.house import audit_ok, build
from tests.e2e.test_bad_input import table
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TICKETS = ObjectKey("acme", "Sync", "tickets")
Record = dict[str, Any]


class Api:
    """Tickets in pages of `size`; from page `at` on they are changed."""

    def __init__(self, pages: int = 4, size: int = 10) -> None:
        self.pages, self.size, self.at = pages, size, 3
        self.change: Callable[[Record], Record] | None = None

    def __call__(self, asked: Asked) -> Reply:
        page = int(asked.query.get("cursor", 1))
        after = int(asked.query.get("after", 0))
        first = (page - 1) * self.size
        records = [{"id": n + 1, "title": "t", "hours": 1} for n in range(first, first + self.size) if n + 1 > after]
        if self.change is not None and page >= self.at:
            records = [self.change(record) for record in records]
        return Reply({"data": records, "next": str(page + 1) if page < self.pages else None})


def manifests(url: str, *, write: str, read: str = "full", required: str = "") -> dict[str, str]:
    """The house; `required` is a target field that the mapping demands."""
    texts = helpdesk(url, write=write, read=read)
    line = f"{{to: {required}, from: {required}"
    return {name: text.replace(line, f"{line}, required: true") for name, text in texts.items()}


def ids(root: Path) -> list[int]:
    return [row[0] for row in table(root)]


BREAKING: dict[str, tuple[Callable[[Record], Record], str, str]] = {
    "type": (lambda r: {**r, "id": f"T-{r['id']}"}, "'id' is integer", "Expected"),
    "another shape": (lambda r: {**r, "title": {"text": "t"}}, "'title' is string", "got `object`"),
    "removed": (lambda r: {"title": r["title"], "hours": r["hours"]}, "'id' is integer", "missing"),
    "null": (lambda r: {**r, "id": None}, "'id' is integer, never null", "got `null`"),
    "renamed": (lambda r: {"key": r["id"], "title": r["title"]}, "'id' is integer", "missing"),
    "an optional one that the mapping requires is removed": (
        lambda r: {"id": r["id"], "hours": 1},
        "'title' is string, and needed by the mapping",
        "all records of the first page had it",
    ),
}


@pytest.mark.parametrize("case", BREAKING)
@pytest.mark.parametrize("write", ["replace", "upsert"])
def test_a_breaking_change_stops_the_run_before_its_records_are_written(tmp_path, case, write):
    """One error with field, declaration and what came; the rows are as they were, and no record became a reject."""
    change, declared, came = BREAKING[case]
    api = Api()
    with api_server(api) as server:
        required = "title" if "mapping" in case else ""
        settings = build(tmp_path, manifests(server.url, write=write, required=required))
        workflow.apply(settings)
        workflow.run(settings, TICKETS, progress=Silent())
        before = table(tmp_path)
        api.change = change
        with pytest.raises(Invalid) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
        assert caught.value.code == "SYN424"
        for said in (declared, came, "stream tickets", "/tickets?cursor=3"):
            assert said in caught.value.message
        assert table(tmp_path) == before
        stopped = Look(settings.state_url).runs()[0]
        assert (stopped.state, stopped.error_code, stopped.counts.rejected) == (RunState.failed, "SYN424", 0)
        api.change = None
        done = workflow.run(settings, TICKETS, progress=Silent())
    assert (done.record.state, done.receipt.counts.rejected) == (RunState.succeeded, 0)
    assert table(tmp_path) == before
    assert audit_ok(settings)


def test_the_cursor_stays_before_what_broke_the_contract(tmp_path):
    """Small pages: those that were held back are read again, so that an incremental sync misses none of them."""
    api = Api(pages=8, size=3)
    with api_server(api) as server:
        settings = build(tmp_path, manifests(server.url, write="upsert", read="incremental"))
        workflow.apply(settings)
        api.change = lambda r: {**r, "id": str(r["id"])}
        with pytest.raises(Invalid) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
        assert caught.value.code == "SYN424"
        assert ids(tmp_path) == [1, 2, 3, 4, 5, 6]
        api.change = None
        workflow.run(settings, TICKETS, progress=Silent())
    assert ids(tmp_path) == list(range(1, 25))


def test_an_added_field_is_told_of_once_and_the_run_goes_on(tmp_path):
    """A field that isn't declared changes no row; the receipt has one note, which names it and where it came."""
    api = Api()
    api.change = lambda r: {**r, "colour": "red"}
    with api_server(api) as server:
        settings = build(tmp_path, manifests(server.url, write="replace"))
        workflow.apply(settings)
        receipt = workflow.run(settings, TICKETS, progress=Silent()).receipt
    assert (receipt.counts.written, receipt.counts.rejected) == (40, 0)
    (note,) = receipt.notes
    assert "/tickets?cursor=…" in note
    assert "'colour'" in note


@pytest.mark.parametrize(
    "change",
    [
        lambda r: {"id": r["id"], "title": r["title"]},
        lambda r: {**r, "hours": None},
        lambda r: {**r, "title": None},
        lambda r: {**r, "id": r["id"] if r["id"] % 10 == 1 else None},
    ],
    ids=["an optional field is gone", "it is null", "a required one of the mapping is null", "not all records"],
)
def test_what_is_no_breach_does_not_stop_a_run(tmp_path, change):
    """Optional fields may go, values may be null or wrong in some records: these are rejects at most, one by one."""
    api = Api()
    api.change = change
    with api_server(api) as server:
        settings = build(tmp_path, manifests(server.url, write="upsert", required="title"))
        workflow.apply(settings)
        counts = workflow.run(settings, TICKETS, progress=Silent()).receipt.counts
    assert counts.read == 40 == counts.written + counts.rejected


@pytest.mark.parametrize("size", [10, 4])
def test_values_that_can_no_longer_be_cast_stop_the_run(tmp_path, size):
    """A number in text that gets a unit: JSON says nothing, the mapping can't cast it, and no batch with it is written."""
    api = Api(pages=6, size=size)
    with api_server(api) as server:
        texts = manifests(server.url, write="replace")
        texts["connector.yaml"] = texts["connector.yaml"].replace("hours: {type: number}", "hours: {type: string}")
        settings = build(tmp_path, texts)
        workflow.apply(settings)
        api.at, api.change = 1, lambda r: {**r, "hours": "1"}
        workflow.run(settings, TICKETS, progress=Silent())
        before = table(tmp_path)
        api.change = lambda r: {**r, "hours": "1" if r["id"] <= 2 * size else "1 h"}
        with pytest.raises(Invalid) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
        assert caught.value.code == "SYN425"
        for said in ("'hours'", "/tickets?cursor=3", "hours is not a number"):
            assert said in caught.value.message
        assert table(tmp_path) == before
        api.change = lambda r: {**r, "hours": "1" if r["id"] % size else "1 h"}
        counts = workflow.run(settings, TICKETS, progress=Silent()).receipt.counts
    assert counts.rejected == 6
    assert audit_ok(settings)


def test_a_few_odd_records_at_the_end_are_rejects(tmp_path):
    """A last page of two records that don't fit ends no run: they are set aside and the others are there."""
    api = Api(pages=3, size=2)
    api.change = lambda r: {**r, "id": None}
    with api_server(api) as server:
        settings = build(tmp_path, manifests(server.url, write="replace"))
        workflow.apply(settings)
        counts = workflow.run(settings, TICKETS, progress=Silent()).receipt.counts
    assert (counts.written, counts.rejected) == (4, 2)


def test_a_table_is_not_replaced_by_nothing(tmp_path):
    """A small stream whose records all stopped fitting stops the run; a dry run shows each of them, and why."""
    api = Api(pages=1, size=3)
    api.at = 1
    with api_server(api) as server:
        settings = build(tmp_path, manifests(server.url, write="replace"))
        workflow.apply(settings)
        workflow.run(settings, TICKETS, progress=Silent())
        api.change = lambda r: {**r, "id": None}
        with pytest.raises(Invalid) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
        assert caught.value.code == "SYN424"
        dry = syncline(tmp_path, "run", str(TICKETS), "--dry-run").stdout
    assert ids(tmp_path) == [1, 2, 3]
    assert dry.count("tickets#") == 3
