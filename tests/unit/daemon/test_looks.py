"""Tests of the daemon's looks at destinations: at the declared intervals, and healing only what is declared to be."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from syncline import workflow
from syncline.daemon import looks as looking
from syncline.daemon.looks import HEALING, Looks
from syncline.executor.batches.halt import Halt
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.condition import ConditionType, Truth
from tests.e2e.house import FLOW, TENANT, Scenario, build, customers

UPSERT = Scenario("upsert").texts


def with_drift(sync="", tenant=""):
    """The house, whose sync and tenant declare something of drift."""
    return {
        **UPSERT,
        "sync.yaml": UPSERT["sync.yaml"].replace("write: upsert", f"write: upsert{sync and f', drift: {sync}'}"),
        "tenant.yaml": TENANT.replace("[127.0.0.1]}", f"[127.0.0.1]}}{tenant and f', drift: {tenant}'}"),
    }


class Clock:
    """A monotonic clock that stands still until it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def opened(tmp_path):
    """Opens engines over a house whose flow has run, with what it declares of drift."""
    stack = []

    def make(**declared):
        settings = build(tmp_path, with_drift(**declared))
        customers(tmp_path, 20)
        workflow.apply(settings)
        workflow.run(settings, FLOW, progress=Silent())
        context = workflow.engine(settings)
        stack.append(context)
        return context.__enter__()

    yield make
    for context in stack:
        context.__exit__(None, None, None)


def execute(engine, statement):
    with closing(sqlite3.connect(engine.facilities.settings.root / "warehouse.db")) as connection:
        found = connection.execute(statement).fetchall()
        connection.commit()
        return found


def looks_of(engine, said=None):
    clock = Clock()
    looks = Looks(engine, engine.facilities.store, [].append if said is None else said.append, clock)
    looks.tick()  # from now on it knows what is declared
    return looks, clock


def until(found):
    end = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


def drifted(engine):
    """Whether the flow is known to have drifted, and why."""
    status = engine.facilities.store.statuses([FLOW]).get(FLOW)
    found = status.condition(ConditionType.drifted) if status else None
    return found and (found.status is Truth.true, found.reason, found.message)


def told(engine):
    wanted = {"Drifted", "DriftGone"}
    return [event.reason for event in engine.facilities.store.events(FLOW) if event.reason in wanted]


def looked(engine, looks, clock):
    """Moves the clock past the interval, and waits for the look."""
    before = len(looks_taken(engine))
    clock.now += 4_000
    looks.tick()
    until(lambda: len(looks_taken(engine)) > before and not looks._busy)


def looks_taken(engine):
    from tests.e2e.house import audit_events

    return [e for e in audit_events(engine.facilities.settings) if e["metadata"]["event_code"] == "drift.observe"]


def test_what_is_gone_is_told_once_and_the_end_of_it_too(opened):
    """By default drift is reported: a condition with its reason, one event while it stays so, and one at its end."""
    engine = opened(sync="{every: 1h}")
    looks, clock = looks_of(engine)
    looked(engine, looks, clock)
    assert drifted(engine) == (False, "AsLeft", "")

    execute(engine, "ALTER TABLE customers DROP COLUMN name")
    looked(engine, looks, clock)
    looked(engine, looks, clock)
    expected = (True, "DestinationChanged", "column name: it was dropped or renamed")
    assert drifted(engine) == expected
    assert told(engine) == ["Drifted"]

    execute(engine, "ALTER TABLE customers ADD COLUMN name text")
    looked(engine, looks, clock)
    assert drifted(engine) == (False, "AsLeft", "")
    assert told(engine) == ["Drifted", "DriftGone"]
    assert {run.trigger for run in engine.facilities.store.runs()} == {"manual"}
    looks.close()


