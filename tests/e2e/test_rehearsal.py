"""`syncline rehearse`: what is told of a whole run before it is what the run then does, and nothing is written."""

from __future__ import annotations

import json
import re

import pytest

from syncline import workflow
from syncline.cli.main import main
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, audit_events, build, customers

#: Small enough that the house's files are read in several batches.
BYTES = 512


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Batches of a few rows, so that keys come again in other batches."""
    made = Opener.__init__

    def init(self, *args, **how):
        made(self, *args, **how)
        self.batch_bytes = BYTES

    monkeypatch.setattr(Opener, "__init__", init)


def rehearsed(settings, **how):
    return workflow.rehearse(settings, FLOW, progress=Silent(), **how)


def again(told, receipt):
    """How many rows the receipt has as updated, unchanged or inserted that were told of as coming again."""
    names = ("read", "written", "rejected", "skipped", "deleted")
    assert [getattr(told.counts, name) for name in names] == [getattr(receipt.counts, name) for name in names]
    kinds = ("inserted", "updated", "unchanged")
    more = [getattr(receipt.counts, kind) - getattr(told.counts, kind) for kind in kinds]
    assert min(more) >= 0
    return sum(more)


def house(root, scenario, rows=60, **changes):
    customers(root, rows)
    texts = scenario.texts
    return build(root, {name: changes.get(name.partition(".")[0], str)(text) for name, text in texts.items()})


@pytest.mark.parametrize("write", ["upsert", "append", "replace"])
@pytest.mark.parametrize("destination", ["sqlite", "parquet"])
def test_the_run_does_what_was_told(tmp_path, write, destination):
    """Its counts are those of the run's receipt, also over rows that are there already, but for keys that come again."""
    if (write, destination) == ("upsert", "parquet"):
        pytest.skip("files can't be upserted")
    settings = house(tmp_path, Scenario(write, destination))
    for rows in (40, 45):
        customers(tmp_path, rows)
        told = rehearsed(settings)
        assert told.seen == told.counts.read
        workflow.apply(settings)
        receipt = workflow.run(settings, FLOW, progress=Silent()).receipt
        assert told.counts.written == receipt.counts.written
        if not told.compared:
            assert told.note
        elif write == "replace":  # a receipt has all of its rows as inserted
            assert told.counts.inserted + told.counts.updated + told.counts.unchanged <= receipt.counts.inserted
        else:
            assert again(told, receipt) <= told.duplicates
        assert told.rejects.count == receipt.counts.rejected


def test_keys_that_come_again_are_counted(tmp_path):
    """Whether in one batch or in different ones; only the last of each counts as written anew."""
    settings = house(tmp_path, Scenario("upsert"))
    lines = [f"{n},Ada {n},ada{n}@example.com,{n}.50,1990-01-01" for n in range(20)]
    again_there = [lines[0], *lines[:10]]
    file = tmp_path / "data" / "customers.csv"
    file.write_text("\n".join(["id,name,email,balance,born", *lines, *again_there]) + "\n", encoding="utf-8")
    told = rehearsed(settings)
    workflow.apply(settings)
    receipt = workflow.run(settings, FLOW, progress=Silent()).receipt
    assert again(told, receipt) <= told.duplicates
    assert told.duplicates == 11
    assert told.counts.inserted == receipt.counts.inserted == 20


def test_nothing_is_written(tmp_path):
    """Neither a table nor a run nor an object of the state; the log says that records were read."""
    settings = house(tmp_path, Scenario("upsert"))
    workflow.apply(settings)
    rehearsed(settings)
    assert not (tmp_path / "warehouse.db").exists()
    assert workflow.runs(settings, None, 10) == ()
    assert "run.preview" in json.dumps(audit_events(settings)[-1])


def test_a_guard_that_would_refuse_is_told(tmp_path):
    """With what it would say; the exit code is that of a refusal."""
    house(
        tmp_path,
        Scenario("upsert"),
        sync=lambda text: text.replace("write: upsert", "write: upsert, guards: {maxRejects: 1}"),
    )
    assert main(["--root", str(tmp_path), "rehearse", "Sync/customers"]) == 3


def test_quality_is_told_by_field(tmp_path):
    """How complete and valid each field is, how many of its values are distinct and alike, and the newest date."""
    settings = house(tmp_path, Scenario("upsert"), 100)
    told = rehearsed(settings)
    quality = {one.field: one for one in told.quality}
    assert list(quality) == ["id", "name", "email", "balance", "born"]
    rejected = {broken.field: broken.count for broken in told.rejects.broken}
    for name, one in quality.items():
        assert one.validity == pytest.approx(1 - rejected.get(name, 0) / told.counts.read)
    assert quality["id"].distinct == pytest.approx(1, abs=0.05)
    assert quality["born"].newest
    assert 0 < told.score <= 100


def test_a_sample_looks_at_some_batches_of_the_whole(tmp_path):
    """About as many records as asked for, spread over the file; it says of how many."""
    settings = house(tmp_path, Scenario("upsert"), 20_000)
    told = rehearsed(settings, share=0.3)
    assert told.seen == 20_002
    assert 0.2 < told.counts.read / told.seen < 0.6
    assert told.refused == ""


def test_the_page_needs_nothing_else(tmp_path, capsys):
    """No script, nothing from elsewhere, no value of a record; as data it has the same figures."""
    house(tmp_path, Scenario("upsert"))
    page = tmp_path / "page.html"
    assert main(["--root", str(tmp_path), "rehearse", "Sync/customers", "-o", "html", "--out", str(page)]) == 4
    text = page.read_text(encoding="utf-8")
    assert "Quality by field" in text
    assert not re.search(r"<script|https?://|src=|@import|url\(", text)
    capsys.readouterr()
    main(["--root", str(tmp_path), "rehearse", "Sync/customers", "-o", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["version"] == "syncline/rehearsal/v1"
    assert data["counts"]["read"] == 62
