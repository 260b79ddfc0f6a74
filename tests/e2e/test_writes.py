"""Flows that write to an API: what arrives there, what is refused, and what a second run does."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again, Denied
from tests.api_server import Asked, Reply, api_server
from tests.e2e import house, writing
from tests.e2e.api import started
from tests.look import Look
from tests.writing_api import Contacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.settings import Settings
    from tests.api_server import ApiServer


def build(root: Path, url: str, way: str, rows: int = 20, **how: Any) -> Settings:
    settings = house.build(root, writing.repository(url, way, **how))
    house.customers(root, rows)
    workflow.apply(settings, step=lambda _: None)
    return settings


@pytest.fixture
def api() -> Contacts:
    return Contacts(unique="id")


@pytest.fixture
def server(api: Contacts) -> Iterator[ApiServer]:
    with api_server(api.handle) as running:
        yield running


def receipt(settings: Settings) -> dict[str, Any]:
    found = Look(settings.state_url).runs(house.FLOW)[0].receipt
    assert found is not None
    return found


@pytest.mark.parametrize("way", writing.WAYS)
def test_a_second_run_updates_what_has_changed_and_nothing_else(tmp_path, api, server, way):
    """Whichever way: records are created once, unchanged ones aren't sent again, changed ones are updated."""
    settings = build(tmp_path, server.url, way)
    workflow.run(settings, house.FLOW, progress=Silent())
    first = receipt(settings)["counts"]
    ids = {int(record["id"]) for record in api.of("contacts")}
    assert ids == {n for n in range(1, 21) if n % 7 and n % 11}
    assert (first["inserted"], first["updated"], first["unchanged"]) == (len(ids), 0, 0)

    effects = api.effects
    workflow.run(settings, house.FLOW, progress=Silent())
    assert (api.effects, receipt(settings)["counts"]["unchanged"]) == (effects, len(ids))

    house.customers(tmp_path, 20, generation=2)
    workflow.run(settings, house.FLOW, progress=Silent())
    assert receipt(settings)["counts"]["updated"] == len(ids)
    assert len(api.of("contacts")) == len(ids)
    assert {r["id"]: r["balance"] for r in api.of("contacts")}[13] == Decimal("26.13")


@pytest.mark.parametrize("way", writing.WAYS)
def test_what_the_api_refuses_is_a_reject(tmp_path, server, api, way):
    """A record that the API doesn't take is a reject with its message and place; the others are written."""
    api.refuse = lambda record: "this one is on a list" if record["id"] in {3, 4} else ""
    settings = build(tmp_path, server.url, way)
    result = workflow.run(settings, house.FLOW, progress=Silent())

    found = {r.record: r for r in workflow.rejects(settings, result.record.id) if r.rule == "destination"}
    assert len(found) == 2
    for reject in found.values():
        assert "this one is on a list" in reject.message
        assert "/contacts" in reject.message
        assert reject.place in {"customers.csv:4", "customers.csv:5"}
    counts = receipt(settings)["counts"]
    assert counts["read"] == counts["written"] + counts["rejected"] + counts["skipped"]
    assert {3, 4}.isdisjoint(record["id"] for record in api.of("contacts"))

    api.refuse = lambda _: ""
    retried = workflow.retry(settings, result.record.id, progress=Silent())
    assert retried.receipt is not None
    assert retried.receipt.counts.written == 2
    assert {3, 4} <= {record["id"] for record in api.of("contacts")}


def test_sums_are_of_what_the_api_took(tmp_path, server, api):
    """Control totals don't count a record that was refused: those of all records differ, those of the taken ones hold."""
    api.refuse = lambda record: "no" if record["id"] in {3, 4} else ""
    texts = writing.repository(server.url, "keys")
    guard = "guards: {control: {sums: {balance: '0.01'}}}"
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", f"write: upsert, {guard}")
    settings = house.build(tmp_path, texts)
    house.customers(tmp_path, 20)
    workflow.apply(settings, step=lambda _: None)
    with pytest.raises(Denied) as caught:
        workflow.run(settings, house.FLOW, progress=Silent())
    taken = sum((Decimal(record["balance"]) for record in api.of("contacts")), Decimal(0))
    assert f"the sum of balance is {taken}, and" in caught.value.message


