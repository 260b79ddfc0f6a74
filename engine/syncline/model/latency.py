"""How long the batches of a run took, from their reading to their commit: quantiles that bounded memory can tell.

Durations fall into classes of which each is 2 % wider than the one before it (an HDR histogram, with two digits). So a
quantile is right to 1 %, however many batches there are, and the largest is exact.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

#: How much wider a class is than the one before it.
_WIDER = math.log(1.02)
#: The shortest and the longest that are told apart, in seconds: a microsecond and a month. That makes 1,500 classes.
_SHORTEST, _LONGEST = 1e-6, 2_678_400.0


class Quantiles(Struct, frozen=True):
    """Durations in seconds: the one that half of all are at most, the one that 99 % are, and the longest."""

    p50: float
    p99: float
    max: float


class Durations(Struct):
    """Durations that were seen, in seconds.

    >>> seen = Durations()
    >>> for milliseconds in range(1, 1001):
    ...     seen.add(milliseconds / 1000)
    >>> found = seen.quantiles()
    >>> round(found.p50, 1), round(found.p99, 1), found.max
    (0.5, 1.0, 1.0)
    """

    count: int = 0
    longest: float = 0.0
    _classes: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.longest = max(self.longest, seconds)
        self._classes[round(math.log(min(max(seconds, _SHORTEST), _LONGEST)) / _WIDER)] += 1

    def quantiles(self) -> Quantiles:
        """What can be told of them; zeros where there are none."""
        return Quantiles(self._upto(0.5), self._upto(0.99), round(self.longest, 6))

    def _upto(self, share: float) -> float:
        """The duration that such a share of them are at most, by the nearest rank."""
        left = math.ceil(share * self.count)
        for number, count in sorted(self._classes.items()):
            left -= count
            if left <= 0:
                return round(min(math.exp(number * _WIDER), self.longest), 6)
        return 0.0


class Latency(Struct, frozen=True):
    """Of `batches` of a run: how long each took from the beginning of its reading to its commit, and its phases.

    Of a run that was continued they are those that were committed since. `read` is until the source gave it, `map`
    mapping and checking, `write` from the moment at which it is sent until it is committed; what a batch waits for its
    turn in between is in `whole` only.
    """

    batches: int
    whole: Quantiles
    read: Quantiles
    map: Quantiles
    write: Quantiles

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Latency:
        """From what `msgspec.structs.asdict` gave."""
        return cls(data["batches"], *(Quantiles(**data[name]) for name in ("whole", "read", "map", "write")))


class Timing(Struct):
    """A batch under way: when its reading began and when it was sent, by a clock, and seconds that phases took."""

    begun: float
    read: float
    map: float = 0.0
    sent: float | None = None


class Latencies(Struct):
    """What batches took that are committed."""

    _whole: Durations = field(default_factory=Durations)
    _read: Durations = field(default_factory=Durations)
    _map: Durations = field(default_factory=Durations)
    _write: Durations = field(default_factory=Durations)

    def add(self, timing: Timing, committed: float) -> None:
        """One more, committed at that time of the same clock."""
        self._whole.add(committed - timing.begun)
        self._read.add(timing.read)
        self._map.add(timing.map)
        self._write.add(committed - (committed if timing.sent is None else timing.sent))

    def told(self) -> Latency | None:
        """What a receipt says of them; None where there were none."""
        if not self._whole.count:
            return None
        parts = (self._whole, self._read, self._map, self._write)
        return Latency(self._whole.count, *(part.quantiles() for part in parts))
