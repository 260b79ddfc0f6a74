"""Comparing rows with a table before they are written, in SQLite and PostgreSQL: the counts that the write then gives."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal

import polars as pl
import pytest

from syncline.connectors.sql.compare import compare, compare_with
from syncline.connectors.sql.opening import open_database
from syncline.model.errors import Invalid
from syncline.sdk.comparison import Compared, Proposed
from syncline.sdk.table_owner import TableOwner
from tests.contract.sql_places import DIALECTS, frame_of, place_of, schema_of, target_of

ORDERS = schema_of({"id": "integer", "title": "string", "total": "decimal(12,2)", "at": "timestamp"}, "id")


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind, with nothing in it."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


def rows(*given):
    return frame_of(ORDERS, *[(key, title, total and Decimal(total), None) for key, title, total in given])


def filled(place, mode="upsert"):
    """Three orders, written by a run."""
    destination = place.open()
    destination.open(target_of(ORDERS, mode)).write(
        rows((1, "one", "1.00"), (2, None, "2.00"), (3, "three", None)), "c1"
    )
    destination.close()
    return place


def test_of_a_table_that_is_not_there_everything_is_new(place):
    """Nothing is made by looking, not even the file of a database."""
    found = compare(place.instance, Proposed(target_of(ORDERS), rows((1, "one", "1.00"))))

    assert found == Compared(inserted=1, owner=found.owner)
    assert not found.owner.there
    assert place.dialect == "postgresql" or not (place.instance.root / "data").exists()


def test_rows_are_counted_as_the_write_counts_them(place):
    """What is equal, nulls included, is unchanged; what differs is updated; and nothing is changed by looking."""
    filled(place)
    proposed = rows((1, "one", "1.00"), (2, None, "2.00"), (3, "three", "3.00"), (4, "four", None))
    before = place.read("orders", ORDERS), place.tables()

    found = compare(place.instance, Proposed(target_of(ORDERS), proposed))

    assert (place.read("orders", ORDERS), place.tables()) == before
    ours = TableOwner(there=True, ours=True)
    assert found == Compared(inserted=1, updated=1, unchanged=2, there=3, owner=ours, filled=())
    written = place.open().open(target_of(ORDERS)).write(proposed, "c2")
    assert (written.inserted, written.updated, written.unchanged) == (1, 1, 2)


def test_a_column_that_is_to_be_added_updates_rows_that_have_a_value_for_it(place):
    """A column that isn't there yet counts as null."""
    filled(place)
    wide = schema_of({"id": "integer", "title": "string", "note": "string"}, "id")
    proposed = frame_of(wide, (1, "one", None), (2, None, "new"))

    found = compare(place.instance, Proposed(target_of(wide), proposed))

    assert (found.inserted, found.updated, found.unchanged) == (0, 1, 1)


def test_keys_to_delete_are_looked_for(place):
    """Of keys to delete, those that are there count."""
    filled(place)
    gone = pl.DataFrame({"id": [2, 9]}, schema={"id": pl.Int64})

    assert compare(place.instance, Proposed(target_of(ORDERS), rows(), gone)).deleted == 1


def test_a_replaced_table_loses_what_is_not_proposed(place):
    """Rows whose key isn't among the new ones go."""
    filled(place)
    found = compare(place.instance, Proposed(target_of(ORDERS, "replace"), rows((1, "one", "1.00"), (7, "x", None))))

    assert (found.inserted, found.unchanged, found.deleted) == (1, 1, 2)


def test_a_log_only_grows(place):
    """What is appended is inserted, whatever is there."""
    filled(place, "append")

    assert compare(place.instance, Proposed(target_of(ORDERS, "append"), rows((1, "one", "1.00")))).inserted == 1


def test_a_table_that_does_not_fit_is_told_of(place):
    """As a run would find it."""
    filled(place)
    other = schema_of({"id": "integer", "title": "date"}, "id")

    with closing(open_database(place.instance)) as database, pytest.raises(Invalid, match="can't hold date"):
        compare_with(database, Proposed(target_of(other), frame_of(other)))
