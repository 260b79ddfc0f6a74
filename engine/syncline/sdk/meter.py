"""What a client counts of its requests: totals, and by host. Counters only, so that hours and processes add up.

| counter              | counts                                                                              |
|----------------------|-------------------------------------------------------------------------------------|
| `requests`           | requests sent, those of redirects and further attempts included                      |
| `answers`            | answers that were accepted: progress                                                |
| `retries`            | attempts after the first                                                            |
| `throttled`          | requests that a limit held back, and answers that said there were too many           |
| `bytes`              | bytes of answers' bodies, unpacked                                                  |
| `failures`           | exchanges without a whole answer, and answers from status 500 on                     |
| `seconds`            | from sending until the whole answer was there, summed                                |
| `breaker_opens`      | times that a circuit breaker opened                                                 |
| `requests/HOST`, …   | the same, of one host                                                               |
| `latency/HOST/LIMIT` | answers within LIMIT seconds and above the next smaller one: a histogram, not summed |
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping

from syncline.sdk.announced import announced_ending

_LIMITS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_SHOWN = (*(f"{limit:g}" for limit in _LIMITS), "inf")
#: Seconds from which on a wait is told: a shorter one is over before it is read.
_TOLD = 2.0


class Meter:
    """Counts for a client, by a function from name and value; `notice` hears what an API says of its own end, `took`
    how long each exchange with a host took, and `waits` how long a request is going to wait, and why.

    >>> from collections import Counter
    >>> counted = Counter()
    >>> Meter(lambda name, value: counted.update({name: value})).answered("api.example.com", 0.2, size=7, ok=True)
    >>> counted["requests"], counted["bytes/api.example.com"], counted["latency/api.example.com/0.3"]
    (1, 7, 1)
    """

    def __init__(
        self,
        count: Callable[[str, float], None],
        notice: Callable[[str], None] = lambda _: None,
        took: Callable[[str, float], None] = lambda _host, _seconds: None,
        waits: Callable[[float, str], None] = lambda _seconds, _why: None,
    ) -> None:
        self._count = count
        self._notice = notice
        self._took = took
        self._waits = waits

    def answered(self, host: str, seconds: float, *, size: int, ok: bool) -> None:
        """An exchange took so long; `size` bytes came."""
        self._both("requests", host, 1)
        self._both("seconds", host, seconds)
        self._both("bytes", host, size)
        if not ok:
            self._both("failures", host, 1)
        self._count(f"latency/{host}/{_SHOWN[bisect_left(_LIMITS, seconds)]}", 1)
        self._took(host, seconds)

    def accepted(self) -> None:
        """An answer was one to go on with: progress, even where no record came of it."""
        self._count("answers", 1)

    def retried(self, host: str) -> None:
        """A request is sent again."""
        self._both("retries", host, 1)

    def throttled(self, host: str) -> None:
        """A request had to wait for a limit, or came too early."""
        self._both("throttled", host, 1)

    def waiting(self, host: str, seconds: float, why: str) -> None:
        """A request to a host waits for so long from now on; `why` says what the host does or has. Short ones aren't
        told.
        """
        if seconds >= _TOLD:
            self._waits(seconds, f"{host} {why}")

    def ending(self, host: str, headers: Mapping[str, str]) -> None:
        """An answer may announce the end of the API (RFC 9745, RFC 8594): said once an answer, in words for people."""
        if (found := announced_ending(headers)) is not None:
            self._notice(f"{host}: {found.describe()}")

    def opened(self, host: str) -> None:
        """A host's circuit breaker opened."""
        self._both("breaker_opens", host, 1)

    def _both(self, name: str, host: str, value: float) -> None:
        self._count(name, value)
        self._count(f"{name}/{host}", value)
