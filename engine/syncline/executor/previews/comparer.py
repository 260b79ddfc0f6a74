"""Comparing what a flow's source has, through its mapping, with what is at its destination: by key, field by field.

The destination is read first and kept as hashes (`fingerprints.py`), then the source. Rows that are there and no record
makes are found again by a second look at the destination, and only if there are any. Nothing is written.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.batches.moves import moves_of
from syncline.executor.batches.watch import watch_of
from syncline.executor.flows.applied import Applied
from syncline.executor.flows.opening import Opener, bind_columns, hash_key_of, ring_of
from syncline.executor.previews.classified import MASK
from syncline.executor.previews.fingerprints import DIFFERENT, MISSING, SAME, THERE, Fingerprints
from syncline.executor.previews.read_back import RowsThere
from syncline.executor.previews.waiting import batches, reading
from syncline.executor.progress import Progress, RunInfo
from syncline.executor.waits import Waits
from syncline.model.errors import Invalid
from syncline.model.run import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from syncline.executor.flows.instance import Resolve
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.schema import Schema
    from syncline.planner.compiled import Flows
    from syncline.settings import Settings
    from syncline.state.store import StateReader


class Unequal(Struct, frozen=True):
    """A row that isn't as it should be: `missing`, `extra` or `different`; `key` by field, classified values masked;
    `fields` that differ.
    """

    kind: str
    key: dict[str, str]
    fields: tuple[str, ...] = ()


class Comparison(Struct, frozen=True):
    """
    What was found. `records` were read at the source, `rejected` of them can't be rows; `rows` are at the destination.
    `fields` counts the rows in which each differs. `listed` has some of the rows, of each kind. `notes` are what
    connectors told. `unclear` are rows that can't be compared: one's key came before, or it isn't such a row.
    """

    key: ObjectKey
    records: int
    rejected: int
    rows: int
    same: int
    missing: int
    extra: int
    different: int
    fields: dict[str, int]
    listed: tuple[Unequal, ...]
    secrets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unclear: int = 0

    @property
    def equal(self) -> bool:
        """Whether every row is as it should be."""
        return not (self.missing or self.extra or self.different or self.unclear)


class Comparer(Struct, frozen=True):
    """Compares declared flows; at most `limit` rows of each kind are listed."""

    desired: Desired
    flows: Flows
    settings: Settings
    resolve: Resolve
    reader: StateReader
    limit: int = 100

    def compare(self, key: ObjectKey, progress: Progress) -> Comparison:
        """
        One flow. `Invalid` (SYN549) for one without a key, and for a destination that can't be read; `Denied` (SYN516)
        for what policy would end its run with.
        """
        applied = Applied(0, "", "", {}, self.desired, self.flows)
        item = applied.flow(key)
        flow = item.flow
        if flow.spec.write == "append" or not flow.target_key:
            raise Invalid(
                f"{key} writes rows without a key, so that none can be found again",
                code="SYN549",
                help="Rows of an upsert or of a replace with a key can be compared.",
            )
        opener = Opener(item, applied, self.settings, self.resolve, strict=False, trial=True)
        opener.waits = Waits(progress)
        began = time.perf_counter()
        progress.started(RunInfo("", str(key), flow.spec.source, flow.spec.to, dry=True))
        with reading(opener) as source:
            columns = bind_columns(item, source, hash_key_of(self.settings))
            watch = watch_of(item, applied, self.settings.root)
            moves = moves_of(item, applied, columns, watch, self.reader, ring_of(self.settings), self.settings.root)
            schema, mark = replace(columns.target, key=flow.target_key), moves.mark
            preparer = moves.preparer(None)
            with Fingerprints(schema) as rows:
                there = RowsThere(opener, schema, mark)
                for frame in there:
                    rows.note(frame)
                noted = sum(rows.counts().values())
                seen = _Seen(schema, rows.fields, self.limit)
                for batch in batches(opener, source.read(None)):
                    prepared = preparer.prepare(batch)
                    seen.counts += prepared.counts
                    if prepared.frame.height:
                        seen.take(prepared.frame, rows.meet(prepared.frame))
                    progress.advanced(seen.counts, None)
                states = rows.counts()
                if extra := states.get(THERE, 0):
                    seen.take_extra(rows, there)
        progress.finished(seen.counts, time.perf_counter() - began)
        return Comparison(
            key,
            seen.counts.read,
            seen.counts.rejected,
            there.count,
            states.get(SAME, 0),
            states.get(MISSING, 0),
            extra,
            states.get(DIFFERENT, 0),
            dict(sorted(seen.fields.items())),
            seen.listed(),
            tuple(opener.secrets.names),
            (
                *opener.notices,
                *watch.notes,
                *(f"there may be more rows than were read: {why}" for why in there.unsure),
            ),
            there.unclear + there.compared - noted,
        )


@dataclass(slots=True)
class _Seen:
    """What was found so far; of rows, as many as are listed."""

    schema: Schema
    names: tuple[str, ...]
    limit: int
    counts: Counts = field(default_factory=Counts)
    fields: Counter[str] = field(default_factory=Counter)
    missing: list[Unequal] = field(default_factory=list)
    different: list[Unequal] = field(default_factory=list)
    extra: list[Unequal] = field(default_factory=list)

    def take(self, frame: pl.DataFrame, met: list[tuple[int, tuple[int, ...]]]) -> None:
        """Rows that should be there, and what became of them."""
        for row, (state, unequal) in enumerate(met):
            names = tuple(self.names[i] for i in unequal)
            self.fields.update(names)
            if state == MISSING and len(self.missing) < self.limit:
                self.missing.append(self._unequal("missing", frame, row))
            elif state == DIFFERENT and len(self.different) < self.limit:
                self.different.append(self._unequal("different", frame, row, names))

    def take_extra(self, rows: Fingerprints, frames: Iterable[pl.DataFrame]) -> None:
        """Looks for rows that are there and should not be, until enough are found."""
        for frame in frames:
            for row in rows.unmet(frame)[: self.limit - len(self.extra)]:
                self.extra.append(self._unequal("extra", frame, row))
            if len(self.extra) >= self.limit:
                return

    def listed(self) -> tuple[Unequal, ...]:
        """The rows to list."""
        return (*self.missing, *self.extra, *self.different)

    def _unequal(self, kind: str, frame: pl.DataFrame, row: int, names: tuple[str, ...] = ()) -> Unequal:
        key: dict[str, str] = {}
        for name in self.schema.key:
            declared = self.schema.get(name)
            value: Any = frame[name][row]
            key[name] = MASK if declared is not None and declared.classes else str(value)
        return Unequal(kind, key, names)
