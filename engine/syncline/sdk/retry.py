"""When to try again, and how long to wait: pure functions over statuses, headers and a random number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct

#: Longest wait inside a run, in seconds. A server that asks for more ends the run, which is then due again after it.
MAX_WAIT = 300.0
#: Longest wait that a server is believed, in seconds: a day. `Retry-After: 31536000` is a mistake or an attack.
MAX_BELIEVED = 86_400.0


class RetryPolicy(Struct, frozen=True):
    """What is retried (`429`, `5xx`, `timeout`, `connection`), how often in all, and the backoff in seconds.

    >>> policy = RetryPolicy(initial=1.0, max=120.0)
    >>> policy.retries_status(503), policy.retries_status(404)
    (True, False)
    >>> policy.backoff(attempt=4, chance=0.5)
    4.0
    """

    on: frozenset[int | str] = frozenset({429, "5xx", "timeout", "connection"})
    attempts: int = 6
    initial: float = 1.0
    max: float = 120.0
    honor: tuple[str, ...] = ("Retry-After",)

    def retries_status(self, status: int) -> bool:
        """Whether a response of that status is worth another attempt."""
        return status in self.on or (status >= 500 and "5xx" in self.on)

    def backoff(self, attempt: int, chance: float, at_least: float | None = None) -> float:
        """
        Seconds to wait after attempt 1, 2, …: exponential with full jitter, by a number in [0, 1).

        Never earlier than a server asked (`at_least`). What is added to that is spread over a second or, after several
        attempts, over as much as was asked for, so that many clients don't come back at the same moment.
        """
        bound = min(self.max, self.initial * 2.0 ** min(attempt - 1, 32))
        if at_least is None:
            return bound * chance
        return at_least + min(bound, max(1.0, at_least)) * chance


def retry_after(headers: Mapping[str, str], names: tuple[str, ...], now: float) -> float | None:
    """
    Seconds that a server asks to wait (RFC 9110, section 10.2.3): a number of seconds or an HTTP date.

    None for absent or unreadable values. At most `MAX_BELIEVED`, never negative. A date is one of the server's clock.

    >>> retry_after({"retry-after": "30"}, ("Retry-After",), now=0.0)
    30.0
    >>> retry_after({"retry-after": "soon"}, ("Retry-After",), now=0.0) is None
    True
    """
    now = server_time(headers, now)
    waits = [wait for name in names if (wait := _wait(headers.get(name.lower(), ""), now)) is not None]
    return max(waits, default=None)


def server_time(headers: Mapping[str, str], now: float) -> float:
    """
    The Unix time at which an answer was made by the clock that its dates are of: its Date header, or else `now`.

    A date of a kept copy (Age) says nothing, and one that is a day off is believed as little as a wait of a day.

    >>> server_time({"date": "Tue, 14 Nov 2023 22:15:00 GMT"}, now=1_700_000_000.0)
    1700000100.0
    """
    try:
        theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return now
    return theirs if "age" not in headers and abs(theirs - now) <= MAX_BELIEVED else now


def reset_after(value: str, now: float) -> float | None:
    """Seconds until a quota's reset, as seconds from now, a Unix time in seconds or milliseconds, or an HTTP date.

    >>> reset_after("1767603660", now=1767603600.0)
    60.0
    """
    try:
        number = float(value)
    except ValueError:
        return _wait(value, now)
    if not math.isfinite(number):
        return None
    if number > 1e11:
        number = number / 1000 - now
    elif number > 1e8:
        number -= now
    return min(max(number, 0.0), MAX_BELIEVED)


def _wait(value: str, now: float) -> float | None:
    value = value.strip()
    try:
        # Not float(): "nan", "inf" and "1e9" are no delay-seconds. Fractions are common enough to be read.
        if value.replace(".", "", 1).isdecimal() and value.isascii():
            return min(float(value), MAX_BELIEVED)
        return min(max(parsedate_to_datetime(value).timestamp() - now, 0.0), MAX_BELIEVED)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
