"""Undoing an import: planned, done once, refused where it would do harm, and made whole after a kill."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from msgspec.structs import replace

from syncline import drift, workflow
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.condition import ConditionType
from syncline.model.errors import Invalid, Stalled
from syncline.model.event import rfc3339
from syncline.model.run import RunState
from syncline.sdk.reversal import Undone
from syncline.state.store import RunRecord
from tests.e2e.house import Scenario, audit_events, audit_ok, build, customers, mariadb, rows

SCENARIO = Scenario("upsert", kind="Import")


def declared(scenario, window="7d"):
    """The manifests of an import that can be undone."""
    texts = dict(scenario.texts)
    how = f"write: {scenario.write}"
    texts["sync.yaml"] = texts["sync.yaml"].replace(how, f"{how}, rollback: {{window: {window}}}")
    return texts


def house(root, scenario=SCENARIO, window="7d"):
    settings = build(root, declared(scenario, window))
    customers(root, 40)
    workflow.apply(settings)
    return settings


def table(root, scenario=SCENARIO):
    """The rows of the table, in one order."""
    return sorted(rows(root, scenario) or (), key=str)


def run(settings):
    return workflow.run(settings, SCENARIO.key, progress=Silent())


def undo(settings, run_id):
    return workflow.undo(settings, run_id, progress=Silent())


@contextmanager
def mariadb_database(url):
    """The URL of a database of its own, and of one beside it, with a user who may use both."""
    name = f"undo_{uuid4().hex[:12]}"
    with closing(mariadb(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name} IDENTIFIED BY 'postgres'")
        for database in (name, f"{name}_kept"):
            cursor.execute(f"CREATE DATABASE {database}")
            cursor.execute(f"GRANT ALL ON {database}.* TO {name}")
        try:
            yield (
                urlsplit(url)
                ._replace(netloc=f"{name}:postgres@{urlsplit(url).netloc.rpartition('@')[2]}", path=f"/{name}")
                .geturl()
            )
        finally:
            for database in (name, f"{name}_kept"):
                cursor.execute(f"DROP DATABASE {database}")
            cursor.execute(f"DROP USER {name}")


@contextmanager
def placed(place, write, request):
    """The import, into a database of a kind, so that it can be undone."""
    match place:
        case "mariadb":
            with mariadb_database(request.getfixturevalue("mariadb_server_url")) as url:
                yield Scenario(write, url, kind="Import")
        case "postgresql":
            url = request.getfixturevalue("postgres_url")
            yield Scenario(write, url, f"undo_{os.getpid()}_{uuid4().hex[:6]}", kind="Import")
        case _:
            yield Scenario(write, place, kind="Import")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "duckdb"])
def place(request):
    """A database of each kind."""
    return request.param


@pytest.fixture
def scenario(place, request):
    """The import by upsert."""
    with placed(place, "upsert", request) as found:
        yield found


def test_an_import_is_undone_to_the_row(tmp_path, scenario):
    """The plan says what the rollback then does; rows are as before the import, and it reads all of it again."""
    settings = house(tmp_path, scenario)
    first = run(settings)
    before = table(tmp_path, scenario)
    customers(tmp_path, 50, 2)
    second = run(settings)
    counts = second.receipt.counts
    assert counts.inserted
    assert counts.updated
    plan = workflow.plan_undo(settings, second.record.id)
    assert plan.found == Undone(deleted=counts.inserted, restored=counts.updated)
    assert table(tmp_path, scenario) != before
    result = undo(settings, second.record.id)
    assert result.record.state is RunState.succeeded
    assert result.record.trigger == "rollback"
    assert (result.receipt.counts.deleted, result.receipt.counts.updated) == (counts.inserted, counts.updated)
    assert table(tmp_path, scenario) == before
    assert undo(settings, first.record.id).receipt.counts.deleted == first.receipt.counts.inserted
    assert rows(tmp_path, scenario) == []
    assert run(settings).receipt.counts.read == counts.read
    assert audit_ok(settings)
    told = [
        event
        for event in audit_events(settings)
        if event.get("undoes") == second.record.id or second.record.id in str(event)
    ]
    assert told


@pytest.mark.parametrize("write", ["append", "replace"])
@pytest.mark.parametrize("place", ["sqlite", "postgresql", "mariadb", "duckdb", "parquet", "jsonl"])
def test_imports_by_append_and_replace_are_undone_to_the_row(tmp_path, place, write, request):
    """Appended rows go and no others, a replaced table is there again; the plan says what the rollback then does."""
    with placed(place, write, request) as scenario:
        settings = house(tmp_path, scenario)
        first = run(settings)
        before = table(tmp_path, scenario)
        customers(tmp_path, 50, 2)
        second = run(settings)
        assert table(tmp_path, scenario) != before
        plan = workflow.plan_undo(settings, second.record.id)
        counts = undo(settings, second.record.id).receipt.counts
        assert (counts.deleted, counts.updated, counts.skipped) == (plan.found.deleted, plan.found.restored, 0)
        assert counts.deleted
        assert bool(counts.updated) == (write == "replace")
        assert table(tmp_path, scenario) == before
        undone = undo(settings, first.record.id)
        assert rows(tmp_path, scenario) == []
        ready = workflow.statuses(settings)[SCENARIO.key].condition(ConditionType.ready)
        assert (ready.reason, ready.message) == ("RunUndone", f"what run {undone.record.parent} wrote was taken back")
        assert run(settings).receipt.counts.read == second.receipt.counts.read
        assert audit_ok(settings)


def test_what_others_wrote_is_told_and_stays(tmp_path):
    """A row that somebody changed after the import is in the plan, on the receipt, and left alone."""
    settings = house(tmp_path)
    result = run(settings)
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("UPDATE customers SET name = 'mine' WHERE id = 1")
        connection.execute("DELETE FROM customers WHERE id = 2")
        connection.commit()
    assert workflow.plan_undo(settings, result.record.id).found == Undone(
        deleted=result.receipt.counts.inserted - 2, touched=1, gone=1
    )
    receipt = undo(settings, result.record.id).receipt
    assert receipt.counts.skipped == 2
    assert "left as they are, since they were written to later: 1 row" in receipt.notes
    assert [row[:2] for row in rows(tmp_path, SCENARIO)] == [[1, "mine"]]


def refused(code, call, *given):
    with pytest.raises((Invalid, Stalled)) as caught:
        call(*given)
    assert caught.value.code == code
    return caught.value


def test_runs_are_undone_newest_first_and_once(tmp_path):
    """An older run isn't undone under a newer one, none twice, and no rollback is undone."""
    settings = house(tmp_path)
    first = run(settings)
    before = table(tmp_path)
    customers(tmp_path, 50, 2)
    second = run(settings)
    assert second.record.id in refused("SYN762", workflow.plan_undo, settings, first.record.id).message
    undone = undo(settings, second.record.id)
    assert table(tmp_path) == before
    refused("SYN761", undo, settings, second.record.id)
    refused("SYN761", undo, settings, undone.record.id)
    undo(settings, first.record.id)
    assert table(tmp_path) == []
    assert run(settings).receipt.counts.inserted > first.receipt.counts.inserted


