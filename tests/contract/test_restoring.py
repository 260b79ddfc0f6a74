"""Going back to earlier positions: what states keep of them, and what destinations do with them."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.sdk.destination import Fence, Restoring
from syncline.state.store import RESTORED
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of, target_of
from tests.contract.state_places import ORDERS, RUN

SCHEMA = schema_of({"id": "integer", "title": "string"}, "id")
OTHER = ObjectKey("acme", "Sync", "other")


def applied(store, revision, *steps):
    """An apply of a revision, whose steps are taken by what is given."""
    with store.lease("apply") as lease:
        name = f"{revision}-{store.serial()}-{len(store.kept_revisions())}"
        store.begin_apply(lease, name, "plan", revision, ["{}"] * len(steps))
        for index, step in enumerate(steps):
            step(lease, name, index)
        store.finish_apply(lease, name)


def position(number):
    return json.dumps({"basis": "b", "position": {"id": number}}, separators=(",", ":"))


def where(store, revision):
    return {key.name: json.loads(kept.checkpoint)["position"]["id"] for key, kept in store.positions(revision).items()}


class TestState:
    def test_positions_are_those_at_the_end_of_a_commit(self, store):
        """What is kept of a commit is where syncs were when the next one began, of those that are elsewhere now."""
        applied(store, "one")
        assert store.positions("one") == {}
        store.put_cursor(ORDERS, position(1))
        store.put_cursor(OTHER, position(7))
        applied(store, "one")
        store.put_cursor(ORDERS, position(2))
        applied(store, "two")
        store.put_cursor(ORDERS, position(3))
        store.put_run(replace(RUN, started="2999-01-01T00:00:00.000Z"))
        applied(store, "three")

        assert where(store, "one") == {"orders": 2}
        assert where(store, "two") == {}
        store.put_cursor(OTHER, position(8))
        assert where(store, "one") == {"orders": 2, "other": 7}
        assert where(store, "two") == {"other": 7}
        assert (where(store, "three"), where(store, "four")) == ({}, {})
        kept = store.positions("one")[ORDERS]
        assert (kept.runs, kept.read) == (1, RUN.counts.read)
        assert store.kept_revisions() == ("three", "two", "one")
        assert (store.applied_before("three"), store.applied_before("zero")) == ("two", "three")

    def test_a_restored_position_is_marked(self, store):
        """It is put in place of the one there is, once, with the mark that its next run looks for."""
        applied(store, "one")
        store.put_cursor(ORDERS, position(1))
        applied(store, "two")
        store.put_cursor(ORDERS, position(2))
        serial = store.serial()
        applied(store, "three", lambda lease, name, i: store.restore_cursor(lease, name, i, ORDERS, "one"))
        assert RESTORED in store.cursor(ORDERS)
        assert json.loads(store.cursor(ORDERS)) == json.loads(position(1)) | {"restored": True}
        assert store.serial() == serial + 1
        applied(store, "four", lambda lease, name, i: store.restore_cursor(lease, name, i, ORDERS, "unknown"))
        assert RESTORED in store.cursor(ORDERS)

    def test_what_is_kept_has_an_end(self, store):
        """A sync that moves all the time leaves one row for each of the newest applies; one that rests leaves one."""
        from sqlalchemy import func, select

        from syncline.state import tables
        from syncline.state.sql import KEPT_JOURNALS

        store.put_cursor(OTHER, position(0))
        for number in range(KEPT_JOURNALS + 5):
            store.put_cursor(ORDERS, position(number))
            applied(store, f"r{number}")
        with store._database.read() as connection:
            rows = connection.execute(select(func.count()).select_from(tables.positions)).scalar_one()
        assert rows == KEPT_JOURNALS + 1
        assert where(store, "r1") == {}
        assert where(store, f"r{KEPT_JOURNALS}") == {"orders": KEPT_JOURNALS + 1}


class TestDestination:
    @pytest.fixture(params=DIALECTS)
    def place(self, request, tmp_path):
        """A database of each kind."""
        found = place_of(request.param, request, tmp_path)
        yield found
        found.close()

    def test_a_checkpoint_is_replaced_and_rows_stay(self, place):
        """The next run sees the earlier checkpoint; no row is touched."""
        destination = place.open()
        assert isinstance(place.open(), Restoring)
        destination.restore(FLOW, "run-0", "nothing to restore on")
        assert destination.checkpoint(FLOW) is None
        writer = destination.open(target_of(SCHEMA))
        writer.write(frame_of(SCHEMA, (1, "one")), "c1")
        writer.write(frame_of(SCHEMA, (2, "two")), "c2")
        destination.restore(FLOW, "run-1", "c1")
        assert place.open().checkpoint(FLOW) == "c1"
        assert place.read("orders", SCHEMA) == [(1, "one"), (2, "two")]

    def test_one_that_was_followed_restores_nothing(self, place):
        """A process that lost the flow to another can't move its position."""
        slow, quick = place.open(), place.open()
        slow.fence(FLOW, Fence("state", 1))
        slow.open(target_of(SCHEMA)).write(frame_of(SCHEMA, (1, "one")), "c1")
        quick.fence(FLOW, Fence("state", 2))
        with pytest.raises(Denied):
            slow.restore(FLOW, "run-0", "c0")
        assert quick.checkpoint(FLOW) == "c1"
