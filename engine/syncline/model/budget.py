"""Budgets of requests that several processes share: what one asks for, and what it is given.

A process takes requests in blocks and gives back what it didn't use, so that keeping a budget costs about ten
transactions in the span of its rate, however many requests there are.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Used(Struct, frozen=True):
    """What became of a block: how many of its requests were sent, the last one so many seconds ago."""

    block: str
    count: int
    ago: float


class Grant(Struct, frozen=True):
    """A block of `count` requests, to be sent within the time that was asked for; or, with none, seconds to wait."""

    block: str = ""
    count: int = 0
    wait: float = 0.0


class Budgets(Protocol):
    """Where budgets are kept. Every method may raise `Again` or `Stalled` where that can't be reached."""

    def reserve(
        self, name: str, count: int, seconds: float, *, want: int, lease: float, used: Used | None = None
    ) -> Grant:
        """
        Up to `want` of the `count` requests that a budget has in any span of `seconds`, to be sent within `lease`.

        `used` settles an earlier block in the same transaction. Never grants so much that a span could see more than
        `count`, whoever else sends what it was granted as late as it may.
        """

    def block(self, name: str, seconds: float) -> None:
        """Grants nothing more of a budget for so long."""

    def close(self) -> None:
        """Releases connections."""