def test_what_a_tenant_says_counts_where_its_flow_says_nothing(opened):
    """A dropped table is brought back by a run of its own, and what others added stays."""
    engine = opened(tenant="{every: 1h, tables: heal}", sync="{rows: report}")
    before = len(execute(engine, "SELECT 1 FROM customers"))
    said: list[str] = []
    looks, clock = looks_of(engine, said)
    execute(engine, "ALTER TABLE customers DROP COLUMN name")
    execute(engine, "ALTER TABLE customers ADD COLUMN note text")
    looked(engine, looks, clock)

    assert drifted(engine) == (False, "AsLeft", "")
    assert [run.trigger for run in engine.facilities.store.runs()] == ["drift", "manual"]
    assert told(engine) == ["Drifted", "DriftGone"]
    assert execute(engine, "SELECT count(name), count(*) FROM customers") == [(before, before)]
    assert "note" in [row[1] for row in execute(engine, "PRAGMA table_info(customers)")]
    assert said[0] == "acme/Sync/customers: column name at warehouse/customers is gone and is brought back"

    execute(engine, "DELETE FROM customers")
    looked(engine, looks, clock)
    assert drifted(engine)[:2] == (True, "DestinationChanged")
    assert execute(engine, "SELECT count(*) FROM customers") == [(0,)]
    looks.close()


def test_what_a_run_cannot_bring_back_is_left_to_a_person(opened):
    """A table that no longer fits isn't touched, though tables are to be healed."""
    engine = opened(sync="{every: 1h, tables: heal, rows: heal}")
    looks, clock = looks_of(engine)
    execute(engine, "DROP TABLE customers")
    execute(engine, "CREATE TABLE customers (id integer, name text, email text, balance text, born text)")
    looked(engine, looks, clock)

    assert drifted(engine)[:2] == (True, "DestinationChanged")
    assert [run.trigger for run in engine.facilities.store.runs()] == ["manual"]
    looks.close()


def test_nobody_looks_where_no_interval_is_declared(opened):
    """Without `every`, neither of the flow nor of its tenant, the daemon contacts nothing; with it, each flow once."""
    engine = opened(sync="{tables: heal}")
    looks, clock = looks_of(engine)
    clock.now = 1e6
    looks.tick()
    assert not looks._due
    assert not looks_taken(engine)
    looks.close()


def test_a_success_by_a_run_says_nothing_of_a_destination_that_changed(opened):
    """A run after drift was found leaves the condition to the next look, which knows."""
    engine = opened(sync="{every: 1h}")
    looks, clock = looks_of(engine)
    execute(engine, "DELETE FROM _syncline_checkpoints")
    looked(engine, looks, clock)
    workflow.run(engine.facilities.settings, FLOW, progress=Silent())
    assert drifted(engine)[0]
    looked(engine, looks, clock)
    assert not drifted(engine)[0]
    looks.close()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_daemon_that_was_followed_heals_nothing(opened, monkeypatch, interrupted):
    """Between what it looked for and the run that heals another daemon works: no run begins, nor goes on, here."""
    engine = opened(sync="{every: 1h, tables: heal}")
    execute(engine, "ALTER TABLE customers DROP COLUMN name")
    store, said = engine.facilities.store, list[str]()
    if interrupted:
        halt = Halt()
        halt.interrupt()
        with pytest.raises(KeyboardInterrupt):
            engine.run(Work(FLOW, trigger=HEALING, full_refresh=True, halt=halt), Silent())
    runs = store.runs()
    looked, goes_on = threading.Event(), threading.Event()
    heal = looking.Looks._heal

    def slow(self, *args, **options):
        looked.set()
        assert goes_on.wait(60)
        heal(self, *args, **options)

    monkeypatch.setattr(looking.Looks, "_heal", slow)
    clock = Clock()
    with store.lease("daemon") as lease:
        followed = Looks(engine, store.fenced(lease), said.append, clock)
        followed.tick()
        clock.now += 4_000
        followed.tick()
        assert looked.wait(60)
    with store.lease("daemon"):
        goes_on.set()
        until(lambda: not followed._busy)
    followed.close()

    assert store.runs() == runs
    assert said[-1] == f"{FLOW}: another daemon works by now; the next look says how it stands"
