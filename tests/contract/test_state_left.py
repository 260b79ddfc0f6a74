"""What every state store promises of rejects and log lines that are kept for a time only."""

from __future__ import annotations

from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.state.store import RunRecord, SealedRejects

ORDERS, LETTERS = ObjectKey("acme", "Sync", "orders"), ObjectKey("acme", "Sync", "letters")
BEFORE = "2026-06-01T00:00:00.000000Z"


def put(store, run, key, started, *, final=True):
    record = RunRecord(run, key, RunState.running, "manual", "r", "p", f"{started}T00:00:00.000000Z")
    store.put_run(record)
    store.put_rejects(SealedRejects(run, 1, 3, {"x": 3}, b"sealed"))
    store.log(run, "info", "one")
    store.log(run, "info", "two")
    if final:
        store.put_run(RunRecord(run, key, RunState.succeeded, "manual", "r", "p", record.started))


def test_what_finished_runs_left_expires(store):
    """Only of runs of the tenant that are final and began before; those of held objects stay, and so do the runs."""
    put(store, "old", ORDERS, "2026-05-01")
    put(store, "new", ORDERS, "2026-07-01")
    put(store, "held", LETTERS, "2026-05-01")
    put(store, "open", ORDERS, "2026-05-02", final=False)
    put(store, "other", ObjectKey("other", "Sync", "orders"), "2026-05-01")
    assert store.left_before("acme", "rejects", BEFORE) == 6
    assert store.left_before("acme", "rejects", BEFORE, [LETTERS]) == 3
    assert store.left_before("acme", "logs", BEFORE, [LETTERS]) == 2
    assert [run.id for run in store.left_runs("acme", BEFORE, [LETTERS])] == ["old"]
    assert [run.id for run in store.left_runs("acme", BEFORE)] == ["held", "old"]
    assert store.expire_left("acme", "rejects", BEFORE, [LETTERS]) == 3
    assert store.left_runs("acme", BEFORE, [LETTERS]) == ()
    assert store.expire_left("acme", "logs", BEFORE, [LETTERS]) == 2
    assert store.expire_left("acme", "rejects", BEFORE, [LETTERS]) == 0
    assert {run: len(list(store.rejects(run))) for run in ("old", "new", "held", "open", "other")} == {
        "old": 0,
        "new": 1,
        "held": 1,
        "open": 1,
        "other": 1,
    }
    assert (store.logs("old"), len(store.logs("new"))) == ((), 2)
    assert store.run_state("old") is RunState.succeeded