def test_half_of_a_rollback_keeps_the_import_from_running(tmp_path):
    """While a rollback is begun and not ended, the import is refused and told how to go on; then it runs again."""
    settings = house(tmp_path)
    result = run(settings)
    begun = RunRecord("20990101T000000-aaaaaa", SCENARIO.key, RunState.pending, "rollback", "", "", rfc3339())
    begun = replace(begun, parent=result.record.id)
    with open_facilities(settings) as facilities:
        for state in (RunState.pending, RunState.running, RunState.interrupted):
            facilities.store.put_run(replace(begun, state=state))
    stopped = refused("SYN763", run, settings)
    assert f"syncline runs rollback {result.record.id} --yes" in stopped.help
    assert undo(settings, result.record.id).record.id == begun.id
    assert run(settings).receipt.counts.inserted == result.receipt.counts.inserted


def test_only_what_was_kept_is_undone(tmp_path):
    """An import that didn't declare it, or whose window is over, can't be undone, and the error says so."""
    settings = house(tmp_path, window="1s")
    result = run(settings)
    time.sleep(1.1)
    refused("SYN761", workflow.plan_undo, settings, result.record.id)
    build(tmp_path, dict(SCENARIO.texts))
    workflow.apply(settings)
    customers(tmp_path, 50, 2)
    result = run(settings)
    refused("SYN761", workflow.plan_undo, settings, result.record.id)


def test_a_retry_is_undone_and_can_be_made_again(tmp_path):
    """What a retry wrote goes, and the rejects can be retried once more; those of an undone import can't."""
    settings = house(tmp_path)
    result = run(settings)
    texts = declared(SCENARIO)
    texts["mapping.yaml"] = texts["mapping.yaml"].replace(", check: {format: email}", "")
    build(tmp_path, texts)
    workflow.apply(settings)
    before = len(table(tmp_path))
    retry = workflow.retry(settings, result.record.id, progress=Silent())
    assert retry.receipt.counts.inserted
    refused("SYN762", undo, settings, result.record.id)
    undo(settings, retry.record.id)
    assert len(table(tmp_path)) == before
    again = workflow.retry(settings, result.record.id, progress=Silent())
    assert again.receipt.counts.inserted == retry.receipt.counts.inserted
    undo(settings, again.record.id)
    undo(settings, result.record.id)
    with pytest.raises(Invalid) as caught:
        workflow.retry(settings, result.record.id, progress=Silent())
    assert caught.value.code == "SYN765"


def test_rows_that_were_undone_are_no_drift(tmp_path):
    """That the rows of an import are gone after it was undone is nobody's doing who shouldn't."""
    settings = house(tmp_path)
    undo(settings, run(settings).record.id)
    (found,) = drift.look(settings, [SCENARIO.key])
    assert not found.drifted
    assert not found.unknown
