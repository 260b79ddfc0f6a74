"""Deleting rows with a batch, in SQLite and PostgreSQL: by key, once, in one transaction, or not at all."""

from __future__ import annotations

import pytest

from syncline.model.errors import Denied
from syncline.sdk.destination import Removal, Written
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of, target_of

PLAIN = schema_of({"shop": "string", "id": "integer", "title": "string"}, "shop", "id")
MARKED = schema_of({"shop": "string", "id": "integer", "title": "string", "deleted_at": "timestamp"}, "shop", "id")
KEYS = schema_of({"shop": "string", "id": "integer"}, "shop", "id")


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


def allow(deleted, there):
    """Any number."""


def removal(*keys, mark="", allow=allow):
    return Removal(frame_of(KEYS, *keys), mark, allow)


def loaded(place, schema=PLAIN):
    """A writer to a table of three rows."""
    writer = place.open().open(target_of(schema))
    more = (None,) * (len(schema.fields) - 3)
    rows = [("a", 1, "one", *more), ("a", 2, "two", *more), ("b", 1, "other", *more)]
    writer.write(frame_of(schema, *rows), "c1")
    return writer


def test_rows_are_deleted_by_the_whole_key(place):
    """Only rows with all of a key's values go, with the batch; a key that isn't there is unchanged."""
    writer = loaded(place)
    batch = writer.render(frame_of(PLAIN, ("c", 1, "new")))
    written = writer.write_removing(batch, removal(("a", 1), ("z", 9)), lambda _: "c2")
    assert written == Written(1, unchanged=1, deleted=1)
    assert sorted(place.read("orders", PLAIN)) == [("a", 2, "two"), ("b", 1, "other"), ("c", 1, "new")]
    assert place.open().checkpoint(FLOW) == "c2"


def test_deleting_again_changes_nothing(place):
    """A batch that is sent again after a kill finds its rows gone."""
    writer = loaded(place)
    nothing = writer.render(frame_of(PLAIN))
    writer.write_removing(nothing, removal(("a", 1)), lambda _: "c2")
    assert writer.write_removing(nothing, removal(("a", 1)), lambda _: "c2") == Written(0, unchanged=1)


def test_a_table_of_keys_alone_deletes_too(place):
    """Where the key is all that a row has, what is deleted isn't confused with what is written."""
    writer = place.open().open(target_of(KEYS))
    writer.write(frame_of(KEYS, ("a", 1), ("a", 2)), "c1")
    written = writer.write_removing(writer.render(frame_of(KEYS, ("a", 3))), removal(("a", 1)), lambda _: "c2")
    assert written == Written(1, deleted=1)
    assert sorted(place.read("orders", KEYS)) == [("a", 2), ("a", 3)]


def test_rows_are_marked_once_and_come_back(place):
    """A soft delete keeps the row and its first time of deletion; an upsert clears the mark."""
    writer = loaded(place, MARKED)
    nothing, gone = writer.render(frame_of(MARKED)), removal(("a", 1), mark="deleted_at")
    assert writer.write_removing(nothing, gone, lambda _: "c2") == Written(0, deleted=1)
    first = min(place.read("orders", MARKED))
    assert first[:3] == ("a", 1, "one")
    assert first[3] is not None
    assert writer.write_removing(nothing, gone, lambda _: "c3") == Written(0, unchanged=1)
    assert min(place.read("orders", MARKED)) == first
    assert writer.write(frame_of(MARKED, ("a", 1, "one", None)), "c4") == Written(0, updated=1)
    assert min(place.read("orders", MARKED)) == ("a", 1, "one", None)


@pytest.mark.parametrize("mark", ["", "deleted_at"])
def test_too_many_deletes_leave_everything_as_it_was(place, mark):
    """A guard is told how many rows there were; when it denies, neither batch nor checkpoint is committed."""
    schema = MARKED if mark else PLAIN
    writer = loaded(place, schema)
    before, told = set(place.read("orders", schema)), []

    def deny(deleted, there):
        told.append((deleted, there()))
        raise Denied("too many")

    batch = writer.render(frame_of(schema, ("c", 1, "new", *(None,) * (len(schema.fields) - 3))))
    with pytest.raises(Denied):
        writer.write_removing(batch, removal(("a", 1), ("a", 2), mark=mark, allow=deny), lambda _: "c2")
    assert told == [(2, 3)]
    assert set(place.read("orders", schema)) == before
    assert place.open().checkpoint(FLOW) == "c1"
