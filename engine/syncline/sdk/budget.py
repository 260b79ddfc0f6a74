"""A process's part of a budget that several share: requests are taken in blocks, and given back where not used."""

from __future__ import annotations

from syncline.model.budget import Budgets, Used
from syncline.sdk.clock import Clock
from syncline.sdk.limits import Rule

#: A block is this part of the budget, and may be used for this part of its span.
_PART = 10
#: Bounds of that time, in seconds. Others' news are heard that much later; a slow database must not eat it up.
_SHORTEST, _LONGEST = 0.25, 5.0


class Share:
    """A `limits.Bucket` that takes from a shared budget.

    Example: `Limiter(rule, clock, Share(store.budgets(), "acme/helpdesk", rule, clock))`.
    """

    def __init__(self, budgets: Budgets, name: str, rule: Rule, clock: Clock) -> None:
        self._budgets = budgets
        self._name = name
        self._rule = rule
        self._clock = clock
        self._lease = min(max(rule.seconds / _PART, _SHORTEST), _LONGEST)
        self._want = max(1, rule.count // _PART)
        self._block = ""
        self._left = 0
        self._used = 0
        self._last = 0.0
        self._until = 0.0
        self._blocked_until = 0.0

    def take(self) -> float:
        now = self._clock.monotonic()
        if now < self._blocked_until:
            return self._blocked_until - now
        if not self._left or now >= self._until:
            wait = self._reserve(now)
            if wait is not None:
                return wait
            now = self._clock.monotonic()
            if now >= self._until:  # to be told took so long that the block has run out: it isn't used
                return self._lease
        self._left -= 1
        self._used += 1
        self._last = now
        return 0.0

    def block(self, seconds: float) -> None:
        self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)
        self._budgets.block(self._name, seconds)

    def _reserve(self, now: float) -> float | None:
        """Settles the last block and takes another; the seconds to wait where there is none."""
        used = Used(self._block, self._used, now - self._last) if self._block else None
        grant = self._budgets.reserve(
            self._name, self._rule.count, self._rule.seconds, want=self._want, lease=self._lease, used=used
        )
        # From before it was asked for: the other clock has granted it later, so that it is over here first.
        self._block, self._left, self._used, self._until = grant.block, grant.count, 0, now + self._lease
        return None if grant.count else max(grant.wait, 0.001)
