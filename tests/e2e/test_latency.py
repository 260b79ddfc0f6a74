"""What a receipt says about how long batches took."""

from __future__ import annotations

import json

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.run import Receipt
from tests.e2e.house import FLOW, Scenario, build, customers


class Impatient(Silent):
    """Stops the run when its first batch is committed."""

    def advanced(self, counts, done):
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["Sync", "Import"])
def test_a_receipt_tells_how_long_its_batches_took(tmp_path, kind):
    """All of them, none longer than the run; its phases aren't longer than the whole, and the state keeps it."""
    customers(tmp_path, 100)
    scenario = Scenario("upsert", kind=kind)
    settings = build(tmp_path, scenario.texts)
    workflow.apply(settings)
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    latency = receipt.latency
    assert latency.batches == receipt.batches > 0
    assert 0 < latency.whole.p50 <= latency.whole.p99 <= latency.whole.max <= receipt.seconds
    assert latency.read.max + latency.map.max + latency.write.max <= receipt.seconds * latency.batches
    assert all(phase.max > 0 for phase in (latency.read, latency.map, latency.write))
    kept = workflow.find_run(settings, receipt.run).receipt
    assert Receipt.from_json(json.loads(json.dumps(kept))) == receipt


def test_a_continued_run_tells_of_what_it_committed_since(tmp_path):
    """The figures are of the attempt that ended it, and say of how many batches they are."""
    customers(tmp_path, 200_000, malformed=False)
    settings = build(tmp_path, Scenario("upsert").texts)
    workflow.apply(settings)
    with pytest.raises(KeyboardInterrupt):
        workflow.run(settings, FLOW, progress=Impatient())
    receipt = workflow.run(settings, FLOW, progress=Silent()).receipt
    assert receipt.resumed == 1
    assert 0 < receipt.latency.batches < receipt.batches


def test_a_receipt_of_before_has_none(tmp_path):
    """A run that an older version recorded is still read."""
    customers(tmp_path, 10)
    settings = build(tmp_path, Scenario("upsert").texts)
    workflow.apply(settings)
    plain = workflow.run(settings, FLOW, progress=Silent()).receipt.to_json()
    del plain["latency"]
    assert Receipt.from_json(plain).latency is None
