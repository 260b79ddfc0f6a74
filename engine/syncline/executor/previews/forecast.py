"""What the next runs of declared flows would do, told for a plan from their first records. Nothing is written.

A forecast reads from where the run would begin, maps as it would, and asks the destination which rows are there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from msgspec.structs import replace

from syncline.executor.batches.absence import unsure_of
from syncline.executor.batches.at_rest import open_checkpoint
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.moves import moves_of
from syncline.executor.batches.prepare import Prepared, Preparer
from syncline.executor.batches.watch import watch_of
from syncline.executor.flows.applied import Applied
from syncline.executor.flows.opening import Opener, bind_columns, hash_key_of, ring_of
from syncline.executor.previews.preview import first
from syncline.executor.previews.waiting import batches, reading, waited
from syncline.executor.start import start_of
from syncline.model.errors import SynclineError
from syncline.model.forecast import Forecast, Reason
from syncline.model.run import Counts
from syncline.planner.pace import budget
from syncline.planner.row_effects import counted
from syncline.sdk.comparison import Compared, Proposed
from syncline.sdk.destination import Target
from syncline.sdk.source import BATCH_ROWS, Measured

if TYPE_CHECKING:
    from syncline.executor.flows.instance import Resolve
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.run import Reject
    from syncline.planner.compiled import CompiledFlow, Flows
    from syncline.planner.observed import Observed
    from syncline.sdk.batch import Batch
    from syncline.sdk.source import Source
    from syncline.settings import Settings
    from syncline.state.store import StateReader

#: Reasons of rejects that are told.
_REASONS: Final = 3
#: No name that a column can have.
_GONE: Final = "=gone"


@dataclass(frozen=True, slots=True)
class Forecaster:
    """
    Tries declared flows on up to `limit` records each. `reader` says where their runs would begin, `observed` what runs
    counted; `former` are names that moved flows had. `anew`: from the start, wherever they are. `dropped` are columns
    that flows wrote before, and don't any more.
    """

    desired: Desired
    flows: Flows
    settings: Settings
    resolve: Resolve
    reader: StateReader
    observed: Observed
    former: Mapping[ObjectKey, ObjectKey]
    limit: int
    anew: bool = False
    dropped: Mapping[ObjectKey, tuple[str, ...]] = field(default_factory=dict)

    def forecast(self, key: ObjectKey) -> tuple[Forecast, tuple[str, ...]]:
        """One flow, and the names of the secrets that it used. What keeps it from being tried is told in the result."""
        item = self.flows[key]
        applied = Applied(0, "", "", {}, self.desired, self.flows)
        rows = min(self.limit, BATCH_ROWS)
        opener = Opener(item, applied, self.settings, self.resolve, strict=False, trial=True, batch_rows=rows)
        try:
            found = self._tried(item, opener)
        except SynclineError as error:
            found = Forecast(key, problem=f"{error.code} {error.told}")
        return replace(found, notes=(*opener.notices, *found.notes)), tuple(opener.secrets.names)

    def _tried(self, item: CompiledFlow, opener: Opener) -> Forecast:
        key = item.flow.key
        before = self.former.get(key, key)
        saved = open_checkpoint(ring_of(self.settings), before.tenant, self.reader.cursor(before))
        start = start_of(str(key), item, saved, (), self.reader.run_state, full_refresh=self.anew)
        over = saved is not None and Checkpoint.loads(saved).basis != start.basis
        with reading(opener) as source:
            part = self._read(item, opener, source, start.position)
            total = self._total(item, part, source, before)
        found = Forecast(
            key,
            exact=part.whole,
            resumed=start.position is not None,
            counts=part.counts,
            total=total,
            reasons=tuple(_reason(r, item) for r in part.rejects[:_REASONS]),
            notes=part.allowed,
        )
        return _compared(_paced(found, item, opener), opener, part, self.dropped.get(key, ()), over=over)

    def _read(self, item: CompiledFlow, opener: Opener, source: Source, position: dict[str, object] | None) -> _Part:
        columns = bind_columns(item, source, hash_key_of(self.settings))
        applied = Applied(0, "", "", {}, self.desired, self.flows)
        watch = watch_of(item, applied, self.settings.root, partly=True)
        moves = moves_of(item, applied, columns, watch, self.reader, ring_of(self.settings), self.settings.root)
        target = Target(str(item.flow.key), "", item.flow.target.stream, moves.target, item.flow.spec.write)
        part = _Part(target, keyed=moves.keyed, mark=moves.mark)
        part.sweeps = moves.absence is not None
        self._take(part, moves.preparer(None), batches(opener, source.read(position)))
        watch.settle(whole=part.whole)
        part.allowed = tuple(watch.notes)
        return part

    def _take(self, part: _Part, preparer: Preparer, read: Iterable[Batch]) -> None:
        """Maps as many records as are wanted."""
        for batch in read:
            room = self.limit - part.counts.read
            if room <= 0 and batch.read:
                return
            part.unsure = part.unsure or bool(unsure_of(batch))
            some = first(batch, room)
            part.take(preparer.prepare(some), round(batch.size * some.read / max(batch.read, 1)))
            if batch.frame.height > room:
                return
        part.whole = True

    def _total(self, item: CompiledFlow, part: _Part, source: Source, before: ObjectKey) -> int | None:
        """About how many records the whole run reads; None where nothing tells it."""
        if part.whole:
            return part.counts.read
        size = source.total_bytes if isinstance(source, Measured) else None
        if size and part.size:
            return max(part.counts.read, round(part.counts.read * size / part.size))
        if item.flow.reads_on:
            return None  # what runs read past a position says nothing of what there is
        known = self.observed.last_read.get(before)
        return max(part.counts.read, known) if known else None


@dataclass(slots=True)
class _Part:
    """What was read and mapped of a flow; `whole`: there was no more. `size` is in bytes of the source.

    `unsure`: what the read lacks may be there, so that a run which `sweeps` deletes none of it. `allowed` are notes on
    what values showed and policy allows.
    """

    target: Target
    keyed: bool
    mark: str
    sweeps: bool = False
    unsure: bool = False
    whole: bool = False
    counts: Counts = field(default_factory=Counts)
    size: int = 0
    rejects: list[Reject] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    frames: list[pl.DataFrame] = field(default_factory=list)

    def take(self, prepared: Prepared, size: int) -> None:
        self.counts += prepared.counts
        self.size += size
        self.rejects += prepared.rejects[:_REASONS]
        if prepared.frame.height:
            self.frames.append(prepared.frame.with_columns(pl.lit(value=False).alias(_GONE)))
        if prepared.gone is not None:
            self.frames.append(prepared.gone.with_columns(pl.lit(value=True).alias(_GONE)))

    def proposed(self) -> tuple[Proposed, int]:
        """All rows and keys, of which the last word on each key counts; and how many words were not the last."""
        schema = self.target.schema
        if not self.frames:
            from syncline.sdk.frame import target_frame_schema

            return Proposed(self.target, pl.DataFrame(schema=target_frame_schema(schema))), 0
        every = pl.concat(self.frames, how="diagonal")
        last = every.unique(subset=list(schema.key), keep="last", maintain_order=True) if self.keyed else every
        gone = last.filter(_GONE).select(schema.key) if self.keyed else None
        rows = last.filter(~pl.col(_GONE)).select(schema.names)
        return Proposed(self.target, rows, gone, self.mark), every.height - last.height


def _reason(reject: Reject, item: CompiledFlow) -> Reason:
    """Why, without anything that may be a value: a parser's words may quote one, and the path of a request have one."""
    place = reject.place
    if item.flow.source.runtime == "rest":
        place = f"{item.flow.source.stream}#{place.rpartition('#')[2]}"
    message = "it can't be read as declared" if reject.rule == "parse" else reject.message
    return Reason(place, reject.field, reject.rule, message)


