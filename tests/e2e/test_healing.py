"""Drift with a daemon at work on PostgreSQL: what is dropped by hand is told and brought back, and nothing else is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from syncline.model.condition import ConditionType
from tests.e2e.daemon import home, serving, until
from tests.e2e.house import FLOW, Scenario, audit_ok, settings_of
from tests.e2e.test_status import asked
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "postgres")
    return home(tmp_path, 50)


def drift_of(root: Path) -> tuple[bool, str]:
    """Whether the flow has drifted, and how."""
    status = Look(settings_of(root).state_url).statuses([FLOW]).get(FLOW)
    found = status.condition(ConditionType.drifted) if status else None
    return (found is not None and found.status == "True", found.message if found else "")


@pytest.mark.slow
def test_what_is_dropped_by_hand_comes_back(root, remote, postgres_url):
    """A dropped column is told of by condition and event; once it is declared to be healed, its values come back."""
    scenario = Scenario("upsert", postgres_url, schema=f"w_{uuid4().hex[:10]}")
    table = f'"{scenario.schema}".customers'
    texts = scenario.texts
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, drift: {every: 1s}")
    first = remote.push(texts)
    with psycopg.connect(postgres_url, autocommit=True) as warehouse, serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        assert asked(root, "run", "Sync/customers")[0] == 4  # some are rejected
        before = warehouse.execute(f"SELECT id, name FROM {table} ORDER BY id").fetchall()
        warehouse.execute(f"ALTER TABLE {table} DROP COLUMN name")
        warehouse.execute(f"ALTER TABLE {table} ADD COLUMN note text DEFAULT 'mine'")
        until(lambda: drift_of(root)[0], lambda: "\n".join(daemon.said))
        assert drift_of(root) == (True, "column name: it was dropped or renamed")
        assert "Drifted" in asked(root, "events", str(FLOW))[1]

        texts["sync.yaml"] = texts["sync.yaml"].replace("{every: 1s}", "{every: 1s, tables: heal, rows: heal}")
        second = remote.push(texts)
        daemon.says(f"{second[:12]} is applied")
        until(lambda: not drift_of(root)[0], lambda: "\n".join(daemon.said))
        assert warehouse.execute(f"SELECT id, name FROM {table} ORDER BY id").fetchall() == before
        assert warehouse.execute(f"SELECT DISTINCT note FROM {table}").fetchall() == [("mine",)]

        warehouse.execute(f"DELETE FROM {table}")
        until(lambda: warehouse.execute(f"SELECT id, name FROM {table} ORDER BY id").fetchall() == before,
              lambda: "\n".join(daemon.said))  # fmt: skip

    told = [e.reason for e in Look(settings_of(root).state_url).events(FLOW) if e.reason in {"Drifted", "DriftGone"}]
    assert told[:2] == ["Drifted", "DriftGone"]
    assert audit_ok(settings_of(root))
