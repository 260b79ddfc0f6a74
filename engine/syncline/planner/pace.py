"""What reading takes of an API: requests and time, from declared limits and recorded counts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.locations import filled, settings_of
from syncline.model import units
from syncline.sdk.uri import escaped, normal

if TYPE_CHECKING:
    from syncline.kinds.rest_stream import RestStream
    from syncline.manifests.flow import Flow, Side


class Budget(Struct, frozen=True):
    """A declared limit: at most `count` requests in any `seconds`; `text` is as declared, `100/min`."""

    text: str
    count: int
    seconds: float

    def shortest(self, requests: int) -> float:
        """Seconds that so many requests take at least: the first `count` may be sent at once.

        >>> Budget("100/min", 100, 60.0).shortest(250)
        120.0
        """
        return max(math.ceil(requests / self.count) - 1, 0) * self.seconds


def budget(side: Side) -> Budget | None:
    """The tightest limit that counts every request for a stream of an API; None where none is declared."""
    return min(_budgets(side), key=lambda b: b.count / b.seconds, default=None)


def _budgets(side: Side) -> Iterator[Budget]:
    connector, integration = side.connector.spec, side.integration.spec
    if side.of_api is None or not isinstance(connector, ConnectorSpec):
        return
    path = _path(side.of_api, side, connector)
    for limit in connector.http.limits if connector.http else ():
        if not limit.match or path.startswith(normal(escaped(limit.match))):
            yield Budget(limit.rate, *units.rate(limit.rate))
    if isinstance(integration, IntegrationSpec) and integration.limits.rate:
        yield Budget(integration.limits.rate, *units.rate(integration.limits.rate))


def _path(stream: RestStream, side: Side, connector: ConnectorSpec) -> str:
    """The path that a stream is read at, as it is sent and as limits count it: with that of the API's URL before it."""
    from syncline.kinds.request import METHODS

    path = next((found for name in METHODS if (found := getattr(stream, name))), "")
    base, integration = connector.http.url if connector.http else "", side.integration.spec
    if isinstance(integration, IntegrationSpec):
        base = filled(base, settings_of(integration, connector))
        base = next((one.url for one in integration.endpoints if side.region in {"", one.region}), base)
    try:
        under = urlsplit(base).path
    except ValueError:
        under = ""
    return normal(escaped(f"{under.rstrip('/')}/{path.lstrip('/')}"))


def requests_for(flow: Flow, records: int, counters: Mapping[str, int]) -> tuple[int, str] | None:
    """
    Requests that reading so many records takes, and what that is known from: `declared` (the size of a page) or `state`
    (what runs of a week took). None where nothing is known of it.
    """
    stream = flow.source.of_api
    if stream is None:
        return None
    sizes = stream.page.size.values() if stream.page is not None else ()
    if sizes and not stream.read_for:
        return math.ceil(records / min(sizes)) or 1, "declared"
    # A run counts the requests of both ends.
    if flow.target.runtime == "rest" or not counters.get("read") or not counters.get("requests"):
        return None
    return math.ceil(records * counters["requests"] / counters["read"]) or 1, "state"


def seconds_for(records: int, counters: Mapping[str, int]) -> float | None:
    """Seconds that reading so many records takes, as fast as runs of a week were; None where none was counted."""
    read, seconds = counters.get("read", 0), counters.get("seconds", 0)
    return records * seconds / read if read and seconds else None


def needed(flow: Flow, records: int, counters: Mapping[str, int]) -> tuple[str, str]:
    """
    What reading so many records takes, for people, and what that is known from; empty where nothing is known of it.

    Where nothing bounds the requests, only a duration that was recorded is told.
    """
    asked, limit = requests_for(flow, records, counters), budget(flow.source)
    seconds = max(seconds_for(records, counters) or 0.0, limit.shortest(asked[0]) if limit and asked else 0.0)
    parts = []
    if asked:
        bound = f", at most {limit.text}" if limit else ""
        parts.append(f"about {asked[0]:,} requests to {flow.source.integration.key.name}{bound}")
    if seconds:
        parts.append(lasting(seconds))
    return ": ".join(parts), asked[1] if asked and not seconds else "state"


def lasting(seconds: float) -> str:
    """A duration for people, no more exact than an estimate is.

    >>> lasting(20), lasting(61), lasting(3 * 3600)
    ('less than a minute', '2 minutes', '3 hours')
    """
    minutes = math.ceil(seconds / 60)
    if minutes < 2:
        return "less than a minute" if seconds < 60 else "a minute"
    return f"{minutes} minutes" if minutes < 120 else f"{math.ceil(minutes / 60)} hours"