def _paced(found: Forecast, item: CompiledFlow, opener: Opener) -> Forecast:
    """With the requests that were made, and what the whole run takes."""
    requests = round(opener.counted().get("requests", 0))
    limit = budget(item.flow.source)
    needed = None
    if requests and found.total is not None:
        needed = requests if found.exact else math.ceil(requests * found.total / max(found.counts.read, 1))
    return replace(
        found,
        requests=requests,
        requests_needed=needed,
        seconds_needed=limit.shortest(needed) if limit is not None and needed is not None else None,
        limit=limit.text if limit is not None else "",
    )


def _absent(found: Forecast, there: Compared, part: _Part) -> int | None:
    """How many rows go for being absent; None unless everything was read and the key of all of it is known."""
    if not part.sweeps or part.unsure:
        return 0
    if not found.exact or part.counts.rejected:
        return None
    return there.there - there.updated - there.unchanged - there.deleted


def _left(there: Compared, part: _Part, dropped: tuple[str, ...]) -> Iterator[str]:
    """What is in columns that are no longer written, and what becomes of it."""
    if dropped and there.filled is None:
        yield f"how many rows have a value in {', '.join(dropped)} isn't counted there"
    then = "which go" if part.target.mode == "replace" else "which stay as they are"
    for name, rows in there.filled or ():
        yield f"column {name}, no longer written: {rows:,} of {there.there:,} rows have a value in it, {then}"


def _compared(found: Forecast, opener: Opener, part: _Part, dropped: tuple[str, ...], *, over: bool) -> Forecast:
    """With what a write of the rows would do, where the destination can tell; how many are there where it starts
    `over`.
    """
    proposed, earlier = part.proposed()
    proposed = replace(proposed, dropped=dropped)
    try:
        there = waited(opener, lambda: opener.compare(proposed), "destination")
    except SynclineError as error:
        return replace(found, note=f"{error.code} {error.told}")
    if there is None:
        return replace(found, note="which rows are there is known only by writing")
    # Of a table that is replaced, what goes is known only when everything was read.
    deleted = there.deleted if part.target.mode != "replace" or found.exact else 0
    keys = proposed.gone.height if proposed.gone is not None else 0
    absent = _absent(found, there, part)
    counts = replace(
        found.counts,
        inserted=there.inserted,
        updated=there.updated + earlier,
        unchanged=there.unchanged + (keys - there.deleted if keys else 0),
        deleted=deleted,
        absent=absent or 0,
    )
    note = f"all {there.there:,} rows are replaced" if part.target.mode == "replace" and not found.exact else ""
    if absent is None:
        note = "rows that the read lacks are deleted at the end, and how many isn't known before"
    now = (f"it starts over: there are {counted(there.there, 'row')} now",) if over else ()
    notes = (*found.notes, *now, *_left(there, part, dropped))
    return replace(found, counts=counts, compared=True, note=_foreign(opener, there) or note, notes=notes)


def _foreign(opener: Opener, there: Compared) -> str:
    """What becomes of a table that others filled, before the first run; '' for any other."""
    flow = opener.item.flow
    if not there.owner.foreign or not there.owner.known:
        return ""
    rows = f"the table is there with {there.owner.rows:,} rows, and no flow of ours made it"
    return f"{rows}: it is adopted" if flow.spec.existing == "adopt" else f"{rows}: the run stops (SYN751)"
