"""
What faults are injected into: an API of three pages with two items each, and what must hold after every fault.

The invariants are those of the fault matrix: no acknowledged record is missing and none is there twice, no cursor is
ever ahead of what is in the table, the audit log verifies, no secret is found in any output, and no run goes on past
its time limits.
"""

from __future__ import annotations

import time
from pathlib import Path

from syncline.executor.batches.checkpoint import Checkpoint
from tests.peers.house import Flow, House, house

FIELDS = ("to: id, from: id, type: integer, required: true", "to: name, from: name")
AUTH = "{type: bearer, token: {secretRef: {provider: env, key: TOKEN}}}"
TOKEN = "faults-canary-4711"
TOTAL = 6
#: Far more than four attempts of three seconds each, and far less than what faults that last would hold a run up for.
SECONDS = 120


def items(root: Path, url: str) -> House:
    """A house that reads the items incrementally, by four attempts of at most three seconds a request."""
    flow = Flow("items", FIELDS, read="incremental")
    return house(root, "items", {"url": url}, flow, auth=AUTH, secrets={"TOKEN": TOKEN}, quick=True)


def page(number: int) -> dict[str, object]:
    """The body of page 1, 2 or 3."""
    ids = (2 * number - 1, 2 * number)
    rows = [{"id": n, "name": f"item {n}"} for n in ids]
    return {"data": rows, "next": str(number + 1) if number < TOTAL // 2 else None}


def holds(made: House) -> None:
    """The invariants, after a run that failed or one that didn't."""
    ids = [row[0] for row in made.rows("SELECT id FROM items ORDER BY id")] if made.tables("items") else []
    assert len(ids) == len(set(ids)), f"rows are there twice: {ids}"
    committed, known = made.committed("items"), made.known("items")
    for whose, checkpoint in (("destination", committed), ("state", known)):
        lost = set(range(1, covered(checkpoint) + 1)) - set(ids)
        assert not lost, f"the {whose}'s cursor is ahead: of what it covers, {sorted(lost)} aren't in the table"
    if known is not None and committed is not None and known.run == committed.run:
        assert known.sequence <= committed.sequence, "the state is ahead of the destination"
    made.proved()


def covered(checkpoint: Checkpoint | None) -> int:
    """
    The greatest id that a later run wouldn't ask for again, 0 if it would ask for all.

    Ids come in order, so it is that of the cursor, of the records that the pass under way has seen, or of the page
    before the one that comes next, whichever is the greatest.
    """
    position = (checkpoint.position if checkpoint else None) or {}
    under_way = position.get("pass") or {}
    page = int((under_way.get("page") or {}).get("cursor") or 1)
    return max(int(position.get("cursor") or 0), int(under_way.get("top") or 0), 2 * (page - 1))


def recovers(made: House) -> None:
    """A run gets over the fault by itself: every item is there once, within the time limits."""
    start = time.monotonic()
    counts = made.run("items")
    assert time.monotonic() - start < SECONDS
    assert (counts["read"], counts["rejected"]) == (TOTAL, 0)
    assert made.rows("SELECT count(*), count(DISTINCT id), sum(id) FROM items") == [(TOTAL, TOTAL, 21)]
    holds(made)


def gives_up(made: House) -> str:
    """A run fails within the time limits, with a code and without harm; what it said."""
    start = time.monotonic()
    said = made.fails("items")
    assert time.monotonic() - start < SECONDS
    assert "SYN4" in said
    holds(made)
    return said
