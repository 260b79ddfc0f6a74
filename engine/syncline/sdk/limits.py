"""Rate limits that a client keeps by itself: never more than so many requests in any span of so many seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from syncline.model.errors import Again
from syncline.sdk.clock import Clock
from syncline.sdk.retry import MAX_WAIT, reset_after


@dataclass(frozen=True, slots=True)
class Rule:
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


class Limiter:
    """Keeps one rule. Used by one thread.

    >>> from syncline.sdk.clock import SystemClock
    >>> limiter = Limiter(Rule(100, 60.0, match="/search"), SystemClock())
    >>> limiter.applies("/search/people"), limiter.applies("/me"), limiter.wait()
    (True, False, 0.0)
    """

    def __init__(self, rule: Rule, clock: Clock) -> None:
        self._rule = rule
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=rule.count)
        self._blocked_until = 0.0

    def applies(self, path: str) -> bool:
        """Whether requests to a path count."""
        return path.startswith(self._rule.match)

    def wait(self) -> float:
        """Waits until a request may be sent, notes it, and returns the seconds waited."""
        now = self._clock.monotonic()
        free = self._sent[0] + self._rule.seconds if len(self._sent) == self._rule.count else now
        pause = max(free, self._blocked_until) - now
        if pause > MAX_WAIT:
            raise Again(f"the rate limit is used up for {pause:.0f} s", code="SYN404", after=pause)
        if pause > 0:
            self._clock.sleep(pause)
        self._sent.append(self._clock.monotonic())
        return max(pause, 0.0)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Reads what the server says is left. Nothing left: wait for the reset, or for one whole span."""
        left = headers.get(self._rule.remaining.lower(), "").strip() if self._rule.remaining else ""
        if not left.isdecimal() or int(left) > 0:
            return
        reset = reset_after(headers.get(self._rule.reset.lower(), ""), self._clock.now()) if self._rule.reset else None
        pause = self._rule.seconds if reset is None else reset
        self._blocked_until = self._clock.monotonic() + pause
