"""Tables as sources, from a manifest to a table somewhere else: checked, sampled, discovered, imported, synced, killed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.sdk.failing_destination import FailingDestination
from tests.e2e.api import syncline
from tests.e2e.house import build

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.model.run import Receipt
    from syncline.settings import Settings

TEXTS = {
    "all.yaml": """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: legacy, tenant: acme}
spec:
  connector: sqlite@^1
  config: {path: legacy.db}
  tables:
    customers:
      table: customer
      cursor: {field: changed, lookback: 1h}
      schema:
        properties:
          id: {type: integer}
          name: {type: string, x-class: pii.name}
          balance: {type: string}
          changed: {type: string, format: date-time}
    rich: {query: "SELECT id, name FROM customer WHERE CAST(balance AS REAL) > 500", key: [id]}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: lake, tenant: acme}
spec: {connector: duckdb@^1, config: {path: lake.duckdb}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: name, from: name, class: pii.name}
  - {to: balance, from: balance, type: "decimal(12,2)"}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: customers, tenant: acme}
spec: {from: legacy/customers, mapping: customer, to: lake/customers, read: incremental, write: upsert}
---
apiVersion: syncline/v1
kind: Import
metadata: {name: once, tenant: acme}
spec: {from: legacy/customers, mapping: customer, to: lake/imported, write: upsert}
""",
}
ROWS = 300


def legacy(root: Path) -> sqlite3.Connection:
    """A table of customers; every fortieth balance is no number."""
    connection = sqlite3.connect(root / "legacy.db")
    connection.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, balance TEXT, changed TEXT NOT NULL)")
    rows = [
        (n, f"Name {n}", "much" if n % 40 == 0 else f"{n * 3}.50", f"2024-01-01T{n // 60:02d}:{n % 60:02d}:00Z")
        for n in range(1, ROWS + 1)
    ]
    connection.executemany("INSERT INTO customer VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    return connection


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    legacy(tmp_path).close()
    return build(tmp_path, TEXTS)


def written(root: Path, table: str) -> list[tuple]:
    with closing(duckdb.connect(root / "lake.duckdb")) as connection:
        return connection.execute(f"SELECT id, name, balance FROM {table} ORDER BY id").fetchall()


def run(settings: Settings, kind: str, name: str) -> Receipt:
    found = workflow.run(settings, ObjectKey("acme", kind, name), progress=Silent()).receipt
    assert found is not None
    return found


def test_looking(settings: Settings, tmp_path: Path):
    """A check answers, a sample masks classified values, and discovery finds what is declared."""
    check = syncline(tmp_path, "connector", "check", "Integration/legacy")
    sample = syncline(tmp_path, "connector", "sample", "Integration/legacy", "customers", "--limit", "2")
    rich = syncline(tmp_path, "connector", "sample", "Integration/legacy", "rich", "--limit", "1")
    discovered = syncline(tmp_path, "connector", "discover", "Integration/legacy", "rich")

    assert (check.returncode, sample.returncode, rich.returncode, discovered.returncode) == (0, 0, 0, 0), (
        check.stderr + sample.stderr + rich.stderr + discovered.stderr
    )
    assert "legacy.db" in check.stdout
    assert "3.50" in sample.stdout
    assert "Name 1" not in sample.stdout
    assert "167" in rich.stdout
    assert "name" in discovered.stdout


def test_an_import(settings: Settings, tmp_path: Path):
    """Every row is read; what the mapping can't cast is a reject with its place."""
    workflow.apply(settings)
    receipt = run(settings, "Import", "once")

    assert (receipt.counts.read, receipt.counts.rejected) == (ROWS, ROWS // 40)
    rows = written(tmp_path, "imported")
    assert len(rows) == ROWS - ROWS // 40
    assert rows[0] == (1, "Name 1", Decimal("3.50"))


def test_a_sync_by_its_cursor(settings: Settings, tmp_path: Path):
    """The next run reads what changed, and the hour before the last change for what came late."""
    workflow.apply(settings)
    assert run(settings, "Sync", "customers").counts.read == ROWS
    with closing(sqlite3.connect(tmp_path / "legacy.db")) as connection:
        connection.execute("UPDATE customer SET name = 'changed', changed = '2024-01-01T07:00:00Z' WHERE id = 1")
        connection.execute("INSERT INTO customer VALUES (999, 'late', '1.00', '2024-01-01T04:30:00Z')")
        connection.commit()
    receipt = run(settings, "Sync", "customers")

    assert (receipt.counts.read, receipt.counts.inserted, receipt.counts.updated) == (63, 1, 1)
    rows = written(tmp_path, "customers")
    assert (rows[0][1], rows[-1][1]) == ("changed", "late")


def test_a_run_that_fails_goes_on(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows that were written aren't read again by the run that follows one whose connection was lost."""
    from syncline.connectors.sql import runtime
    from syncline.connectors.sql import source as sources
    from syncline.executor.flows import opening

    monkeypatch.setattr(sources, "_FIRST_ROWS", 100)
    real = opening._runtime

    def failing(side):
        from msgspec.structs import replace

        found = real(side)
        return replace(
            found, open_destination=lambda instance: FailingDestination(runtime.open_destination(instance), at=2)
        )

    workflow.apply(settings)
    monkeypatch.setattr(opening, "_runtime", failing)
    with pytest.raises(Exception, match="."):
        run(settings, "Sync", "customers")
    monkeypatch.setattr(opening, "_runtime", real)
    receipt = run(settings, "Sync", "customers")

    assert receipt.counts.read == ROWS
    assert receipt.counts.inserted == 195  # the first batch of 100, with two rejects, was there already
    assert len(written(tmp_path, "customers")) == ROWS - ROWS // 40


class TestComparing:
    def compared(self, settings: Settings, name: str = "once", **more):
        return workflow.compare(settings, ObjectKey("acme", "Import", name), progress=Silent(), **more)

    def test_what_a_run_left(self, settings: Settings):
        """After a run nothing differs; before it, every row is missing, or there is no table."""
        workflow.apply(settings)
        run(settings, "Import", "once")
        found = self.compared(settings)

        assert found.equal
        assert (found.records, found.rejected, found.rows, found.same) == (ROWS, 7, 293, 293)

    def test_what_somebody_changed(self, settings: Settings, tmp_path: Path):
        """Rows that are gone, changed or besides are told by key, with the fields, and without a value."""
        workflow.apply(settings)
        run(settings, "Import", "once")
        with closing(duckdb.connect(tmp_path / "lake.duckdb")) as connection:
            connection.execute("DELETE FROM imported WHERE id IN (1, 2)")
            connection.execute("UPDATE imported SET name = 'geheim', balance = NULL WHERE id = 7")
            connection.execute("INSERT INTO imported VALUES (1000, 'geheim', 1)")
        found = self.compared(settings, limit=1)

        assert not found.equal
        assert (found.missing, found.extra, found.different, found.same) == (2, 1, 1, 290)
        assert found.fields == {"balance": 1, "name": 1}
        assert [(row.kind, row.key, row.fields) for row in found.listed] == [
            ("missing", {"id": "1"}, ()),
            ("extra", {"id": "1000"}, ()),
            ("different", {"id": "7"}, ("name", "balance")),
        ]
        assert "geheim" not in repr(found)

    def test_from_the_command_line(self, settings: Settings, tmp_path: Path):
        """The text says what differs, JSON all of it; the exit code is 10 only if it is asked for."""
        workflow.apply(settings)
        run(settings, "Import", "once")
        same = syncline(tmp_path, "compare", "Import/once", "--exit-code")
        with closing(duckdb.connect(tmp_path / "lake.duckdb")) as connection:
            connection.execute("DELETE FROM imported WHERE id = 9")
        text = syncline(tmp_path, "compare", "Import/once")
        data = syncline(tmp_path, "compare", "Import/once", "-o", "json", "--exit-code")

        assert (same.returncode, text.returncode, data.returncode) == (0, 0, 10), (
            same.stderr + text.stderr + data.stderr
        )
        assert "no difference" in same.stdout
        assert "missing  id=9" in text.stdout
        assert json.loads(data.stdout)["listed"] == [{"kind": "missing", "key": {"id": "9"}, "fields": []}]

    def test_keys_that_are_classified(self, tmp_path: Path):
        """A key that is personal data isn't shown."""
        legacy(tmp_path).close()
        text = TEXTS["all.yaml"].replace("key: [id]\n  fields", "key: [name]\n  fields")
        settings = build(tmp_path, {"all.yaml": text})
        workflow.apply(settings)
        run(settings, "Import", "once")
        with closing(duckdb.connect(tmp_path / "lake.duckdb")) as connection:
            connection.execute("DELETE FROM imported WHERE id = 9")
        (row,) = self.compared(settings).listed

        assert (row.kind, row.key) == ("missing", {"name": "***"})

    def test_rows_without_a_key(self, tmp_path: Path):
        """A log that is appended to can't be compared, and the error says why."""
        legacy(tmp_path).close()
        settings = build(
            tmp_path,
            {"all.yaml": TEXTS["all.yaml"].replace("lake/imported, write: upsert", "lake/imported, write: append")},
        )
        with pytest.raises(Invalid) as caught:
            self.compared(settings)

        assert caught.value.code == "SYN549"
