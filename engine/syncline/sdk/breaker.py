"""A circuit breaker: after many failures of a host nobody asks it for a while, then one request tries.

Closed: requests go, and the last outcomes are counted. Open: none go. Half-open: one goes, and its outcome decides. All
transitions are in the table below; there are no others.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from enum import StrEnum

from msgspec import Struct

from syncline.sdk.clock import Clock

#: While one request tries, the others look again after so many seconds.
_PROBING = 1.0


class State(StrEnum):
    """Where a breaker stands.

    >>> State.half_open.value
    'half-open'
    """

    closed = "closed"
    open = "open"
    half_open = "half-open"


#: `trip`: too many of the last outcomes failed. `cool`: it was open for long enough, or the probe had no outcome for as
#: long, so that another may go. The others: the probe's outcome.
TRANSITIONS = {
    (State.closed, "trip"): State.open,
    (State.open, "cool"): State.half_open,
    (State.half_open, "cool"): State.half_open,
    (State.half_open, "succeed"): State.closed,
    (State.half_open, "fail"): State.open,
}


class Trip(Struct, frozen=True):
    """When a breaker opens: at `failures` of the last `window` outcomes; and for how many seconds it stays open.

    >>> Trip.parse("50% of 20", 60.0)
    Trip(failures=10, window=20, seconds=60.0)
    """

    failures: int
    window: int
    seconds: float

    @classmethod
    def parse(cls, text: str, seconds: float) -> Trip:
        """Reads `5 of 10` or `50% of 20`; ValueError for anything else.

        >>> Trip.parse("5 of 10", 30.0).failures
        5
        """
        found = re.fullmatch(r"(\d+)(%?) of (\d+)", text)
        if found is None:
            msg = f"{text!r} is not a share of the last outcomes: expected 5 of 10, or 50% of 20"
            raise ValueError(msg)
        count, window = int(found[1]), int(found[3])
        failures = -(-count * window // 100) if found[2] else count
        if not 0 < failures <= window <= 1000:
            msg = f"{text!r} can never happen: expected a part of at least 1 and at most 1,000 outcomes"
            raise ValueError(msg)
        return cls(failures, window, seconds)


class Breaker:
    """The breaker of one host. Safe for threads.

    >>> from syncline.sdk.clock import SystemClock
    >>> breaker = Breaker(Trip(failures=2, window=5, seconds=60.0), SystemClock())
    >>> [breaker.tell(breaker.ask(), ok=False) for _ in range(2)]
    [False, True]
    >>> breaker.state.value, breaker.wait() > 59
    ('open', True)
    """

    def __init__(self, trip: Trip, clock: Clock) -> None:
        self._trip = trip
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.closed
        self._last: deque[bool] = deque(maxlen=trip.window)
        self._until = 0.0  # open: when it cools; half-open: when another probe may go, should this one never end
        self._turn = 0  # rises with each transition: outcomes of requests sent before it don't count any more
        self.opened = 0

    @property
    def state(self) -> State:
        """Where it stands now."""
        return self._state

    def wait(self) -> float:
        """Seconds until a request may be tried; 0.0 while it is closed."""
        match self._state:
            case State.closed:
                return 0.0
            case State.half_open:
                return _PROBING
            case State.open:
                return max(self._until - self._clock.monotonic(), 0.0)

    def ask(self) -> int | None:
        """A ticket for one request, whose outcome is to be told; None where none may be sent now (see `wait`)."""
        if self.state is State.closed:
            return self._turn
        with self._lock:
            if self._state is not State.closed:
                now = self._clock.monotonic()
                if now < self._until:
                    return None
                self._go("cool")
                self._until = now + self._trip.seconds
            return self._turn

    def tell(self, ticket: int, *, ok: bool) -> bool:
        """Notes how a request ended; True where that opened it."""
        if ok and self._state is State.closed and not self._last:
            return False  # the usual case: successes matter only for what failed before them
        with self._lock:
            if ticket != self._turn:
                return False
            if self._state is State.half_open:
                self._go("succeed" if ok else "fail")
            else:
                self._last.append(ok)
                if self._last.count(False) >= self._trip.failures:
                    self._go("trip")
                elif False not in self._last:
                    self._last.clear()
            return self._state is State.open

    def _go(self, event: str) -> None:
        self._state = TRANSITIONS[self._state, event]
        self._turn += 1
        self._last.clear()
        if self._state is State.open:
            self.opened += 1
            self._until = self._clock.monotonic() + self._trip.seconds
