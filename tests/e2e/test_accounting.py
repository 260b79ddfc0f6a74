"""The receipt of an import ties the files it read to the rows that are there: by their digests, and by a query."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.run import Receipt
from tests.e2e.house import Scenario, audit_events, build, customers


def imported(root, kind="Import", destination="sqlite"):
    scenario = Scenario("upsert" if destination == "sqlite" else "replace", destination, kind=kind)
    settings = build(root, scenario.texts)
    workflow.apply(settings)
    return settings, scenario, workflow.run(settings, scenario.key, progress=Silent()).receipt


def test_files_are_told_by_their_digests_and_the_table_by_its_rows(tmp_path):
    """SHA-256 of each file as it lies there, packed or not, and what `SELECT count(*)` gives after the run."""
    path = customers(tmp_path, 40)
    more = path.with_name("customers-2.csv.gz")
    more.write_bytes(gzip.compress(path.read_bytes().replace(b"\n1,", b"\n1001,")))
    texts = Scenario("upsert", kind="Import").texts
    assert "customers*.csv" in texts["source.yaml"]
    scenario = Scenario("upsert", kind="Import")
    texts = {**texts, "source.yaml": texts["source.yaml"].replace("customers*.csv", "customers*")}
    settings = build(tmp_path, texts)
    workflow.apply(settings)
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, more)}
    assert receipt.files == digests
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        assert receipt.rows == connection.execute("SELECT count(*) FROM customers").fetchone()[0] > 0
    kept = workflow.find_run(settings, receipt.run).receipt or {}
    assert Receipt.from_json(kept) == receipt
    details = audit_events(settings)[-1]["unmapped"]["details"]
    assert details["files"] == sorted(digests.values())
    assert details["rows"] == receipt.rows


@pytest.mark.parametrize(("kind", "destination"), [("Sync", "sqlite"), ("Import", "jsonl")])
def test_what_is_not_asked_is_not_claimed(tmp_path, kind, destination):
    """A sync reads no file twice for its digest; where nothing counts rows, the receipt says none."""
    customers(tmp_path, 10)
    _, _, receipt = imported(tmp_path, kind, destination)
    assert receipt.rows is None
    assert bool(receipt.files) is (kind == "Import")


@pytest.mark.parametrize(("kind", "batches"), [("Import", 3), ("Sync", 1)])
def test_an_import_is_committed_in_parts_and_a_sync_in_batches(tmp_path, kind, batches):
    """5 MiB are three commits of an import, which are read again one by one after a kill, and one of a sync."""
    path = customers(tmp_path, 40)
    head, *rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + rows[0].replace(b",", b"," + b"x" * 1000, 1) * 5200)
    _, _, receipt = imported(tmp_path, kind)
    assert (receipt.counts.read, receipt.batches) == (5200, batches)
