"""Figures over all tenants: what they are summed from, and what was told of each month."""

from __future__ import annotations

from typing import Protocol


class ToldStatistics(Protocol):
    """What was told of months, and what there is to tell."""

    def told(self, month: str) -> str | None:
        """What was told of a month; None where nothing was yet."""

    def tell(self, month: str, told: str) -> str:
        """Keeps what is told of a month unless something was told of it before; what is to be told. Durable."""

    def totals(self, start: str, end: str) -> list[tuple[str, str, str, float]]:
        """Sums of counters over hours from `start` to before `end`: tenant, kind of object, counter, value."""
