"""Scalars with units, as written in manifests: durations, sizes, rates and shares."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"
RATE_PATTERN = r"^\d+/(s|sec|min|h|hour|d|day)$"
SHARE_PATTERN = r"^(\d+(\.\d+)?%|\d+)$"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PER = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0}


@lru_cache(maxsize=256)  # each run asks for the same few
def duration(text: str) -> float:
    """Seconds of `1h30m`, `500ms`, `7d`; ValueError otherwise."""
    if not re.match(DURATION_PATTERN, text):
        msg = f"{text!r} is not a duration: expected a number with ms, s, m, h, d or w, such as 30s or 1h30m"
        raise ValueError(msg)
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text))


def before_now(text: str) -> float | None:
    """Seconds before now of `-30d` or `-1h30m`; None for what is no such time."""
    return duration(text[1:]) if text.startswith("-") and re.match(DURATION_PATTERN, text[1:]) else None


def rate(text: str) -> tuple[int, float]:
    """`100/min` as (100, 60.0): so many per so many seconds."""
    if not re.match(RATE_PATTERN, text):
        msg = f"{text!r} is not a rate: expected count/unit, such as 100/min"
        raise ValueError(msg)
    count, unit = text.split("/")
    return int(count), _PER[unit]


def size(text: str) -> int:
    """Bytes of `10Gi`, in binary units; ValueError otherwise."""
    found = re.fullmatch(r"(\d+)(Ki|Mi|Gi)", text)
    if found is None:
        msg = f"{text!r} is not a size: expected a number with Ki, Mi or Gi, such as 10Gi"
        raise ValueError(msg)
    return int(found[1]) * {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[found[2]]


class Share(Struct, frozen=True):
    """A bound given as a share of a whole (`1%`) or as a count (`500`)."""

    percent: float | None = None
    count: int | None = None

    @classmethod
    def parse(cls, text: str | int) -> Share:
        """Reads `1%` or `500`; ValueError otherwise."""
        text = str(text)
        if not re.match(SHARE_PATTERN, text):
            msg = f"{text!r} is not a share: expected a percentage such as 1% or a count such as 500"
            raise ValueError(msg)
        return cls(percent=float(text[:-1])) if text.endswith("%") else cls(count=int(text))

    def exceeded(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is more than the bound."""
        if self.percent is not None:
            return part * 100 > self.percent * whole
        return self.count is not None and part > self.count

    def most(self, whole: int) -> int | None:
        """How much of a whole is within the bound; None where everything is."""
        if self.percent is not None:
            most = int(self.percent * whole / 100)
            return most + (not self.exceeded(most + 1, whole)) - self.exceeded(most, whole)
        return self.count

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent is not None else str(self.count)
