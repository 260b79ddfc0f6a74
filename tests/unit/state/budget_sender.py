"""
A process that shares a budget: `python -m tests.unit.state.budget_sender URL NAME` sends as often as it may for three seconds,
and prints when it began and when it sent.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from syncline.sdk.budget import Share
from syncline.sdk.clock import SystemClock
from syncline.sdk.limits import Limiter, Rule
from syncline.state.open import open_store
from syncline.state.redis_budgets import open_redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.model.budget import Budgets


def opened(url: str) -> tuple[Budgets, Callable[[], None]]:
    """The budgets at a URL, of Redis or of a state, and what closes them."""
    if url.startswith("redis"):
        made = open_redis(url)
        return made, made.close
    store = open_store(url, schema="budgets") if url.startswith("postgresql") else open_store(url)
    return store.budgets(), store.close


def main(url: str, name: str) -> None:
    times = [time.monotonic()]
    budgets, close = opened(url)
    limiter = Limiter(Rule(30, 1.0), SystemClock(), Share(budgets, name, Rule(30, 1.0), SystemClock()))
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        limiter.wait()
        times.append(time.monotonic())
    close()
    sys.stdout.write(json.dumps(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
