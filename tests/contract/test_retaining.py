"""Deleting rows by their age, in every kind of database: the same rows, to the microsecond, whatever tells the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncline.model.errors import Denied
from syncline.sdk.destination import Fence
from syncline.sdk.offers import offers
from syncline.sdk.retention import Aged, Retaining
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of, target_of

NOW = datetime(2026, 11, 26, 12, 30, 15, 250_000, tzinfo=UTC)
TICK = timedelta(microseconds=1)
VISITS = schema_of({"id": "integer", "at": "timestamp", "local": "datetime", "day": "date"}, "id")
MOMENTS = (NOW - timedelta(days=400), NOW - TICK, NOW, NOW + TICK)


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


def visits():
    rows = [(n, at, at.replace(tzinfo=None), at.date()) for n, at in enumerate(MOMENTS, 1)]
    return frame_of(VISITS, *rows, (5, None, None, None))


def allowed(deleted, there):
    """Any number may go."""


def ids(place):
    return sorted(int(row[0]) for row in place.execute("SELECT id FROM orders"))


@pytest.mark.parametrize(
    ("column", "kind", "old"), [("at", "timestamp", 2), ("local", "datetime", 2), ("day", "date", 1)]
)
def test_what_is_older_goes_to_the_microsecond(place, column, kind, old):
    """Rows before the instant go, that of the instant and later ones stay, and so do rows without a time."""
    destination = place.open()
    assert offers(place.open(), Retaining)
    aged = Aged(column, kind, NOW)
    assert destination.aged("orders", aged) == (0, 0)
    assert destination.delete_aged(FLOW, "orders", aged, allowed) == 0
    destination.open(target_of(VISITS)).write(visits(), "c1")
    assert destination.aged("orders", aged) == (old, 5)
    assert destination.delete_aged(FLOW, "orders", aged, allowed) == old
    assert ids(place) == [n for n in (1, 2, 3, 4, 5) if n > old]
    assert destination.delete_aged(FLOW, "orders", aged, allowed) == 0
    assert destination.aged("orders", Aged("gone", kind, NOW)) == (0, 0)
    assert destination.checkpoint(FLOW) == "c1"


def test_what_is_refused_stays_whole(place):
    """Where the number is refused nothing goes, and who was followed deletes nothing either."""
    first, second = place.open(), place.open()
    first.fence(FLOW, Fence("l", 1))
    first.open(target_of(VISITS)).write(visits(), "c1")
    aged = Aged("at", "timestamp", NOW)

    def refused(deleted, there):
        raise Denied(f"{deleted} of {there()}", code="SYN527")

    with pytest.raises(Denied, match="2 of 5"):
        first.delete_aged(FLOW, "orders", aged, refused)
    second.fence(FLOW, Fence("l", 2))
    with pytest.raises(Denied):
        first.delete_aged(FLOW, "orders", aged, allowed)
    assert ids(place) == [1, 2, 3, 4, 5]
