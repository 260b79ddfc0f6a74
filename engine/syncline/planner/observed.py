"""What is: the applied state as the planner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncline.model.key import ObjectKey
from syncline.state.store import AppliedObject, StateReader


@dataclass(frozen=True, slots=True)
class Observed:
    """Applied objects, which flows have a cursor, and how many records each flow's last finished run read."""

    lineage: str
    serial: int
    objects: Mapping[ObjectKey, AppliedObject]
    cursors: frozenset[ObjectKey] = frozenset()
    last_read: Mapping[ObjectKey, int] = field(default_factory=dict)


def observe(reader: StateReader) -> Observed:
    """Reads what planning needs from the state."""
    objects = {applied.key: applied for applied in reader.objects()}
    last_read: dict[ObjectKey, int] = {}
    cursors = frozenset(reader.cursors())
    for key in cursors:
        # A retry reads rejects, which says nothing about the source.
        finished = next((r for r in reader.runs(key, limit=20) if r.receipt is not None and not r.parent), None)
        if finished is not None:
            last_read[key] = finished.counts.read
    return Observed(reader.lineage, reader.serial(), objects, cursors, last_read)
