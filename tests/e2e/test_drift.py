"""Drift: what somebody did at the destination of a flow, as `syncline drift` tells it, and what brings it back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from syncline import drift, workflow
from syncline.connectors.sql.destination import SqlDestination
from syncline.executor.drift.flow_drift import FlowDrift, heals
from syncline.executor.progress import Silent
from syncline.model.condition import ConditionType
from syncline.model.errors import Stalled, foreign
from tests.e2e.house import FLOW, Scenario, audit_events, audit_ok, build, customers, rows
from tests.look import Look

UPSERT = Scenario("upsert")


@pytest.fixture
def loaded(tmp_path):
    """A house whose flow has run once, into SQLite."""
    return load(tmp_path, UPSERT)


def load(root, scenario):
    texts = scenario.texts
    settings = build(root, texts)
    customers(root, 20)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    return settings


def found(settings):
    (flow,) = drift.look(settings, [FLOW])
    return flow


def places(settings):
    return [(finding.cause, finding.place, finding.lost) for finding in found(settings).findings]


def execute(settings, statement):
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_nothing_differs_after_a_run(loaded):
    """What a run left is no drift; that somebody looked is evidence, and the log verifies."""
    assert not found(loaded).findings
    assert [e["metadata"]["event_code"] for e in audit_events(loaded)].count("drift.observe") == 1
    assert audit_ok(loaded)


def test_a_flow_that_never_ran(tmp_path):
    """Before its first run there is nothing that could differ."""
    settings = build(tmp_path, UPSERT.texts)
    workflow.apply(settings)
    assert (found(settings).unknown, found(settings).drifted) == ("it has not run yet", False)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DROP TABLE customers", ("actor", "table customers", True)),
        ("DELETE FROM customers", ("actor", "rows", True)),
        ("ALTER TABLE customers DROP COLUMN name", ("actor", "column name", True)),
        ("DELETE FROM _syncline_checkpoints", ("actor", "checkpoint", True)),
        ("ALTER TABLE customers ADD COLUMN note text", ("noise", "column note", False)),
    ],
)
def test_what_is_gone_comes_back(loaded, statement, expected):
    """What somebody took away is told, and one full read brings it back; what is there besides is noise."""
    before = rows(loaded.root, UPSERT)
    execute(loaded, statement)

    assert places(loaded) == [expected]
    assert found(loaded).drifted == (expected[0] == "actor")

    workflow.run(loaded, FLOW, progress=Silent(), full_refresh=True)
    assert not found(loaded).drifted
    assert [row[0] for row in rows(loaded.root, UPSERT)] == [row[0] for row in before]


def test_a_restored_backup_is_told(loaded):
    """A database that was put back to an older state has an older checkpoint than the state knows of."""
    backup = (loaded.root / "warehouse.db").read_bytes()
    customers(loaded.root, 25)
    workflow.run(loaded, FLOW, progress=Silent())
    (loaded.root / "warehouse.db").write_bytes(backup)

    assert places(loaded) == [("actor", "checkpoint", True)]
    assert "restored from a backup" in found(loaded).findings[0].message


def test_parts_that_are_gone(tmp_path):
    """A file that somebody removed from a lake, or put there, is told; the first can't be healed by reading."""
    settings = load(tmp_path, replace(UPSERT, write="append", destination="parquet"))
    folder = tmp_path / "lake" / "customers"
    (part,) = folder.glob("part-*")
    (folder / "notes.txt").write_text("mine")
    assert places(settings) == [("noise", "file notes.txt", False)]

    part.unlink()
    assert places(settings) == [("actor", f"part {part.name}", False), ("noise", "file notes.txt", False)]


def test_a_running_flow_is_left_alone(loaded):
    """While a run holds the lease, a change halfway through would look like drift: it isn't looked at."""
    with workflow.engine(loaded) as engine, engine.facilities.store.lease(f"run/{FLOW}", ""):
        (flow,) = drift.look(loaded, [FLOW])
    assert flow.unknown == "a run is under way"


def test_what_kept_it_from_looking_is_logged_without_what_came_from_outside(loaded, monkeypatch):
    """Who looks sees the error as it is; logs have it without what a database said, which may be of a record."""

    def refused(*_):
        raise Stalled(f"the table is refused: {foreign('ada@example.com is locked')}", code="SYN482")

    monkeypatch.setattr(SqlDestination, "observe", refused)
    flow = found(loaded)
    assert flow.unknown == "SYN482 the table is refused: ada@example.com is locked"
    assert flow.told == "SYN482 the table is refused: …"


def compared(settings, rows=1_000):
    (flow,) = drift.look(settings, [FLOW], rows=rows)
    return flow


def test_rows_that_were_changed_one_by_one(loaded):
    """Compared with the source, rows that were altered or deleted are found, and a full read brings them back."""
    before = rows(loaded.root, UPSERT)
    assert compared(loaded).rows == "rows of the 22 records of the source are as it gives them"
    execute(loaded, "UPDATE customers SET name = 'somebody' WHERE id IN (1, 2)")
    execute(loaded, "DELETE FROM customers WHERE id = 3")
    assert not found(loaded).findings

    (finding,) = compared(loaded).findings
    assert (finding.cause, finding.place, finding.lost) == ("actor", "rows", True)
    assert finding.message.startswith("of the 22 records of the source, 2 differ and 1 are missing")
    (finding,) = compared(loaded, rows=2).findings
    assert finding.message.startswith("of the first 2 records of the source, 2 differ")

    workflow.run(loaded, FLOW, progress=Silent(), full_refresh=True)
    assert not compared(loaded).findings
    assert sorted(rows(loaded.root, UPSERT) or ()) == sorted(before or ())
    assert [e["metadata"]["event_code"] for e in audit_events(loaded)].count("run.preview") == 4
    assert audit_ok(loaded)


def test_rows_are_counted_by_each_look_where_that_is_declared(tmp_path):
    """With `compare`, rows that somebody altered are in the condition, and it ends when a full read has put them right."""
    texts = UPSERT.texts
    texts["sync.yaml"] = texts["sync.yaml"].replace(
        "write: upsert", "write: upsert, drift: {compare: 1000, rows: heal}"
    )
    settings = build(tmp_path, texts)
    customers(tmp_path, 20)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    assert drifted(settings) == ""
    execute(settings, "UPDATE customers SET name = 'somebody' WHERE id IN (1, 2)")
    execute(settings, "DELETE FROM customers WHERE id = 3")
    (flow,) = drift.look(settings, [FLOW])
    assert isinstance(flow, FlowDrift)
    assert heals(flow)
    assert "rows: of the 22 records of the source, 2 differ and 1 are missing" in drifted(settings)

    workflow.run(settings, FLOW, progress=Silent(), full_refresh=True)
    assert drifted(settings) == ""
    assert audit_ok(settings)


def drifted(settings):
    """What the condition says after a look; '' where nothing differs."""
    drift.look(settings, [FLOW])
    condition = Look(settings.state_url).statuses([FLOW])[FLOW].condition(ConditionType.drifted)
    return condition.message if condition is not None and condition.status == "True" else ""


def test_rows_without_a_key(tmp_path):
    """Rows of a log that is appended to can't be compared, and that is said."""
    settings = load(tmp_path, replace(UPSERT, write="append"))
    assert compared(settings).rows == "rows that were appended have no key to be compared by"
