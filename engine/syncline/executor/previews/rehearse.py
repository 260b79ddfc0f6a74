"""Rehearsing a declared flow: everything its next run would read is read, mapped and compared; nothing is written.

Unlike a forecast for a plan (`forecast.py`), it reads to the end, in batches and bounded memory: keys are remembered
by 64-bit hashes. It tells which rules break and where, which keys come more than once, how good each field is, and
whether a guard would stop the run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from syncline.executor.batches.absence import unsure_of
from syncline.executor.batches.at_rest import open_checkpoint
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.control import check_control
from syncline.executor.batches.guard import (
    check_deletes,
    check_rejects,
    check_rows,
    check_volume,
    max_shrink,
    unchanged,
)
from syncline.executor.batches.moves import moves_of
from syncline.executor.batches.prepare import Prepared
from syncline.executor.batches.sums import added
from syncline.executor.batches.watch import watch_of
from syncline.executor.flows.applied import Applied
from syncline.executor.flows.opening import Opener, bind_columns, hash_key_of, ring_of
from syncline.executor.previews.held import held
from syncline.executor.previews.quality import Quality, QualityMeter
from syncline.executor.previews.repeats import Repeat, Repeats
from syncline.executor.previews.report import Summary, summarise
from syncline.executor.previews.seen_keys import SeenKeys
from syncline.executor.previews.waiting import batches, reading, waited
from syncline.executor.progress import Progress, RunInfo
from syncline.executor.start import start_of
from syncline.executor.waits import Waits
from syncline.model.errors import Denied, SynclineError
from syncline.model.run import Counts, Reject
from syncline.sdk.comparison import Proposed
from syncline.sdk.destination import Target
from syncline.sdk.offers import offers
from syncline.sdk.source import Digesting, Measured

if TYPE_CHECKING:
    import polars as pl

    from syncline.executor.flows.instance import Resolve
    from syncline.kinds.sync import Guards
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import Flows
    from syncline.sdk.batch import Batch
    from syncline.settings import Settings
    from syncline.state.store import StateReader

#: Batches where only a share is looked at: whole batches are, spread evenly.
_SAMPLED_ROWS, _SAMPLED_BYTES = 5_000, 512 * 1024


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """
    What the next run of a flow would do. `counts` are of the records looked at, of `seen` that were read: all of them
    unless it was sampled. `duplicates` are records whose key comes more than once, but for one of each key: those of
    one batch count as skipped, as in a run, and those of others as written, but neither as inserted nor as updated.

    `compared` is False where only writing tells which rows are there: then `written` isn't divided; `note` says why.
    `refused` is what a guard would stop the run with; `notes` are what connectors told. `files` has the SHA-256 of each
    file of an import that was read to its end, `sums` what fields with a control total came to, and `manifests` the
    digests of what is declared, by name. `environment` is '' where there are none; `seconds` are what it took.
    `again` are the first records whose key comes more than once, and `there`, of an upsert, those whose key is at the
    destination.
    """

    key: ObjectKey
    counts: Counts
    seen: int
    duplicates: int
    compared: bool
    note: str
    rejects: Summary
    quality: tuple[Quality, ...]
    refused: str = ""
    resumed: bool = False
    secrets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    seconds: float = 0.0
    again: tuple[Repeat, ...] = ()
    there: tuple[Repeat, ...] = ()

    @property
    def score(self) -> float | None:
        """The mean of the fields' scores, from 0 to 100."""
        scores = [quality.score for quality in self.quality if quality.score is not None]
        return sum(scores) / len(scores) if scores else None


