"""How far a subscription is, as it is kept in the state: which events it has dealt with, and its threads.

Events are numbered where they are written. Two writers may end their transactions in another order than they were given
their numbers in, so a number that is missing may still come: it is waited for, and nothing that came after it is dealt
with twice meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from syncline.notify.threads import Standing, Thread

#: Seconds for which a missing number is waited for: longer than any transaction of ours takes.
PATIENCE: Final = 60.0
#: Missing numbers that are remembered; of more, as after a restored backup, the first are given up.
MISSING: Final = 200
#: Events that are named in a digest; the others are counted.
NAMED: Final = 20


class Held(Struct, frozen=True):
    """Events that there was no room for: the first of them in words, and how many in all."""

    lines: tuple[str, ...] = ()
    count: int = 0
    severity: str = "info"


class Position(Struct, frozen=True):
    """
    `after` is the greatest number that was dealt with; `missing` are smaller ones that weren't there, each with when it
    was first missed (Unix seconds). `basis` is who was told.
    """

    after: int
    missing: tuple[tuple[int, float], ...] = ()
    held: Held = Held()
    standing: Standing = Standing()
    basis: str = ""

    def news(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Of numbers that there are from `start` on, those that weren't dealt with."""
        waited = {number for number, _ in self.missing}
        return tuple(number for number in numbers if number > self.after or number in waited)

    @property
    def start(self) -> int:
        """The number that a look begins after."""
        return min([self.after, *(number - 1 for number, _ in self.missing)])

    def dealt(self, numbers: Sequence[int], now: float) -> Position:
        """After these, which were news."""
        there = set(numbers)
        kept = [(n, since) for n, since in self.missing if n not in there and now - since < PATIENCE]
        last = max([self.after, *numbers])
        if last - self.after <= MISSING:
            kept += [(n, now) for n in range(self.after + 1, last) if n not in there]
        return replace(self, after=last, missing=tuple(kept[-MISSING:]))

    def dumps(self) -> str:
        """As text."""
        return json.dumps(to_builtins(self), separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Position:
        """From its text."""
        found: dict[str, Any] = json.loads(text)
        threads = tuple(Thread(**{**each, "causes": tuple(each["causes"])}) for each in found["standing"]["threads"])
        held = found["held"]
        return cls(
            found["after"],
            tuple((number, since) for number, since in found["missing"]),
            Held(tuple(held["lines"]), held["count"], held["severity"]),
            Standing(threads, tuple(found["standing"]["sent"])),
            found["basis"],
        )
