"""Fences of SQL destinations: a run that was followed while it was slow writes nothing more."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Again, Denied
from syncline.sdk.destination import Fence, Removal, Rendered
from tests.contract.sql_places import DIALECTS, FLOW, Place, frame_of, place_of, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from syncline.connectors.sql.destination import SqlDestination
    from syncline.connectors.sql.writer import SqlWriter
    from syncline.sdk.destination import WriteMode

ORDERS = schema_of({"id": "integer", "total": "decimal(14,2)"}, "id")
FIRST, SECOND = Fence("state", 1), Fence("state", 3)


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    made = place_of(request.param, request, tmp_path)
    yield made
    made.close()


def rows(*ids: int) -> pl.DataFrame:
    return frame_of(ORDERS, *((i, Decimal("1.00")) for i in ids))


def begun(place: Place, mode: WriteMode = "append", fence: Fence = FIRST) -> tuple[SqlDestination, SqlWriter]:
    """A run that has taken its flow, and written a row and a checkpoint."""
    destination = place.open()
    destination.fence(FLOW, fence)
    writer = destination.open(target_of(ORDERS, mode))
    writer.write(rows(1), "1")
    return destination, writer


def ids(place: Place) -> list[int]:
    return [number for number, _ in place.read("orders", ORDERS)]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_once_a_later_run_has_the_flow_the_earlier_one_writes_nothing(place, mode):
    """Of the earlier run nothing lands any more, neither rows nor checkpoint, deletes or its end; the later one goes on."""
    slow, late = begun(place, mode)
    follower = place.open()
    follower.fence(FLOW, SECOND)
    assert follower.checkpoint(FLOW) == "1"

    gone = Removal(rows(1).select("id"), "", lambda *_: None)
    attempts = [
        lambda: late.write(rows(2), "late"),
        lambda: late.write_removing(Rendered(rows()), gone, lambda _: "late"),
        lambda: late.finish("late"),
        lambda: slow.forget(FLOW),
        lambda: slow.move("acme/Sync/former", FLOW),
    ]
    for attempt in attempts:
        with pytest.raises(Denied) as caught:
            attempt()
        assert caught.value.code == "SYN680"
    follower.open(target_of(ORDERS, mode)).write(rows(2), "2")

    assert ids(place) == [1, 2]
    assert follower.checkpoint(FLOW) == "2"


def test_an_earlier_token_can_not_take_a_flow_back(place):
    """A token that is behind what the destination has seen is refused, unless the flow is read anew."""
    begun(place, fence=SECOND)
    with pytest.raises(Denied, match="a later run has taken") as caught:
        place.open().fence(FLOW, FIRST)
    assert caught.value.code == "SYN681"
    assert "--full-refresh" in caught.value.help

    again = place.open()
    again.fence(FLOW, FIRST, anew=True)
    again.open(target_of(ORDERS, "append")).write(rows(2), "2")
    assert ids(place) == [1, 2]


def test_the_same_token_takes_a_flow_again(place):
    """A run that opens its destination twice is one run."""
    begun(place)
    _, writer = begun(place)
    writer.write(rows(2), "2")
    assert ids(place) == [1, 1, 2]


def test_another_state_counts_for_itself(place):
    """Tokens of a state that was made anew begin low: its run takes the flow, and one of the old state writes no more."""
    _, old = begun(place, fence=Fence("old", 70))
    new = place.open()
    new.fence(FLOW, Fence("new", 1))
    new.open(target_of(ORDERS, "append")).write(rows(2), "2")
    with pytest.raises(Denied):
        old.write(rows(3), "3")
    assert ids(place) == [1, 2]


def test_of_two_first_runs_one_begins(place):
    """Where both found nothing there, the one that comes second begins again, from what the first one has written."""
    slow, quick = place.open(), place.open()
    slow.fence(FLOW, FIRST)
    quick.fence(FLOW, SECOND)
    assert slow.checkpoint(FLOW) is None
    assert quick.checkpoint(FLOW) is None
    late = slow.open(target_of(ORDERS, "append"))
    late.write(rows(1), "1")
    with pytest.raises(Again) as caught:
        quick.open(target_of(ORDERS, "append"))
    assert caught.value.code == "SYN680"
    with pytest.raises(Denied):
        late.write(rows(2), "2")
    assert ids(place) == [1]


def test_who_has_a_flow_under_its_former_name_is_refused(place):
    """After a rename, a run that still writes under the old name writes nothing more."""
    _, late = begun(place)
    renamed = place.open()
    renamed.fence("acme/Sync/renamed", Fence("state", 1))
    renamed.move(FLOW, "acme/Sync/renamed")
    with pytest.raises(Denied):
        late.write(rows(2), "2")
    assert renamed.checkpoint("acme/Sync/renamed") == "1"
    # The lease of the old name has moved on as well by the time that somebody uses the name again.
    place.open().fence(FLOW, Fence("state", 3))


def test_a_replaced_table_is_not_swapped_by_a_run_that_was_followed(place):
    """What a slow run gathered for a table never takes the place of the later run's rows."""
    place.open().open(target_of(ORDERS, "upsert", run="run-0")).write(rows(7), "7")
    _, late = begun(place, "replace")
    follower = place.open()
    follower.fence(FLOW, SECOND)
    with pytest.raises(Denied):
        late.finish("late")
    assert ids(place) == [7]


def test_destinations_of_earlier_versions_get_the_table(place):
    """A destination that has checkpoints and no fences is taken like any other, and keeps its checkpoint."""
    place.open().open(target_of(ORDERS, "append")).write(rows(1), "1")
    place.execute('DROP TABLE IF EXISTS "_syncline_fences"')
    destination, writer = begun(place)
    assert destination.checkpoint(FLOW) == "1"
    writer.write(rows(2), "2")
    assert ids(place) == [1, 1, 2]


def test_whoever_takes_a_flow_waits_for_the_commit_that_is_under_way(place, monkeypatch):
    """The checkpoint that is read after taking a flow holds everything that its former holder has written."""
    _, writer = begun(place)
    reached, go_on = threading.Event(), threading.Event()
    save = writer._ledger.save

    def slow_save(*values: str) -> None:
        reached.set()
        go_on.wait(60)
        save(*values)

    monkeypatch.setattr(writer._ledger, "save", slow_save)
    writing = threading.Thread(target=lambda: writer.write(rows(2), "2"))
    writing.start()
    assert reached.wait(60)
    found: list[str | None] = []

    def take() -> None:
        follower = place.open()
        follower.fence(FLOW, SECOND)
        found.append(follower.checkpoint(FLOW))

    taking = threading.Thread(target=take)
    taking.start()
    taking.join(0.3)
    assert not found
    go_on.set()
    writing.join(60)
    taking.join(60)
    assert found == ["2"]
    assert ids(place) == [1, 2]
