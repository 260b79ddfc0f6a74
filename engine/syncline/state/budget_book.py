"""What is granted of a budget, as a value: the arithmetic of blocks, without a database.

A block counts in full from its grant until the last moment at which it may have been sent is one span of the rate ago.
Once its process told how many it sent, and when the last, it counts for just these. So a span never sees more than the
budget, a process that dies with a block costs its rest of one span, and one that uses its blocks loses next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from uuid import uuid4

from syncline.model.budget import Grant, Used

#: Blocks that are told apart; older ones are put together, at the later time of the two.
_BLOCKS = 64
#: Longest time that a budget is blocked, in seconds: what a clock that was set back might leave behind.
_LONGEST = 86_400.0


@dataclass(slots=True)
class Book:
    """Blocks as (id, requests, time from which they don't count), and until when nothing is granted: Unix times."""

    blocks: list[tuple[str, int, float]] = field(default_factory=list)
    blocked_until: float = 0.0

    @classmethod
    def loads(cls, text: str) -> Book:
        """Reads what `dumps` wrote."""
        found = json.loads(text) if text else {}
        return cls([(b[0], b[1], b[2]) for b in found.get("blocks", ())], found.get("blocked_until", 0.0))

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps({"blocks": self.blocks, "blocked_until": self.blocked_until}, separators=(",", ":"))

    def reserve(
        self, now: float, count: int, seconds: float, *, want: int, lease: float, used: Used | None = None
    ) -> Grant:
        """See `model.budget.Budgets`; `now` is the time of the clock that all share."""
        longest = now + lease + seconds
        self.blocks = [
            (block, granted, min(frees, longest)) for block, granted, frees in self._settled(now, seconds, used)
        ]
        self.blocks = [block for block in self.blocks if block[2] > now]
        if now < self.blocked_until <= now + _LONGEST:
            return Grant(wait=self.blocked_until - now)
        free = count - sum(granted for _, granted, _ in self.blocks)
        if free <= 0:
            return Grant(wait=min(frees for *_, frees in self.blocks) - now)
        grant = Grant(uuid4().hex[:16], min(want, free))
        self.blocks.append((grant.block, grant.count, longest))
        if len(self.blocks) > _BLOCKS:
            self._merge()
        return grant

    def block(self, now: float, seconds: float) -> None:
        """Grants nothing for so long."""
        self.blocked_until = max(self.blocked_until, now + min(seconds, _LONGEST))

    def _settled(self, now: float, seconds: float, used: Used | None) -> list[tuple[str, int, float]]:
        if used is None:
            return self.blocks
        return [
            (block, min(used.count, granted), min(frees, now - used.ago + seconds)) if block == used.block else
            (block, granted, frees)
            for block, granted, frees in self.blocks
            if block != used.block or used.count
        ]  # fmt: skip

    def _merge(self) -> None:
        """Puts the two together that stop to count first."""
        self.blocks.sort(key=lambda block: block[2])
        (_, one, _), (_, two, frees), *rest = self.blocks
        self.blocks = [("", one + two, frees), *rest]
