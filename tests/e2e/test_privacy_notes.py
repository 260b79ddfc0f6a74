"""What receipts tell of a person goes with an erasure, and what an earlier version left in the clear is sealed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from msgspec.structs import replace

from syncline import privacy, queries
from syncline.executor.batches.at_rest import open_receipt, seal_receipt
from syncline.executor.services.facilities import open_facilities
from tests.e2e import house
from tests.e2e.subjects import ADA, lived_in

NOTES = (
    "POST /graphql, cursor 'c1': partial data was accepted: no votes for Ada%40example.com (at t.0)",
    "POST /graphql: partial data was accepted: ada@example.com is locked",
    "POST /graphql: partial data was accepted: bob@example.com is locked",
)


def test_notes_of_receipts_that_name_the_person_go(tmp_path):
    """As the source spells the person, as the flow writes them, and as a URL does; notes about others stay."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    key = house.FLOW
    with open_facilities(settings) as facilities:
        (run,) = facilities.store.runs(key, 2)
        assert run.receipt is not None
        receipt = open_receipt(lambda: facilities.keys, "acme", run.receipt) | {"notes": list(NOTES)}
        facilities.store.put_run(replace(run, receipt=seal_receipt(facilities.keys, "acme", receipt)))
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
    found = queries.find_run(settings, run.id)
    gone = "a note that named somebody who was erased"
    assert found.receipt["notes"] == [gone, gone, NOTES[2]]


def test_receipts_of_a_version_that_sealed_nothing_are_sealed(tmp_path):
    """Their positions and notes lay in the clear; they say the same after it."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    key = house.FLOW
    with open_facilities(settings) as facilities:
        (run,) = facilities.store.runs(key, 2)
        assert run.receipt is not None
        receipt = open_receipt(lambda: facilities.keys, "acme", run.receipt)
        facilities.store.put_run(replace(run, receipt=receipt | {"cursor_after": {"since": "kvzq"}}))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    with closing(sqlite3.connect(settings.home / "state.db")) as state:
        (kept,) = (json.loads(text) for (text,) in state.execute("SELECT receipt FROM runs WHERE id = ?", (run.id,)))
    assert "kvzq" not in json.dumps(kept)
    found = queries.find_run(settings, run.id)
    assert found.receipt["cursor_after"] == {"since": "kvzq"}
