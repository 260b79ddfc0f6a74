"""Time as a parameter, so that what waits can be tested without waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A clock. All values are in seconds.

    A test's clock moves when it is told to:

    >>> class Stopped:
    ...     time = 0.0
    ...     def now(self) -> float:
    ...         return self.time
    ...     monotonic = now
    ...     def sleep(self, seconds: float) -> None:
    ...         self.time += seconds
    >>> clock: Clock = Stopped()
    >>> clock.sleep(3600)
    >>> clock.now()
    3600.0
    """

    def now(self) -> float:
        """Unix time: for dates that others gave or will read."""

    def monotonic(self) -> float:
        """Time that never jumps: for deadlines and waits."""

    def sleep(self, seconds: float) -> None:
        """Returns after that long."""


class SystemClock:
    """The clock of this machine.

    >>> SystemClock().now() > 1_700_000_000
    True
    """

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
