"""
Parts of imports that are read and aren't committed yet: how many one run may have, and all runs of a process together.

They are what a run has in memory, and what a kill has read again. A run may always have one, so that none waits for
others to end; beyond that, each has its share of what the process may have, while there is room. Of all parts, no more
are mapped at the same time than there are cores for: that takes the most memory.
"""

from __future__ import annotations

import os
from threading import BoundedSemaphore, Condition

from syncline.sdk.source import BATCH_BYTES, BATCH_ROWS

#: Parts of an import that may be under way at once. Together they are as large as one batch of a sync, so that a kill
#: has as much as that read again, and no more, however many threads there are.
PARTS = 4

#: Bytes of source that a part is made of, and its records at most.
PART_BYTES, PART_ROWS = BATCH_BYTES // PARTS, BATCH_ROWS // PARTS


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_for(cores: int) -> int:
    """Parts that a process may have: on two cores, as many as three imports may have by themselves."""
    return 4 * cores + 4


class InFlight:
    """
    The room of a process.

    >>> room = InFlight(4)
    >>> one, other = room.join(3), room.join(3)
    >>> [one.take(0), one.take(0), one.take(0)]
    [True, True, False]
    >>> other.leave()
    >>> one.take(0)
    True
    """

    def __init__(self, parts: int, at_once: int = 2) -> None:
        self._parts = parts
        self.working = BoundedSemaphore(at_once)
        self._seats: list[Seat] = []
        self.changed = Condition()

    def join(self, most: int) -> Seat:
        """A run's place, which leaves again; it may have `most` parts."""
        seat = Seat(self, most)
        with self.changed:
            self._seats.append(seat)
        return seat

    def has_room(self, seat: Seat) -> bool:
        """Whether a run may have one more. `changed` is held."""
        if not seat.held:
            return True
        share = max(1, self._parts // len(self._seats))
        return seat.held < min(seat.most, share) and sum(other.held for other in self._seats) < self._parts

    def remove(self, seat: Seat) -> None:
        """A run has none any more. `changed` is held."""
        if seat in self._seats:
            self._seats.remove(seat)

    def close(self) -> None:
        """Nothing is to be closed."""


class Seat:
    """A run's place in an `InFlight`. From any thread."""

    def __init__(self, room: InFlight, most: int) -> None:
        self._room = room
        self.working = room.working
        self.most = most
        self.held = 0

    def take(self, seconds: float) -> bool:
        """Waits that long for room for one more part; whether there is."""
        with self._room.changed:
            if not self._room.changed.wait_for(lambda: self._room.has_room(self), seconds):
                return False
            self.held += 1
            return True

    def give(self) -> None:
        """A part is committed, or was none."""
        with self._room.changed:
            self.held = max(0, self.held - 1)
            self._room.changed.notify_all()

    def leave(self) -> None:
        """The run has ended, with whatever it had."""
        with self._room.changed:
            self.held = 0
            self._room.remove(self)
            self._room.changed.notify_all()
