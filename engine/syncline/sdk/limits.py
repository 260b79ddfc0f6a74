"""Rate limits that are kept by waiting: never more than so many requests in any span of so many seconds.

An `Account` is everything that holds back requests to one provider account: its rates, how many may be under way, and
what the server said. All clients of a process that use the account share one, so that what one of them is told slows
down the others.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from syncline.model.errors import Again
from syncline.sdk.announced import used_up
from syncline.sdk.clock import Clock
from syncline.sdk.retry import MAX_WAIT, reset_after, server_time

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Those who wait for the same moment come within a second of it, not all at once.
_SPREAD = 1.0
#: Seconds that others are waited for before it is told.
_QUIET = 2.0

_BUSY = "has as many requests under way as its account may have"

#: Hears for how many seconds a request is going to wait, and why, as what its host does or has.
Told = Callable[[float, str], None]


class Rule(Struct, frozen=True):
    """
    A limit: `count` requests in `seconds` for paths that start with `match` (empty: all), and the response headers
    that tell how many are left and when there are more.

    >>> Rule(100, 60.0, match="/search", remaining="X-RateLimit-Remaining").count
    100
    """

    count: int
    seconds: float
    match: str = ""
    remaining: str = ""
    reset: str = ""


class Bucket(Protocol):
    """Where the right to send comes from; asked by one thread at a time.

    >>> class Free:
    ...     def take(self) -> float:
    ...         return 0.0
    ...     def block(self, seconds: float) -> None:
    ...         pass
    >>> bucket: Bucket = Free()
    """

    def take(self) -> float:
        """0.0: one request may be sent now, and is counted. Else the seconds after which to ask again."""

    def block(self, seconds: float) -> None:
        """Nothing is to be sent for so long."""


class Window:
    """A bucket of this process alone: the times of the last requests.

    >>> from syncline.sdk.clock import SystemClock
    >>> window = Window(1, 60.0, SystemClock())
    >>> window.take(), window.take() > 59
    (0.0, True)
    """

    def __init__(self, count: int, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=count)
        self._blocked_until = 0.0

    def take(self) -> float:
        now = self._clock.monotonic()
        free = self._sent[0] + self._seconds if len(self._sent) == self._sent.maxlen else now
        pause = max(free, self._blocked_until) - now
        if pause <= 0:
            self._sent.append(now)
            return 0.0
        return pause

    def block(self, seconds: float) -> None:
        self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)


def _untold(seconds: float, why: str) -> None:
    del seconds, why


def _acquired(what: threading.Lock | threading.BoundedSemaphore, tell: Callable[[], None]) -> bool:
    """Waits for others, as long as may be, and tells where it isn't at once; whether there was an end of it."""
    if what.acquire(timeout=_QUIET):
        return True
    tell()
    return what.acquire(timeout=MAX_WAIT - _QUIET)


class Limiter:
    """Keeps one rule. Safe for threads: of those who wait one asks the bucket, and the others queue behind it.

    >>> from syncline.sdk.clock import SystemClock
    >>> limiter = Limiter(Rule(100, 60.0, match="/search"), SystemClock())
    >>> limiter.applies("/search/people"), limiter.applies("/me"), limiter.wait()
    (True, False, 0.0)
    """

    def __init__(self, rule: Rule, clock: Clock, bucket: Bucket | None = None, why: str = "") -> None:
        self.rule = rule
        self._why = why or f"has nothing left of its limit of {rule.count:,} requests in {rule.seconds:g} s"
        self._clock = clock
        self._bucket = bucket or Window(rule.count, rule.seconds, clock)
        self._turn = threading.Lock()

    def applies(self, path: str) -> bool:
        """Whether requests to a path count."""
        return path.startswith(self.rule.match)

    def wait(self, told: Told = _untold) -> float:
        """Waits until a request may be sent, which is counted, and returns the seconds waited."""
        if not _acquired(self._turn, lambda: told(_QUIET, self._why)):
            raise Again("others wait for the rate limit already", code="SYN404", after=MAX_WAIT)
        try:
            began = self._clock.monotonic()
            waited = 0.0
            while (pause := self._bucket.take()) > 0:
                if waited + pause > MAX_WAIT:
                    raise Again(f"the rate limit is used up for {pause:.0f} s", code="SYN404", after=pause)
                told(pause, self._why)
                self._clock.sleep(pause)
                waited = self._clock.monotonic() - began
            return waited
        finally:
            self._turn.release()

    def learn(self, headers: Mapping[str, str]) -> None:
        """Reads what the server says is left. Nothing left: wait for the reset, or for one whole span."""
        left = headers.get(self.rule.remaining.lower(), "").strip() if self.rule.remaining else ""
        if not left.isdecimal() or int(left) > 0:
            return
        now = server_time(headers, self._clock.now())
        reset = reset_after(headers.get(self.rule.reset.lower(), ""), now) if self.rule.reset else None
        self._bucket.block(self.rule.seconds if reset is None else reset)

    def block(self, seconds: float) -> None:
        """Sends nothing for so long, since the server asked for it."""
        self._bucket.block(seconds)


