"""What a receipt says of the requests that a run sent."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.cli.output.text import number, plural, short, size, visible
from syncline.model.requests import Requests

_TOP = 5


def request_facts(requests: Sequence[Requests]) -> list[tuple[str, str]]:
    """A line for each host, those with most requests first; of many hosts the first few."""
    lines = [_line(each) for each in requests[:_TOP]]
    if len(requests) > _TOP:
        lines.append(f"… and {plural(len(requests) - _TOP, 'more host')}")
    return [("" if position else "requests", line) for position, line in enumerate(lines)]


def _line(requests: Requests) -> str:
    counted = {
        "retried": requests.retries,
        "throttled": requests.throttled,
        "failed": requests.failures,
    }
    parts = [f"{number(requests.requests)} to {visible(requests.host)}"]
    parts += [f"{number(count)} {name}" for name, count in counted.items() if count]
    if requests.breaker_opens:
        parts.append(f"breaker opened {plural(requests.breaker_opens, 'time')}")
    parts += [size(requests.bytes), f"p50 {short(requests.latency.p50)}", f"p99 {short(requests.latency.p99)}"]
    return ", ".join(parts)
