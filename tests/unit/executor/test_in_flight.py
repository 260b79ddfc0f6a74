"""How much all imports of a process may have under way together, and each of them."""

from __future__ import annotations

import threading

from syncline.executor.services.in_flight import PART_BYTES, PART_ROWS, PARTS, InFlight, parts_for
from syncline.sdk.source import BATCH_BYTES, BATCH_ROWS


def taken(seat):
    """How many more a run gets now."""
    count = 0
    while seat.take(0):
        count += 1
    return count


def test_one_run_alone_has_as_much_as_it_asks_for():
    """Its own limit counts, and that of the process."""
    assert taken(InFlight(10).join(3)) == 3
    assert taken(InFlight(2).join(3)) == 2


def test_runs_share_what_there_is():
    """Who comes late gets its share as soon as others give back what is above theirs."""
    room = InFlight(6)
    first = room.join(9)
    assert taken(first) == 6
    second, third = room.join(9), room.join(9)
    assert (taken(second), taken(third)) == (1, 1)  # one is always there
    for _ in range(5):
        first.give()
    assert (taken(first), taken(second), taken(third)) == (1, 1, 1)


def test_none_is_kept_from_going_on():
    """With more runs than parts, each still has one."""
    room = InFlight(2)
    assert [taken(room.join(4)) for _ in range(5)] == [2, 1, 1, 1, 1]


def test_what_is_given_back_wakes_who_waits():
    """Also by a run that ends with all that it had."""
    room = InFlight(1)
    one, other = room.join(1), room.join(1)
    assert one.take(0)
    assert other.take(0)
    waits = threading.Thread(target=lambda: found.append(other.take(10)))
    found: list[bool] = []
    waits.start()
    one.leave()
    other.give()
    waits.join(5)
    assert found == [True]


def test_parts_that_are_under_way_are_a_batch_together():
    """That is what a kill has read again, at most; three imports at once have all that they may have on two cores."""
    assert (PARTS * PART_BYTES, PARTS * PART_ROWS) == (BATCH_BYTES, BATCH_ROWS)
    assert parts_for(2) == 3 * PARTS