class Account:
    """What holds back requests to a provider account. Safe for threads.

    >>> from syncline.sdk.clock import SystemClock
    >>> account = Account([], SystemClock(), concurrency=4)
    >>> with account.turn("/tickets") as waited:
    ...     waited
    0.0
    """

    def __init__(
        self,
        limiters: Sequence[Limiter],
        clock: Clock,
        *,
        concurrency: int | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limiters = tuple(limiters)
        self._clock = clock
        self._chance = chance
        self._slots = threading.BoundedSemaphore(concurrency) if concurrency else None
        self._closed_until = 0.0
        self._closed = ""  # why

    @property
    def unlimited(self) -> bool:
        """Whether a request may be sent at any time."""
        return not self._limiters and self._slots is None and self._clock.monotonic() >= self._closed_until

    @contextmanager
    def turn(self, path: str, told: Told = _untold) -> Iterator[float]:
        """Waits for the right to send one request, which the block does; gives the seconds waited."""
        slots = self._slots
        if slots is not None and not _acquired(slots, lambda: told(_QUIET, _BUSY)):
            raise Again("the account's requests under way take too long", code="SYN404", after=MAX_WAIT)
        try:
            # The place first, the right to send last: it counts for the moment it is given.
            limits = (limiter for limiter in self._limiters if limiter.applies(path))
            yield self._admitted(told) + sum(limiter.wait(told) for limiter in limits)
        finally:
            if slots is not None:
                slots.release()

    def learn(self, path: str, headers: Mapping[str, str]) -> None:
        """
        Reads what the server says is left: in the headers that limits of the path declare, or else in the usual ones.

        Where the usual ones say that nothing is left, what `hold` holds up waits until there is more.
        """
        declared = False
        for limiter in self._limiters:
            if limiter.rule.remaining and limiter.applies(path):
                declared = True
                limiter.learn(headers)
        if not declared and (seconds := used_up(headers, self._clock.now)):
            self.hold(path, seconds, "announced that its quota is used up")

    def hold(self, path: str, seconds: float, why: str = "asked to wait") -> None:
        """The server asked to wait: what the path's narrowest limit covers waits, or everything where there is none."""
        applying = [limiter for limiter in self._limiters if limiter.applies(path) and limiter.rule.match]
        if applying:
            max(applying, key=lambda limiter: len(limiter.rule.match)).block(seconds)
        elif (until := self._clock.monotonic() + seconds) > self._closed_until:
            self._closed_until, self._closed = until, why

    def _admitted(self, told: Told) -> float:
        """Waits while the server wants to hear nothing from this account."""
        waited = 0.0
        while (pause := self._closed_until - self._clock.monotonic()) > 0:
            if waited + pause > MAX_WAIT:
                raise Again(f"the API asked to wait for {pause:.0f} s", code="SYN404", after=pause)
            pause += self._chance() * min(_SPREAD, pause)
            told(pause, self._closed)
            self._clock.sleep(pause)
            waited += pause
        return waited
