"""When a read began, which is what `now` is in its templates, and stays when it is gone on with after a failure.

In other requests `now` is when one is made: `Client.now`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from syncline.sdk import times
from syncline.sdk.batch import Position

#: Where a position keeps it, and what templates call it.
NOW: Final = "now"


class Began:
    """The Unix time at which a read began. It is in positions only of reads whose requests read it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._seconds = int(now())
        self._now = now
        self._read = False

    def resumed(self, position: Position | None) -> Position | None:
        """Takes the time from the position that a read goes on at; gives the position without it."""
        found = (position or {}).get(NOW)
        self._read = isinstance(found, int)
        self._seconds = found if isinstance(found, int) else int(self._now())
        return position if position is None else {name: value for name, value in position.items() if name != NOW}

    def text(self) -> str:
        """It, as templates read it."""
        self._read = True
        return times.iso(self._seconds)

    def kept(self, position: Position, *, last: bool) -> Position:
        """A position with the time, until the read has ended: the next one begins anew."""
        return {**position, NOW: self._seconds} if self._read and not last else position
