"""Leaving a destination: nothing of ours is left beside the rows, in each database and in folders of files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncline.connectors.file.destination import FileDestination
from syncline.model.errors import SynclineError
from syncline.sdk.destination import Fence
from syncline.sdk.leaving import Leaving
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Keeping
from tests.contract import file_places
from tests.contract.sql_places import FLOW, frame_of, place_of, schema_of, target_of

ORDERS = schema_of({"id": "integer", "title": "string"}, "id")
ROWS = frame_of(ORDERS, (1, "one"), (2, "two"))
OTHER = "acme/Sync/others"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "duckdb"])
def place(request, tmp_path):
    """A database of each kind, with nothing in it."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


def _in_clear(data, about):
    del about
    return data


def ours(place):
    """Names of the tables that are ours."""
    return {name for name in place.tables() if "_syncline" in name}


def test_nothing_of_ours_is_left_but_the_rows(place):
    """Position, fence and all else of the last flow go with the tables that held them; rows stay, and twice is once."""
    destination = place.open()
    destination.fence(FLOW, Fence("state", 3))
    destination.open(target_of(ORDERS, "upsert")).write(ROWS, "c1")
    assert ours(place)

    assert offers(destination, Leaving)
    destination.leave("orders", FLOW)
    destination.leave("orders", FLOW)
    again = place.open()  # as after a kill before anybody heard of it
    again.fence(FLOW, Fence("state", 4), anew=True)
    again.leave("orders", FLOW)

    assert ours(place) == set()
    assert len(place.read("orders", ORDERS)) == 2
    assert place.open().checkpoint(FLOW) is None


def test_what_is_another_flows_stays(place):
    """A flow that leaves takes nothing of another one with it."""
    destination = place.open()
    for flow, stream in ((FLOW, "orders"), (OTHER, "others")):
        destination.fence(flow, Fence("state", 3))
        destination.open(target_of(ORDERS, "upsert", flow=flow, stream=stream)).write(ROWS, "c1")

    destination.leave("orders", FLOW)

    assert destination.checkpoint(FLOW) is None
    assert destination.checkpoint(OTHER) == "c1"
    assert destination.owner("others").ours
    assert not destination.owner("orders").ours


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_was_kept_to_undo_goes(dialect, request, tmp_path):
    """Images of rows as they were before are gone, and with them their table."""
    place = place_of(dialect, request, tmp_path)
    destination = place.open()
    target = target_of(ORDERS, "upsert", keeping=Keeping(timedelta(days=1).total_seconds(), _in_clear))
    destination.open(target).write(ROWS, "c1")
    assert "_syncline_images" in place.tables()

    destination.leave("orders", FLOW)

    assert ours(place) == set()
    place.close()


def test_a_run_that_slept_meanwhile_writes_nothing_more(place):
    """Whoever had the flow is refused after it left."""
    slow = place.open()
    slow.fence(FLOW, Fence("state", 1))
    writer = slow.open(target_of(ORDERS, "upsert"))
    writer.write(ROWS, "c1")
    leaving = place.open()
    leaving.fence(FLOW, Fence("state", 2))
    leaving.leave("orders", FLOW)

    with pytest.raises(SynclineError):
        writer.write(frame_of(ORDERS, (3, "three")), "c2")
    assert len(place.read("orders", ORDERS)) == 2


def test_a_replacement_that_was_under_way_goes(place):
    """New content that a run had gathered isn't left behind."""
    destination = place.open()
    destination.open(target_of(ORDERS, "replace")).write(ROWS, "c1")

    destination.leave("orders", FLOW)

    assert ours(place) == set()


def test_a_folder_of_files_keeps_what_says_which_parts_count(tmp_path: Path):
    """The list of parts stays and names no flow; the fence goes, and its folder with the last."""
    destination = file_places.destination(tmp_path, format="jsonl")
    assert isinstance(destination, FileDestination)
    destination.fence(FLOW, Fence("state", 1))
    writer = destination.open(target_of(ORDERS, "append"))
    writer.write(ROWS, "c1")
    assert FLOW in (tmp_path / "orders" / "_syncline.json").read_text()

    destination.leave("orders", FLOW)
    destination.leave("orders", FLOW)

    assert FLOW not in (tmp_path / "orders" / "_syncline.json").read_text()
    assert not (tmp_path / ".fences").exists()
    assert len(file_places.rows(tmp_path, "orders", ORDERS)) == 2
