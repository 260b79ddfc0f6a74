"""Dropping the table of a flow that is retired, in SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from syncline.model.errors import Denied
from syncline.sdk.destination import Fence
from tests.contract.sql_places import FLOW, frame_of, postgres_place, schema_of, sqlite_place, target_of

ORDERS = schema_of({"id": "integer", "title": "string"}, "id")
ROWS = frame_of(ORDERS, (1, "one"), (2, "two"))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """A database of each kind, with nothing in it."""
    if request.param == "sqlite":
        found = sqlite_place(tmp_path)
    else:
        found = postgres_place(request.getfixturevalue("postgres_url"), tmp_path)
    yield found
    found.close()


def test_a_table_that_a_flow_made_goes_with_all_that_is_kept_of_the_flow(place):
    """Table and checkpoint are gone, once; a flow of that name begins anew, in a table that is made anew."""
    destination = place.open()
    destination.open(target_of(ORDERS, "upsert")).write(ROWS, "c1")

    assert destination.drop("orders", FLOW)
    assert "orders" not in place.tables()
    assert destination.checkpoint(FLOW) is None
    assert not destination.drop("orders", FLOW)
    destination.open(target_of(ORDERS, "upsert")).write(ROWS, "c2")
    assert len(place.read("orders", ORDERS)) == 2


def test_a_replacement_that_was_under_way_goes_too(place):
    """New content that a run had gathered isn't left behind."""
    destination = place.open()
    destination.open(target_of(ORDERS, "replace")).write(ROWS, "c1")

    assert destination.drop("orders", FLOW)
    assert not [name for name in place.tables() if name.startswith("orders")]


def test_a_table_of_others_stays(place):
    """What no flow made isn't dropped, whoever asks."""
    destination = place.open()
    destination.open(target_of(schema_of({"id": "integer"}, "id"), "upsert", stream="ours"))
    place.execute("CREATE TABLE theirs (id integer)")

    assert not destination.drop("theirs", FLOW)
    assert "theirs" in place.tables()


def test_a_run_that_slept_meanwhile_writes_nothing_more(place):
    """Whoever had the flow when its table was dropped is refused."""
    slow = place.open()
    slow.fence(FLOW, Fence("state", 1))
    writer = slow.open(target_of(ORDERS, "upsert"))
    writer.write(ROWS, "c1")
    assert place.open().drop("orders", FLOW)
    place.open().open(target_of(ORDERS, "upsert", flow="acme/Sync/next"))

    with pytest.raises(Denied, match="a later run has taken"):
        writer.write(ROWS, "c2")
    assert place.read("orders", ORDERS) == []


def test_rows_of_a_dropped_table_are_overwritten_in_a_file(tmp_path):
    """Nothing of them is in SQLite's file or the log beside it, also by builds of it that overwrite nothing themselves."""
    place = sqlite_place(tmp_path)
    destination = place.open()
    destination._database.execute("PRAGMA secure_delete = OFF")
    rows = frame_of(ORDERS, *((n, f"kvzq{n}") for n in range(500)))
    destination.open(target_of(ORDERS, "upsert")).write(rows, "c1")

    assert destination.drop("orders", FLOW)
    assert b"kvzq" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.db*"))
    place.close()
