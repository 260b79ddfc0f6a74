"""What is: the applied state as the planner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from syncline.model.key import ObjectKey
from syncline.state.store import AppliedObject, StateReader

#: Counters of runs that effects are estimated from.
COUNTERS: Final = ("read", "requests", "runs", "seconds")
#: Hours of counters that are summed: a week of hours in which something ran.
HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class Observed:
    """Applied objects, which flows have a cursor, how many records each flow's last finished run read, and the counters
    of each flow's runs over a week.

    `environment` is the one that was applied; '' where there is none.
    """

    lineage: str
    serial: int
    objects: Mapping[ObjectKey, AppliedObject]
    cursors: frozenset[ObjectKey] = frozenset()
    last_read: Mapping[ObjectKey, int] = field(default_factory=dict)
    counters: Mapping[ObjectKey, Mapping[str, int]] = field(default_factory=dict)
    environment: str = ""


def observe(reader: StateReader) -> Observed:
    """Reads what planning needs from the state."""
    objects = {applied.key: applied for applied in reader.objects()}
    last_read: dict[ObjectKey, int] = {}
    counters: dict[ObjectKey, Mapping[str, int]] = {}
    cursors = frozenset(reader.cursors())
    for key in sorted(cursors):
        # A retry reads rejects, which says nothing about the source.
        finished = next((r for r in reader.runs(key, limit=20) if r.receipt is not None and not r.parent), None)
        if finished is not None:
            last_read[key] = finished.counts.read
        if counted := _counted(reader, key):
            counters[key] = counted
    return Observed(reader.lineage, reader.serial(), objects, cursors, last_read, counters, reader.environment())


def _counted(reader: StateReader, key: ObjectKey) -> dict[str, int]:
    """Counters of a flow, rounded; those that are zero are left out."""
    periods = reader.metrics(key, HOURS)
    sums = {name: round(sum(period.values.get(name, 0.0) for period in periods)) for name in COUNTERS}
    return {name: value for name, value in sums.items() if value}
