"""Patterns over names that a server lists, with the meaning that they have in a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from syncline.model.errors import Invalid

_WILD = re.compile(r"[*?[]")


def literal_start(pattern: str) -> str:
    """The text that every name begins with that a pattern matches.

    >>> literal_start("2026/orders-*.csv"), literal_start("a.csv")
    ('2026/orders-', 'a.csv')
    """
    return _WILD.split(pattern, maxsplit=1)[0]


def is_literal(pattern: str) -> bool:
    """Whether a pattern names one thing.

    >>> is_literal("orders.csv"), is_literal("orders-?.csv")
    (True, False)
    """
    return _WILD.search(pattern) is None


def matcher(pattern: str) -> Callable[[str], bool]:
    """
    Whether a name is one that a pattern matches: `*`, `?` and `[abc]` within a name, `**` alone for folders at any
    depth. No part of a name may start with a dot. Invalid (SYN451) for a pattern that climbs.

    >>> matcher("**/a-*.csv")("x/y/a-1.csv"), matcher("*.csv")("x/a.csv"), matcher("*")(".hidden")
    (True, False, False)
    """
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts or "\0" in pattern:
        raise Invalid(
            f"{pattern!r} leaves the root", code="SYN451", help="Write patterns relative to config.root, without '..'."
        )
    kept = [part for part in parts if part not in {"", "."}]

    def matches(name: str) -> bool:
        names = name.split("/")
        return not any(part.startswith(".") or not part for part in names) and _fits(names, kept)

    return matches


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return _fits(names, parts[1:]) or (bool(names) and _fits(names[1:], parts))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])
