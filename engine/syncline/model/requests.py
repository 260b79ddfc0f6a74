"""What the requests of a run came to, by the host that they went to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from syncline.model.latency import Durations, Quantiles

_COUNTED = ("requests", "retries", "throttled", "bytes", "failures", "breaker_opens")


class Requests(Struct, frozen=True):
    """Requests to one host: how many were sent, how many of these again, how often a limit held one back, the bytes of
    their answers, how many failed, how often the circuit breaker opened, and how long answers took.
    """

    host: str
    requests: int
    retries: int
    throttled: int
    bytes: int
    failures: int
    breaker_opens: int
    latency: Quantiles

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Requests:
        """From what `msgspec.structs.asdict` gave."""
        return cls(**{**data, "latency": Quantiles(**data["latency"])})


def requests_from_json(data: Iterable[Mapping[str, Any]]) -> tuple[Requests, ...]:
    """Those of a receipt, from what it kept."""
    return tuple(Requests.from_json(each) for each in data)


class Traffic(Struct):
    """How long exchanges took, by host, while a run goes on. The counts come with what is asked of it at the end.

    >>> traffic = Traffic()
    >>> traffic.took("api.example.com", 0.25)
    >>> told = traffic.told({"requests": 1, "requests/api.example.com": 1, "bytes/api.example.com": 70})
    >>> [(each.host, each.requests, each.bytes, each.latency.max) for each in told]
    [('api.example.com', 1, 70, 0.25)]
    """

    _durations: dict[str, Durations] = {}

    def took(self, host: str, seconds: float) -> None:
        """One more. By one thread at a time."""
        found = self._durations.get(host)
        if found is None:
            found = self._durations[host] = Durations()
        found.add(seconds)

    def told(self, counters: Mapping[str, float]) -> tuple[Requests, ...]:
        """What there is to tell by these counters, the host with most requests first."""
        hosts = {
            host for name, _, host in (counter.partition("/") for counter in counters) if name in _COUNTED and host
        }
        found = [
            Requests(
                host,
                **{name: int(counters.get(f"{name}/{host}", 0)) for name in _COUNTED},
                latency=self._durations.get(host, Durations()).quantiles(),
            )
            for host in hosts
        ]
        return tuple(sorted(found, key=lambda each: (-each.requests, each.host)))
