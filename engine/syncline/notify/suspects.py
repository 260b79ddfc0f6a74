"""Flows that fail in the same way over one integration, though nothing is known against it: one incident, not many.

A check may pass where reads don't: an API lets everybody ask for its version, or a right is missing for some paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.reconciler.needs import Needs


def suspects(failing: Mapping[ObjectKey, str], graph: Needs) -> dict[ObjectKey, tuple[ObjectKey, ...]]:
    """
    Integrations that flows fail over, with these flows; `failing` are flows that fail by themselves, with their codes.

    An integration is suspected where several flows over it fail with the same code, and they are at least half of those
    that stand on it. A flow counts with the one that most fail over; of equals, with the one that fewer stand on.
    """
    groups: dict[tuple[ObjectKey, str], set[ObjectKey]] = defaultdict(set)
    for key, code in failing.items():
        if key.is_flow and code:
            for needed in graph.get(key, ()):
                if needed.kind == "Integration":
                    groups[needed, code].add(key)
    groups = {group: keys for group, keys in groups.items() if len(keys) > 1}
    if not groups:
        return {}
    over: dict[ObjectKey, int] = defaultdict(int)
    for key, below in graph.items():
        if key.is_flow:
            for one in set(below):
                over[one] += 1
    found: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
    taken: set[ObjectKey] = set()
    for (integration, _), keys in sorted(groups.items(), key=lambda item: (-len(item[1]), over[item[0][0]], item[0])):
        rest: Sequence[ObjectKey] = sorted(keys - taken)
        if integration not in found and len(rest) > 1 and 2 * len(rest) >= over[integration]:
            found[integration] = tuple(rest)
            taken.update(rest)
    return found