class Rehearser(Struct, frozen=True):
    """Rehearses declared flows; `share` of the records is looked at (1: all). `reader` says where runs would begin."""

    desired: Desired
    flows: Flows
    settings: Settings
    resolve: Resolve
    reader: StateReader
    share: float = 1.0
    values: bool = False

    def rehearse(self, key: ObjectKey, progress: Progress) -> Rehearsal:
        """
        One flow. Raises what would keep its run from reading, and `Denied` (SYN516) for what policy would end it with;
        a destination that can't be asked is noted.
        """
        applied = Applied(0, "", "", {}, self.desired, self.flows)
        item = applied.flow(key)
        opener = Opener(item, applied, self.settings, self.resolve, strict=False, trial=True)
        opener.waits = Waits(progress)
        if self.share < 1:
            opener.batch_rows, opener.batch_bytes = _SAMPLED_ROWS, _SAMPLED_BYTES
        saved = open_checkpoint(ring_of(self.settings), key.tenant, self.reader.cursor(key))
        start = start_of(str(key), item, saved, (), self.reader.run_state, full_refresh=False)
        spec, began = item.flow.spec, time.perf_counter()
        progress.started(RunInfo("", str(key), spec.source, spec.to, dry=True))
        with reading(opener) as source:
            columns = bind_columns(item, source, hash_key_of(self.settings))
            watch = watch_of(item, applied, self.settings.root)
            moves = moves_of(item, applied, columns, watch, self.reader, ring_of(self.settings), self.settings.root)
            target = Target(str(key), "", item.flow.target.stream, moves.target, spec.write)
            seen = _Rehearsed(opener, target, sweeps=moves.absence is not None, keyed=moves.keyed, mark=moves.mark)
            preparer = moves.preparer(held(opener, target), control=spec.guards.control)
            preparer.traced = moves.keyed and moves.tombstones is None
            total = source.total_bytes if isinstance(source, Measured) else None

            def rejects() -> Iterator[Reject]:
                size = 0
                for batch in self._chosen(batches(opener, source.read(start.position)), seen):
                    prepared = preparer.prepare(batch)
                    seen.take(prepared)
                    size += batch.size
                    progress.advanced(seen.counts, size / total if total else None)
                    yield from prepared.rejects

            summary = summarise(rejects(), values=self.values)
            seen.duplicates += preparer.duplicates
            files = source.digests(seen.position) if offers(source, Digesting) else {}
        seconds = time.perf_counter() - began
        progress.finished(seen.counts, seconds)
        found = seen.rehearsal(key, summary)
        judged = self.share >= 1 and not unchanged(item.flow, structs.replace(start, counts=found.counts))
        return replace(
            found,
            refused=_refused(spec.guards, seen, found.counts) if judged else "",
            resumed=start.position is not None,
            secrets=tuple(opener.secrets.names),
            notes=(*opener.notices, *watch.notes),
            files=files,
            sums=seen.sums,
            manifests=item.flow.digests,
            environment=self.settings.environment,
            seconds=round(seconds, 3),
        )

    def _chosen(self, read: Iterator[Batch], seen: _Rehearsed) -> Iterator[Batch]:
        """The batches that are looked at: the first, and then as many as the share asks for, spread evenly."""
        due = 1.0
        for batch in read:
            seen.read += batch.read
            seen.position = batch.position
            seen.unsure = seen.unsure or bool(unsure_of(batch))
            if due >= 1:
                due -= 1
                yield batch
            due += self.share


