"""Versions of connectors (SemVer 2.0.0) and their ranges: `1.3.0`, `^1.3`, `~1.3.2`, `>=1.2 <2`, as npm reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

Triple: TypeAlias = tuple[int, int, int]
#: Ordered as section 11 says: the triple; a pre-release before its release; identifiers, numbers before words.
Version: TypeAlias = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]

_TERM = re.compile(r"(\^|~|>=|<=|>|<|=)?(\d+)(?:\.(\d+)(?:\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?)?)?")


def version(text: str) -> Version:
    """
    A version as what it is ordered by.

    >>> sorted(["1.0.0", "1.0.0-rc.10", "1.0.0-beta", "1.0.0-rc.9", "1.0.0-1", "1.0.0-rc"], key=version)
    ['1.0.0-1', '1.0.0-beta', '1.0.0-rc', '1.0.0-rc.9', '1.0.0-rc.10', '1.0.0']
    """
    numbers, _, pre = text.partition("-")
    major, minor, patch = numbers.split(".")
    return _ordered((int(major), int(minor), int(patch)), pre)


def triple(text: str) -> Triple:
    """The numbers of a version, which those before its release have too: `1.4.0-rc.1` as (1, 4, 0)."""
    return version(text)[:3]


def is_release(text: str) -> bool:
    """Whether a version is no pre-release."""
    return "-" not in text


def latest(ordered: Sequence[str]) -> str:
    """The last release of versions in order, else the last of them: what to suggest to those who ask for one."""
    return next(filter(is_release, reversed(ordered)), ordered[-1])


def preceding(text: str, others: Iterable[str]) -> str:
    """
    The version of the others that another one builds on, '' for none: the highest release below it, since nobody
    relies on a pre-release (section 9); else the highest below it; else the lowest above.

    >>> preceding("1.4.0", ["1.3.0", "1.10.0", "2.0.0"]), preceding("0.9.0", ["1.0.0"]), preceding("1.0.0", [])
    ('1.3.0', '1.0.0', '')
    >>> preceding("1.4.0", ["1.3.0", "1.4.0-rc.1"]), preceding("1.0.0", ["1.0.0-rc.1", "1.0.0-rc.2"])
    ('1.3.0', '1.0.0-rc.2')
    """
    known = sorted(set(others) - {text}, key=version)
    below = [v for v in known if version(v) < version(text)]
    return latest(below) if below else known[0] if known else ""


@lru_cache(maxsize=4096)
def includes(wanted: str, found: str) -> bool:
    """
    Whether a version is in a range. Raises ValueError for what isn't a range.

    An empty range includes every release. A pre-release is in a range only where one of its terms names a pre-release
    of the same triple.

    >>> [includes("^1.4.0-rc.1", v) for v in ("1.4.0-rc.2", "1.4.0", "1.5.0", "1.5.0-rc.1", "1.4.0-beta")]
    [True, True, True, False, False]
    """
    terms = [_term(term) for term in wanted.split()]
    named = is_release(found) or any(pre and (*given, 0, 0)[:3] == triple(found) for _, given, pre in terms)
    return named and all(_includes(*term, version(found)) for term in terms)


def _term(term: str) -> tuple[str, tuple[int, ...], str]:
    """The sign of a term, its one to three numbers, and its pre-release."""
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(f"{term!r} is not a version range: expected 1.3.0, ^1.3, ~1.3.2, >=1.2 <2 or ^1.4.0-rc.1")
    sign, *digits, pre = match.groups()
    return sign or "=", tuple(int(d) for d in digits if d is not None), pre or ""


def _includes(sign: str, given: tuple[int, ...], pre: str, found: Version) -> bool:
    major, minor, patch = (*given, 0, 0)[:3]
    numbers = (major, minor, patch)
    low, above = _ordered(numbers, pre), _next(numbers, len(given) - 1)
    match sign:
        case "^":
            first = next((i for i, n in enumerate(numbers[: len(given)]) if n), len(given) - 1)
            return low <= found < _next(numbers, first)
        case "~":
            return low <= found < _next(numbers, min(1, len(given) - 1))
        case ">=":
            return found >= low
        case ">":
            return found > low if pre else found >= above
        case "<":
            return found < low
        case "<=":
            return found <= low if pre else found < above
        case _:  # 1.3 means any 1.3.x
            return found == low if pre else low <= found < above


def _ordered(numbers: Triple, pre: str) -> Version:
    words = (
        (False, int(word), "") if word.isascii() and word.isdigit() else (True, 0, word) for word in pre.split(".")
    )
    return (*numbers, not pre, tuple(words) if pre else ())


def _next(low: Triple, position: int) -> Version:
    major, minor, patch = (n if i < position else n + 1 if i == position else 0 for i, n in enumerate(low))
    return _ordered((major, minor, patch), "")