def test_refusals_count_for_the_guard(tmp_path, server, api):
    """More refusals than maxRejects allows fail the run, with what the API took before kept."""
    api.refuse = lambda record: "no" if record["id"] > 5 else ""
    texts = writing.repository(server.url, "keys")
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, guards: {maxRejects: 50%}")
    settings = house.build(tmp_path, texts)
    house.customers(tmp_path, 20)
    workflow.apply(settings, step=lambda _: None)

    with pytest.raises(Denied) as caught:
        workflow.run(settings, house.FLOW, progress=Silent())

    assert caught.value.code == "SYN701"
    assert len(api.of("contacts")) == 5


@pytest.mark.parametrize(
    ("way", "write"),
    [(way, "upsert") for way in ("keys", "search", "put", "batch")] + [(way, "append") for way in ("keys", "search")],
)
def test_lost_answers_have_one_effect(tmp_path, way, write):
    """Answers are cut off after their effect, on a real connection: every record is there, and none twice."""
    api = Contacts(unique="", lose=frozenset(range(1, 12, 2)))
    with api_server(api.handle) as server:
        settings = build(tmp_path, server.url, way, write=write)
        for _ in range(8):
            try:
                workflow.run(settings, house.FLOW, progress=Silent())
            except Again:
                continue
            break
        found = sorted(int(record["id"]) for record in api.of("contacts"))

    expected = [n for n in range(1, 21) if n % 7 and n % 11]
    # Appending keeps the customer who is there twice twice.
    assert found == (sorted([*expected, 20]) if write == "append" else expected)
    counts = receipt(settings)["counts"]
    assert counts["written"] == counts["inserted"] + counts["updated"] + counts["unchanged"] == len(found)


def test_a_record_may_come_twice_where_the_api_offers_nothing(tmp_path):
    """What SYN524 warns of is true: without keys and search, a lost answer is followed by a second creation."""
    api = Contacts(unique="", lose=frozenset({3}))
    with api_server(api.handle) as server:
        settings = build(tmp_path, server.url, "plain")
        assert "SYN524" in {d.code for d in workflow.validate(settings).diagnostics}
        with pytest.raises(Again):
            workflow.run(settings, house.FLOW, progress=Silent())
        workflow.run(settings, house.FLOW, progress=Silent())
        ids = [int(record["id"]) for record in api.of("contacts")]

    assert sorted(ids) == sorted([*{*ids}, 3])  # the third, and no other


def test_the_plan_says_that_records_are_written(tmp_path):
    """A plan doesn't speak of a table that an API would create."""
    settings = house.build(tmp_path, writing.repository("https://sales.example.com", "keys"))
    said = [effect.message for change in workflow.plan(settings).changes for effect in change.effects]

    assert "records are written to sales/contacts by upsert, 5 fields each" in said
    assert not any("is created if it isn't there" in line for line in said)


def test_classes_of_the_stream_bind(tmp_path):
    """A field that the API's schema calls personal is, whatever the mapping says."""
    texts = writing.repository("https://sales.example.com", "keys")
    rule = "classes: [{classes: [pii.*], deny: [sales]}]"
    texts["tenant.yaml"] = texts["tenant.yaml"].replace("spec: {", f"spec: {{{rule}, ")
    found = workflow.validate(house.build(tmp_path, texts)).diagnostics

    assert [d.code for d in found if "email" in d.message] == ["SYN502"]


def test_sigterm_ends_a_run_in_the_middle_of_a_batch(tmp_path):
    """A run that has minutes of sending before it ends long before, and the next one sends only what is left."""
    api, stopping = Contacts(unique="id"), threading.Event()

    def slow(asked: Asked) -> Reply:
        stopping.wait(0.0 if api.effects < 20 else 2.0)
        return api.handle(asked)

    with api_server(slow) as server:
        settings = build(tmp_path, server.url, "keys", rows=400)
        with started(tmp_path, "run", "Sync/customers") as process:
            while api.effects < 20 and process.poll() is None:
                time.sleep(0.05)
            process.terminate()
            process.communicate(timeout=200)
        assert 20 <= api.effects < 200
        stopping.set()
        workflow.run(settings, house.FLOW, progress=Silent())

    ids = [int(record["id"]) for record in api.of("contacts")]
    assert len(ids) == len(set(ids)) == len([n for n in range(1, 401) if n % 7 and n % 11])
    assert sum(method == "POST" for method, _ in api.asked) == len(ids)
