"""A destination that hangs: the run is given up after its progress deadline, and the next one does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.run import RunState
from tests.e2e.house import FLOW, Scenario, audit_ok, build, customers, rows
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path


def test_a_database_that_hangs_is_given_up_and_gone_on_with(tmp_path: Path, postgres_url: str):
    """
    A run whose batch waits for a lock in PostgreSQL is cut off long before the lock's own time-out: interrupted, nothing
    of the batch is there. Once the lock is gone the next run writes it, and each row is there once.
    """
    scenario = Scenario("upsert", destination=postgres_url, schema="hangs")
    texts = dict(scenario.texts)
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", "progressDeadline: 5s, read: full")
    settings = build(tmp_path, texts)
    customers(tmp_path, 20)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    before = rows(tmp_path, scenario)
    assert before
    customers(tmp_path, 30, generation=2)

    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE hangs.customers IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Again, match="destination made no progress for 5 s") as caught:
            workflow.run(settings, FLOW, progress=Silent())
        assert caught.value.code == "SYN467"
        newest = Look(settings.state_url).runs()[0]
        assert (newest.state, newest.error_code) == (RunState.interrupted, "SYN467")

    assert rows(tmp_path, scenario) == before
    counts = workflow.run(settings, FLOW, progress=Silent()).receipt.counts
    assert counts.read == counts.written + counts.rejected + counts.skipped
    after = rows(tmp_path, scenario) or []
    assert len({row[0] for row in after}) == len(after) > len(before)
    assert audit_ok(settings)
