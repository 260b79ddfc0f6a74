"""Version ranges of connectors: `1.3.0`, `^1.3`, `~1.3.2`, `>=1.2 <2`, as npm reads them (semver.org for versions)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

Version: TypeAlias = tuple[int, int, int]

_TERM = re.compile(r"(\^|~|>=|<=|>|<|=)?(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def version(text: str) -> Version:
    """`1.3.0` as numbers."""
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)


def preceding(text: str, others: Iterable[str]) -> str:
    """
    The version of the others that another one builds on: the highest below it, else the lowest above; '' for none.

    >>> preceding("1.4.0", ["1.3.0", "1.10.0", "2.0.0"]), preceding("0.9.0", ["1.0.0"]), preceding("1.0.0", [])
    ('1.3.0', '1.0.0', '')
    """
    known = sorted(set(others) - {text}, key=version)
    below = [v for v in known if version(v) < version(text)]
    return below[-1] if below else known[0] if known else ""


@lru_cache(maxsize=4096)
def includes(wanted: str, found: str) -> bool:
    """Whether a version is in a range; an empty range includes all. Raises ValueError for what isn't a range."""
    return all(_includes(term, version(found)) for term in wanted.split())


def _includes(term: str, found: Version) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(f"{term!r} is not a version range: expected 1.3.0, ^1.3, ~1.3.2 or >=1.2 <2")
    sign, *digits = match.groups()
    given = [int(d) for d in digits if d is not None]
    major, minor, patch = (*given, 0, 0)[:3]
    low = (major, minor, patch)
    match sign:
        case "^":
            return low <= found < _next(low, next((i for i, n in enumerate(low[: len(given)]) if n), len(given) - 1))
        case "~":
            return low <= found < _next(low, min(1, len(given) - 1))
        case ">=":
            return found >= low
        case ">":
            return found >= _next(low, len(given) - 1)
        case "<":
            return found < low
        case "<=":
            return found < _next(low, len(given) - 1)
        case _:  # 1.3 means any 1.3.x
            return low <= found < _next(low, len(given) - 1)


def _next(low: Version, position: int) -> Version:
    numbers = [n if i < position else n + 1 if i == position else 0 for i, n in enumerate(low)]
    return numbers[0], numbers[1], numbers[2]
