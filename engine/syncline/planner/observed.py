"""What is: the applied state as the planner sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from syncline.model.key import ObjectKey
from syncline.model.tally import Tally
from syncline.state.store import RESTORED, AppliedObject, StateReader

#: Counters of runs that effects are estimated from.
COUNTERS: Final = ("read", "requests", "runs", "seconds")
#: Hours of counters that are summed: a week of hours in which something ran.
HOURS: Final = 168


class Kept(Struct, frozen=True):
    """Where a flow was under the commit that is gone back to: what the position depends on (`position_digest`), when it
    was there, and how many runs have read how many records since.
    """

    basis: str
    taken: str
    runs: int
    read: int


def _unknown(key: ObjectKey) -> None:
    """Nothing is known of runs."""
    del key


@dataclass(frozen=True, slots=True)
class Observed:
    """Applied objects, which flows have a cursor, how many records each flow's last finished run read, and the counters
    of each flow's runs over a week.

    `environment` is the one that was applied; '' where there is none. `back_to` is the commit whose positions are gone
    back to, '' for none; `kept` are those that differ from where their flows are now. `restored` is what positions
    depend on that were restored, and no run has used yet. `tally` asks what the runs of a flow that has
    a cursor did to rows: that is wanted of few flows, and reads many runs.
    """

    lineage: str
    serial: int
    objects: Mapping[ObjectKey, AppliedObject]
    cursors: frozenset[ObjectKey] = frozenset()
    last_read: Mapping[ObjectKey, int] = field(default_factory=dict)
    counters: Mapping[ObjectKey, Mapping[str, int]] = field(default_factory=dict)
    environment: str = ""
    back_to: str = ""
    kept: Mapping[ObjectKey, Kept] = field(default_factory=dict)
    restored: Mapping[ObjectKey, str] = field(default_factory=dict)
    tally: Callable[[ObjectKey], Tally | None] = field(default=_unknown, compare=False)


def observe(reader: StateReader, back_to: str = "") -> Observed:
    """Reads what planning needs from the state; `back_to` is the commit whose positions are gone back to."""
    objects = {applied.key: applied for applied in reader.objects()}
    last_read: dict[ObjectKey, int] = {}
    counters: dict[ObjectKey, Mapping[str, int]] = {}
    cursors = reader.cursors()
    for key in sorted(cursors):
        # A retry reads rejects, which says nothing about the source.
        finished = next((r for r in reader.runs(key, limit=20) if r.receipt is not None and not r.parent), None)
        if finished is not None:
            last_read[key] = finished.counts.read
        if counted := _counted(reader, key):
            counters[key] = counted
    return Observed(
        reader.lineage,
        reader.serial(),
        objects,
        frozenset(cursors),
        last_read,
        counters,
        reader.environment(),
        back_to,
        observe_kept(reader, back_to) if back_to else {},
        {key: _basis(text) for key, text in cursors.items() if RESTORED in text},
        lambda key: reader.tally(key) if key in cursors else None,
    )


def observe_kept(reader: StateReader, revision: str) -> dict[ObjectKey, Kept]:
    """Where flows were under a commit, of those that are elsewhere now."""
    kept = reader.positions(revision)
    return {key: Kept(_basis(p.checkpoint), p.taken, p.runs, p.read) for key, p in sorted(kept.items())}


def _basis(checkpoint: str) -> str:
    """What a position depends on, as a checkpoint says."""
    return str(json.loads(checkpoint).get("basis", ""))


def _counted(reader: StateReader, key: ObjectKey) -> dict[str, int]:
    """Counters of a flow, rounded; those that are zero are left out."""
    periods = reader.metrics(key, HOURS)
    sums = {name: round(sum(period.values.get(name, 0.0) for period in periods)) for name in COUNTERS}
    return {name: value for name, value in sums.items() if value}