@dataclass(slots=True)
class _Rehearsed:
    """What was found so far."""

    opener: Opener
    target: Target
    keyed: bool
    mark: str
    read: int = 0
    position: Any = None
    counts: Counts = field(default_factory=Counts)
    duplicates: int = 0
    note: str = ""
    there: int | None = None
    sweeps: bool = False
    unsure: bool = False
    compared: bool = True
    matched: int = 0
    sums: dict[str, str] = field(default_factory=dict)
    keys: SeenKeys = field(init=False)
    meter: QualityMeter = field(init=False)
    repeats: Repeats = field(init=False)

    def __post_init__(self) -> None:
        self.keys = SeenKeys(self.target.schema.key)
        self.meter = QualityMeter(self.target.schema)
        self.repeats = Repeats(self.target.schema)

    def take(self, prepared: Prepared) -> None:
        """A batch: its rows are compared with those of batches before it, and with the destination's."""
        self.counts += prepared.counts
        self.sums = added(self.sums, prepared.sums)
        self.meter.take(prepared.frame, prepared.rejects, prepared.counts.read)
        frame, fresh = prepared.frame, None
        if self.keyed:
            fresh = self.keys.fresh(frame)
            frame = frame.filter(fresh)
            if prepared.origin is not None:
                self.repeats.note_again(prepared.origin, prepared.frame, fresh)
        self.duplicates += prepared.frame.height - frame.height
        matched = self._compare(frame, prepared.gone)
        if prepared.origin is not None and fresh is not None and self.target.mode == "upsert":
            self.repeats.note_there(prepared.origin, frame, fresh.arg_true(), matched, self._matching)

    def _matching(self, frame: pl.DataFrame) -> int:
        """How many of some rows have a key that is at the destination; none where it can't be asked any more."""
        try:
            found = waited(self.opener, lambda: self.opener.compare(Proposed(self.target, frame)), "destination")
        except SynclineError:
            return 0
        return 0 if found is None else found.updated + found.unchanged

    def _compare(self, frame: pl.DataFrame, gone: pl.DataFrame | None) -> int:
        """Compares rows with the destination's; how many of their keys are there."""
        if not self.compared:
            return 0
        try:
            proposed = Proposed(self.target, frame, gone, self.mark)
            found = waited(self.opener, lambda: self.opener.compare(proposed), "destination")
        except SynclineError as error:
            self.compared, self.note = False, f"{error.code} {error.message}"
            return 0
        if found is None:
            self.compared, self.note = False, "which rows are there is known only by writing"
            return 0
        self.there = found.there
        self.matched += found.updated + found.unchanged
        deleted = found.deleted if self.target.mode != "replace" else 0
        self.counts = structs.replace(
            self.counts,
            inserted=self.counts.inserted + found.inserted,
            updated=self.counts.updated + found.updated,
            unchanged=self.counts.unchanged + found.unchanged,
            deleted=self.counts.deleted + deleted,
        )
        return found.updated + found.unchanged

    def rehearsal(self, key: ObjectKey, summary: Summary) -> Rehearsal:
        """All of it."""
        counts = self.counts
        if self.compared and self.target.mode == "replace" and self.read == counts.read:
            counts = structs.replace(counts, deleted=max((self.there or 0) - self.matched, 0))
        # Of what is rejected, a run notes the key where it can be read: whether its row stays isn't known here.
        if self.compared and self.sweeps and not self.unsure and not counts.rejected and self.read == counts.read:
            counts = structs.replace(counts, absent=max((self.there or 0) - self.matched, 0))
        if not self.compared:
            counts = structs.replace(counts, inserted=0, updated=0, unchanged=0, deleted=0)
        return Rehearsal(
            key,
            counts,
            self.read,
            self.duplicates,
            self.compared,
            self.note,
            summary,
            self.meter.found(),
            again=tuple(self.repeats.again),
            there=tuple(self.repeats.there),
        )


def _refused(guards: Guards, seen: _Rehearsed, counts: Counts) -> str:
    """What a guard would stop the run with; empty where none would, as far as it can be told without writing."""
    there = seen.there or 0
    try:
        check_rejects(guards, counts)
        check_volume(guards, counts)
        check_rows(guards, counts)
        check_control(guards, Checkpoint("", "", "", counts=counts, sums=seen.sums))
        if seen.target.mode != "replace":
            check_deletes(guards, counts.deleted + counts.absent, lambda: there)
        elif (allowed := max_shrink(guards)) is not None and there - counts.written > there * allowed:
            return f"SYN487 the table would shrink from {there:,} rows to {counts.written:,}"
    except Denied as error:
        return f"{error.code} {error.message}"
    return ""
