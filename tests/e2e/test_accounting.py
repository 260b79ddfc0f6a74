"""The receipt of an import ties the files it read to the rows that are there: by their digests, and by a query."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
import sys
from contextlib import closing

import pytest

from syncline import workflow
from syncline.cli.output.paint import Paint
from syncline.cli.output.receipt_text import render_receipt
from syncline.executor.batches import commit as committing
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.commit import Committer
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.run import Receipt
from syncline.state.sql import SqlStore
from tests.e2e.house import Scenario, audit_events, build, customers
from tests.look import copy_of


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


def several(root, *bad: int):
    """Three files, of the rows 0 to 19, 100 to 119 and 200 to 219, of which those that are `bad` aren't numbers."""
    first = customers(root, 0)
    for part in range(3):
        rows = [
            f"{n},Name {n},c{n}@example.com,{'x' if n in bad else n},1990-01-01"
            for n in range(part * 100, part * 100 + 20)
        ]
        first.with_name(f"customers-{part}.csv").write_text("\n".join(("id,name,email,balance,born", *rows, "")))
    first.unlink()
    return first.parent


def test_records_are_told_by_file(tmp_path):
    """How many of each file were read, written and rejected, and its size; together they are those of the run."""
    folder = several(tmp_path, 3, 101, 102, 119)
    (folder / "customers-3.csv").write_text("id,name,email,balance,born\n")
    settings, _, receipt = imported(tmp_path)
    counts = {
        name: (each.read, each.written, each.rejected, each.skipped) for name, each in receipt.file_counts.items()
    }
    assert counts == {
        "customers-0.csv": (20, 19, 1, 0),
        "customers-1.csv": (20, 17, 3, 0),
        "customers-2.csv": (20, 20, 0, 0),
        "customers-3.csv": (0, 0, 0, 0),
    }
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == [60, 56, 4, 0]
    assert {name: each.size for name, each in receipt.file_counts.items()} == {
        name: (folder / name).stat().st_size for name in counts
    }
    kept = workflow.find_run(settings, receipt.run).receipt or {}
    assert kept["file_counts"]["customers-1.csv"] | {"size": None} == {
        "size": None,
        "read": 20,
        "written": 17,
        "rejected": 3,
        "skipped": 0,
    }
    assert Receipt.from_json(kept) == receipt
    lines = [line.strip() for line in render_receipt(receipt, Paint(on=False)).splitlines()]
    told = [line for line in lines if "customers-" in line]
    assert told[0].startswith("file      customers-1.csv, 20 read, 3 rejected, SHA-256 ")
    assert [line.split()[1] for line in told] == [f"customers-{n}.csv," for n in (1, 0, 2, 3)]


def test_records_by_file_add_up_over_a_stop(tmp_path, monkeypatch):
    """What was committed before a run was stopped is counted by its file once, and the rest where it goes on."""
    several(tmp_path, 3, 101, 219)
    scenario = Scenario("upsert", "sqlite", kind="Import")
    settings = build(tmp_path, scenario.texts)
    workflow.apply(settings)
    done: list[int] = []
    commit = Committer.commit

    def once(self, *args, **more):
        if done:
            raise Again("the power went", code="SYN488")
        done.append(1)
        return commit(self, *args, **more)

    monkeypatch.setattr(Committer, "commit", once)
    with pytest.raises(Again):
        workflow.run(settings, scenario.key, progress=Silent())
    monkeypatch.undo()
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    assert receipt.resumed == 1
    assert [(each.read, each.rejected) for each in receipt.file_counts.values()] == [(20, 1)] * 3


@pytest.mark.parametrize(("characters", "copies"), [(1, 1), (sys.maxsize, 3)])
def test_a_long_checkpoint_is_copied_less_often_than_counts(tmp_path, monkeypatch, characters, copies):
    """How long the last copy was says when the state is given the next; the run's counts come with each commit."""
    several(tmp_path)
    monkeypatch.setattr(committing, "COPY_EVERY", 0.0)
    monkeypatch.setattr(committing, "COPIED", characters)
    given: list[tuple[int, bool]] = []
    put = SqlStore.put_run

    def noted(self, run, checkpoint=None):
        given.append((run.counts.read, checkpoint is not None))
        put(self, run, checkpoint)

    monkeypatch.setattr(SqlStore, "put_run", noted)
    settings, scenario, receipt = imported(tmp_path)
    during = [each for each in given if each[0]]
    assert sorted({read for read, _ in during}) == [20, 40, 60]
    assert sum(copied for _, copied in during) == copies
    checkpoint = Checkpoint.loads(copy_of(settings, scenario.key) or "")
    assert (checkpoint.done, checkpoint.sequence) == (True, receipt.batches)


@pytest.mark.parametrize(("kind", "destination"), [("Sync", "sqlite"), ("Import", "jsonl")])
def test_what_is_not_asked_is_not_claimed(tmp_path, kind, destination):
    """A sync reads no file twice for its digest; where nothing counts rows, the receipt says none."""
    customers(tmp_path, 10)
    _, _, receipt = imported(tmp_path, kind, destination)
    assert receipt.rows is None
    assert bool(receipt.files) is (kind == "Import")
    assert bool(receipt.file_counts) is (kind == "Import")


@pytest.mark.parametrize(("kind", "batches"), [("Import", 3), ("Sync", 1)])
def test_an_import_is_committed_in_parts_and_a_sync_in_batches(tmp_path, kind, batches):
    """5 MiB are three commits of an import, which are read again one by one after a kill, and one of a sync."""
    path = customers(tmp_path, 40)
    head, *rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + rows[0].replace(b",", b"," + b"x" * 1000, 1) * 5200)
    _, _, receipt = imported(tmp_path, kind)
    assert (receipt.counts.read, receipt.batches) == (5200, batches)
