"""What a run's rejects say when they are looked at together: which rules broke how often, with samples, and where.

Rejects stream through once; what is kept is bounded, however many there are. Values are personal data more often than
not, so that samples show their shape (`Aaa-99`) unless the values themselves are asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from syncline.model.run import PAGE, Reason, Reject

#: Samples kept of each rule, bars of each file, and files and rules that are told apart; the others count as one.
SAMPLES, BARS, MOST = 5, 60, 200
#: Longest value or message in a sample, in characters.
LENGTH = 80
OTHERS = "others"

_PLACE = re.compile(r"(?P<file>.*)[:#](?P<number>\d+)", re.DOTALL)


class Sample(Struct, frozen=True):
    """One reject of many: where, the value or its shape, and why."""

    place: str
    value: str
    message: str


class Broken(Struct, frozen=True):
    """A rule that records broke: the field it is about ("" for the whole record), how many, and the first of them."""

    field: str
    rule: str
    count: int
    samples: tuple[Sample, ...]


class Spread(Struct, frozen=True):
    """Where in a file, or in a request's answers, rejects are: counts in equal parts from record `first` to `last`."""

    file: str
    count: int
    first: int
    last: int
    parts: tuple[int, ...]


class Summary(Struct, frozen=True):
    """Rules by how many records broke them, files by how many rejects they have, most first; `count` of all rejects.

    One that breaks rules of several fields counts for each of them.
    """

    count: int
    broken: tuple[Broken, ...]
    spread: tuple[Spread, ...]


@dataclass(slots=True)
class _Positions:
    """Counts over positions that aren't known beforehand: parts double in width as later ones come."""

    count: int = 0
    first: int = 0
    last: int = 0
    width: int = 1
    parts: Counter[int] = field(default_factory=Counter)

    def add(self, number: int) -> None:
        self.first = min(self.first, number) if self.count else number
        self.last = max(self.last, number)
        self.count += 1
        while number // self.width >= 4 * BARS:
            self.width *= 2
            halved: Counter[int] = Counter()
            for part, count in self.parts.items():
                halved[part // 2] += count
            self.parts = halved
        self.parts[number // self.width] += 1

    def spread(self, file: str) -> Spread:
        bars = min(BARS, max(1, self.last - self.first + 1))
        found = [0] * bars
        step = (self.last - self.first + 1) / bars
        for part, count in self.parts.items():
            middle = min(max(part * self.width, self.first), self.last)
            found[min(int((middle - self.first) / step), bars - 1)] += count
        return Spread(file, self.count, self.first, self.last, tuple(found))


def summarise(rejects: Iterable[Reject], *, values: bool = False) -> Summary:
    """What rejects say together. `values`: samples show values as they were read.

    >>> found = summarise([Reject("a.csv:7", "zip", "pattern", "AB 1234", "zip doesn't match", "{}")])
    >>> found.broken[0].samples[0].value, found.spread[0].first
    ('AA 9999', 7)
    """
    counts: Counter[tuple[str, str]] = Counter()
    samples: dict[tuple[str, str], list[Sample]] = {}
    positions: dict[str, _Positions] = {}
    total = 0
    for reject in rejects:
        if reject.rule == PAGE:
            continue
        total += 1
        for reason in reject.reasons:
            rule = (reason.field, reason.rule)
            if rule not in counts and len(counts) >= MOST:
                rule = ("", OTHERS)
            counts[rule] += 1
            kept = samples.setdefault(rule, [])
            if len(kept) < SAMPLES:
                kept.append(_sample(reject.place, reason, values=values))
        match = _PLACE.fullmatch(reject.place)
        file = match["file"] if match else reject.place
        if file not in positions and len(positions) >= MOST:
            file = OTHERS
        positions.setdefault(file, _Positions()).add(int(match["number"][:18]) if match else 1)
    return Summary(
        total,
        tuple(Broken(*rule, count, tuple(samples[rule])) for rule, count in counts.most_common()),
        tuple(sorted((p.spread(file) for file, p in positions.items()), key=lambda s: (-s.count, s.file))),
    )


def _sample(place: str, reason: Reason, *, values: bool) -> Sample:
    shown, message = reason.value, reason.message
    if not values:
        shown = shape(reason.value)
        message = message.replace(reason.value, shown) if reason.value else message
    return Sample(place, shown[:LENGTH], message[:LENGTH])


def shape(value: str) -> str:
    """A value's shape: its letters as `A` and `a`, its digits as 9.

    >>> shape("Zoë-17 @home")
    'Aaa-99 @aaaa'
    """
    return "".join(_class(character) for character in value)


def _class(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character
