"""From a batch as read to rows that may be written: map, refuse, deduplicate, count. No I/O.

Every record of the batch ends in exactly one place: a row, a reject, or skipped.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl
from msgspec import Struct, structs

from syncline.executor.batches.sums import sums_of
from syncline.executor.batches.suppressor import Taken
from syncline.executor.batches.whole_pages import check_pages
from syncline.model.errors import Invalid
from syncline.model.run import Counts, Reason, Reject
from syncline.sdk.destination import REFUSED, Sending, Sifting, refusals, rendering
from syncline.sdk.offers import offers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from syncline.executor.batches.absence import Absence, Sight
    from syncline.executor.batches.anonymity import Groups
    from syncline.executor.batches.cutoff import Cutoff
    from syncline.executor.batches.suppressor import Suppressor
    from syncline.executor.batches.tombstones import Tombstones
    from syncline.executor.batches.watch import Watch
    from syncline.kinds.sync import Control
    from syncline.mapping.columns import Columns, Rejected
    from syncline.model.latency import Timing
    from syncline.model.schema import Schema
    from syncline.sdk.batch import Batch, Malformed, Position
    from syncline.sdk.destination import Limits, Refusal, Rendered, Writer


#: No name that a column can have.
ROW = "row number"


class Origin(Struct, frozen=True):
    """
    The batch that rows were made of: of which of its rows each (None: one of each). `older` has the keys of records
    whose key comes again in it, with their rows of the batch in the column `ROW`.
    """

    batch: Batch
    rows: pl.Series | None
    older: pl.DataFrame

    def source(self, rows: Sequence[int]) -> list[int]:
        """The batch's rows that these rows were made of."""
        return list(rows) if self.rows is None else [self.rows[row] for row in rows]


#: The rule that a row broke which the destination refused when it was to be written.
CONSTRAINT = "constraint"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to be committed: rows, rejects, counts (without inserted, updated and unchanged), and digests.

    `written_digest` is of what is sent to the destination, or of the rows as Arrow IPC where that isn't bytes. `late`
    makes rejects of rows that the destination refuses when it is sent them. `gone` has the keys of rows to delete,
    `late_gone` makes rejects of those. `sums` are those of the rows that control totals ask for. `sight` has the keys
    that it came to, where the run deletes what is absent. `timing` is how long it has been under way. `origin` is where
    rows come from, where that was asked for. `without` makes the same batch without rows that the destination refused,
    which are rejects of it then. `file` is the file that it is from, where the source tells.
    """

    frame: pl.DataFrame
    rejects: tuple[Reject, ...]
    counts: Counts
    position: Position
    read_digest: bytes
    written_digest: bytes
    size: int
    rendered: Rendered | None = None
    late: Callable[[Sequence[Refusal]], tuple[Reject, ...]] | None = None
    notes: tuple[str, ...] = ()
    gone: pl.DataFrame | None = None
    late_gone: Callable[[Sequence[Refusal]], tuple[Reject, ...]] | None = None
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    sight: Sight | None = None
    timing: Timing | None = None
    origin: Origin | None = None
    without: Callable[[Sequence[Refusal]], Prepared] | None = None
    file: str = ""


def with_late(prepared: Prepared, late: tuple[Reject, ...]) -> Prepared:
    """The batch with rows that the destination refused counted as rejects, in the order in which they were read."""
    counts, count = prepared.counts, len(late)
    return replace(
        prepared,
        rejects=tuple(sorted((*prepared.rejects, *late), key=_order)),
        counts=structs.replace(counts, written=counts.written - count, rejected=counts.rejected + count),
    )


def frame_digest(frame: pl.DataFrame) -> bytes:
    """SHA-256 of the frame as an uncompressed Arrow IPC stream: the same rows and types give the same digest."""
    if frame.height == 0:
        return hashlib.sha256(b"").digest()
    return hashlib.sha256(frame.write_ipc_stream(None, compression="uncompressed").getbuffer()).digest()


def _malformed(found: Malformed) -> Reject:
    return Reject(found.place, found.field, "parse", found.raw[:200], found.message, found.raw)


def place_order(place: str) -> tuple[str, int]:
    """`crm.csv:12` as ("crm.csv", 12): the order in which records were read."""
    match = re.fullmatch(r"(.*)[:#](\d+)", place)
    return (match[1], int(match[2])) if match else (place, 0)


def _order(reject: Reject) -> tuple[str, int]:
    return place_order(reject.place)


def _null_keys(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.Series:
    return frame.select(pl.any_horizontal([pl.col(name).is_null() for name in key]).alias("null")).to_series()


@dataclass(slots=True)
class Preparer:
    """
    Compiled columns and what the writer demands of rows: its limits alone in a dry run, a rehearsal and a first pass,
    nothing (None) in a forecast.

    `strict`: pages that can't be cast as a whole end the run (`whole_pages.py`). `tombstones`: some records delete.
    `duplicates` counts rows whose key came again in their batch; `control` asks for sums. `absence`: what the read
    lacks is deleted. `watch`: policy for what turns up in the rows; `groups` counts rows that are alike. `suppressor`:
    some people aren't to come back. `cutoff`: what is too old isn't written. `traced`: each batch has its `origin`.
    """

    columns: Columns
    target: Schema
    unique: bool
    writer: Writer | Limits | None
    strict: bool = False
    tombstones: Tombstones | None = None
    duplicates: int = 0
    control: Control | None = None
    absence: Absence | None = None
    watch: Watch | None = None
    groups: Groups | None = None
    suppressor: Suppressor | None = None
    cutoff: Cutoff | None = None
    traced: bool = False
    _sends: bool = field(init=False)
    _sifts: bool = field(init=False)

    def __post_init__(self) -> None:
        self._sends = offers(self.writer, Sending)
        self._sifts = offers(self.writer, Sifting) and self.writer.sifts

    def prepare(self, batch: Batch) -> Prepared:
        """One batch; deterministic. `Invalid` (SYN425) where it is strict, `Denied` (SYN516) by what is watched for."""
        prepared = self._ready(self._mapped(batch), {})
        if self.watch is not None:
            self.watch.batch(prepared.frame)
        if self.groups is not None:
            self.groups.add(prepared.frame)
        return prepared

    def _ready(self, taken: Taken, refused: Mapping[int, Sequence[Refusal]]) -> Prepared:
        """What was mapped, made ready without records that the destination refused, by their index in the batch."""
        if self.tombstones is None:
            prepared = self._whole(taken, refused)
        else:
            prepared = self._divided(taken, refused, self.tombstones)
        if taken.count:
            prepared = replace(prepared, counts=structs.replace(prepared.counts, suppressed=taken.count))
        if self.control is None:
            return prepared
        sums = sums_of(prepared.frame, self.control)
        if taken.frame is not None:  # the totals that came with the data have them
            sums = {name: sums[name] + more for name, more in sums_of(taken.frame, self.control).items()}
        return replace(prepared, sums=sums)

    def _mapped(self, batch: Batch) -> Taken:
        """A batch and what is mapped of it, without people who aren't to come back."""
        if self.tombstones is None:
            mapped, dead = self.columns.apply(batch.frame), None
        else:
            mapped = self.tombstones.apply(self.columns, batch.frame)
            dead = self.tombstones.dead(mapped.frame)
        if self.strict:
            check_pages(batch, mapped.rejects)
        taken = Taken(batch, mapped) if self.suppressor is None else self.suppressor.take(batch, mapped, dead)
        if self.cutoff is None:
            return taken
        if self.tombstones is not None:
            dead = self.tombstones.dead(taken.mapped.frame)
        mapped, old = self.cutoff.keep(taken.mapped, dead, self.target.key if self.unique else ())
        aside = [frame for frame in (taken.frame, old) if frame is not None]
        return structs.replace(taken, mapped=mapped, frame=pl.concat(aside) if aside else None)

    def _without(
        self,
        taken: Taken,
        before: Mapping[int, Sequence[Refusal]],
        rows: pl.Series | None,
        refused: Sequence[Refusal],
    ) -> Prepared:
        """What is ready, made ready again without rows of it: a record that one of them had replaced is there again."""
        found: dict[int, list[Refusal]] = {}
        for refusal in refused:
            found.setdefault(refusal.row if rows is None else int(rows[refusal.row]), []).append(refusal)
        return self._ready(taken, {**before, **found})

    def _whole(self, taken: Taken, refused_rows: Mapping[int, Sequence[Refusal]]) -> Prepared:
        batch, mapped = taken.batch, taken.mapped
        frame, rejected = mapped.frame, list(mapped.rejects)
        rows = mapped.rows
        if self.unique:
            frame, rows = self._without_null_keys(batch, frame, rows, rejected)
        frame, rows = self._without_refused(batch, frame, rows, rejected, refused_rows)
        before, whole = frame.height, frame
        frame, kept = self._unique(whole)
        rendered = self._rendered(frame) if frame.height == before else None
        if rendered is None and self.writer is not None and before:
            # Of two records with one key, a value that is refused mustn't take the place of one that isn't.
            refused = [(r.row, r.column, r.message) for r in refusals(self.writer, whole)]
            if refused:
                whole, rows = self._take_out(batch, whole, rows, rejected, refused, "destination")
                before = whole.height
                frame, kept = self._unique(whole)
            rendered = rendering(self.writer, frame)
        older = self._older(whole, rows, kept) if self.traced else None
        if kept is not None:
            rows = kept if rows is None else rows.gather(kept)
        duplicates = before - frame.height
        self.duplicates += duplicates
        sight = self.absence.sight(batch, frame, rejected) if self.absence is not None else None
        rejects = self._rejects(batch, rejected)
        if batch.malformed:
            rejects = tuple(sorted((*map(_malformed, batch.malformed), *rejects), key=_order))
        counts = Counts(
            read=batch.read,
            written=frame.height,
            rejected=len(rejects),
            skipped=batch.skipped + mapped.skipped + duplicates,
        )
        written = rendered.digest if rendered is not None and rendered.digest else frame_digest(frame)
        return Prepared(
            frame,
            rejects,
            counts,
            batch.position,
            batch.digest,
            written,
            batch.size,
            rendered,
            partial(self._late, batch, frame, rows) if self._sends else None,
            batch.notes,
            sight=sight,
            origin=None if older is None else Origin(batch, rows, older),
            without=partial(self._without, taken, refused_rows, rows) if self._sifts else None,
            file=batch.file,
        )

    def _older(self, whole: pl.DataFrame, rows: pl.Series | None, kept: pl.Series | None) -> pl.DataFrame:
        """Keys of rows that aren't kept, and the batch's rows that they are made of."""
        found = pl.Series(ROW, range(whole.height) if rows is None else rows, dtype=pl.UInt32)
        keyed = whole.select(self.target.key).with_columns(found)
        if kept is None:
            return keyed.clear()
        return keyed.filter(~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(kept.implode()))

    def _divided(self, taken: Taken, refused_rows: Mapping[int, Sequence[Refusal]], tombstones: Tombstones) -> Prepared:
        """A batch in which the last word on a key may be that its row is to be deleted."""
        batch, mapped = taken.batch, taken.mapped
        rejected = list(mapped.rejects)
        frame, rows = self._without_null_keys(batch, mapped.frame, mapped.rows, rejected)
        frame, rows = self._without_refused(batch, frame, rows, rejected, refused_rows)
        if self.writer is not None and frame.height:
            refused = [(r.row, r.column, r.message) for r in refusals(self.writer, frame.select(self.target.names))]
            if refused:
                frame, rows = self._take_out(batch, frame, rows, rejected, refused, "destination")
        before = frame.height
        found = pl.Series(ROW, range(before) if rows is None else rows, dtype=pl.UInt32)
        frame = frame.with_columns(found).unique(subset=list(self.target.key), keep="last", maintain_order=True)
        kept, gone = tombstones.divide(frame, self.target)
        sight = self.absence.sight(batch, kept, rejected) if self.absence is not None else None
        dead = tombstones.dead(frame)
        numbers = frame[ROW].filter(~dead)
        late = partial(self._late, batch, kept, numbers) if self._sends else None
        late_gone = None
        if self._sends and gone is not None:
            late_gone = partial(self._late, batch, gone, frame[ROW].filter(dead))
        rendered = rendering(self.writer, kept) if self.writer is not None else None
        rejects = (*map(_malformed, batch.malformed), *self._rejects(batch, rejected))
        counts = Counts(
            read=batch.read,
            written=frame.height,
            rejected=len(rejects),
            skipped=batch.skipped + mapped.skipped + before - frame.height,
        )
        written = rendered.digest if rendered is not None and rendered.digest else frame_digest(kept)
        return Prepared(
            kept,
            tuple(sorted(rejects, key=_order)),
            counts,
            batch.position,
            batch.digest,
            written if gone is None else hashlib.sha256(written + frame_digest(gone)).digest(),
            batch.size,
            rendered,
            late,
            batch.notes,
            gone,
            late_gone,
            sight=sight,
            without=partial(self._without, taken, refused_rows, numbers) if self._sifts else None,
            file=batch.file,
        )

    def _late(
        self, batch: Batch, frame: pl.DataFrame, rows: pl.Series | None, refused: Sequence[Refusal]
    ) -> tuple[Reject, ...]:
        bad = [(r.row, r.column, r.message) for r in refused]
        rejected: list[Rejected] = []
        self._take_out(batch, frame, rows, rejected, bad, "destination")
        return self._rejects(batch, rejected)

    def _unique(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series | None]:
        """The last of each key, and which rows these are, where the records of some may be asked for later."""
        if not self.unique or not frame.height:
            return frame, None
        key = list(self.target.key)
        if len(key) == 1 and frame[key[0]].n_unique() == frame.height:
            return frame, None
        if not (self._sends or self._sifts or self.traced):
            return frame.unique(subset=key, keep="last", maintain_order=True), None
        found = frame.with_row_index(ROW).unique(subset=key, keep="last", maintain_order=True)
        return found.drop(ROW), found[ROW]

    def _rendered(self, frame: pl.DataFrame) -> Rendered | None:
        """The frame ready to be written; None where the writer doesn't do that ahead, or refuses a value."""
        if self.writer is None:
            return None
        try:
            return rendering(self.writer, frame)
        except Invalid as error:
            if error.code != REFUSED:
                raise
            return None

    def _without_null_keys(
        self, batch: Batch, frame: pl.DataFrame, rows: pl.Series | None, rejected: list[Rejected]
    ) -> tuple[pl.DataFrame, pl.Series | None]:
        if not frame.height or not any(frame[name].null_count() for name in self.target.key):
            return frame, rows
        null = _null_keys(frame, self.target.key)
        bad = [(i, self.target.key[0], "the key is null") for i in null.arg_true().to_list()]
        return self._take_out(batch, frame, rows, rejected, bad, "key")

    def _without_refused(
        self,
        batch: Batch,
        frame: pl.DataFrame,
        rows: pl.Series | None,
        rejected: list[Rejected],
        refused: Mapping[int, Sequence[Refusal]],
    ) -> tuple[pl.DataFrame, pl.Series | None]:
        if not refused:
            return frame, rows
        numbers = range(frame.height) if rows is None else rows.to_list()
        bad = [(i, r.column, r.message) for i, number in enumerate(numbers) for r in refused.get(number, ())]
        return self._take_out(batch, frame, rows, rejected, bad, CONSTRAINT)

    @staticmethod
    def _take_out(
        batch: Batch,
        frame: pl.DataFrame,
        rows: pl.Series | None,
        rejected: list[Rejected],
        bad: Sequence[tuple[int, str, str]],
        rule: str,
    ) -> tuple[pl.DataFrame, pl.Series | None]:
        from syncline.mapping.columns import Rejected

        source = list(range(batch.frame.height)) if rows is None else rows.to_list()
        reasons: dict[int, dict[str, Reason]] = {}
        for index, column, message in bad:
            value = str(frame[column][index])[:200] if column in frame.columns else ""
            reasons.setdefault(index, {}).setdefault(column, Reason(column, rule, value, message))
        for index, found in sorted(reasons.items()):
            first, *others = found.values()
            rejected.append(Rejected(source[index], first.field, rule, first.value, first.message, tuple(others)))
        keep = [i for i in range(frame.height) if i not in reasons]
        return frame[keep], pl.Series([source[i] for i in keep], dtype=pl.UInt32)

    def _rejects(self, batch: Batch, rejected: list[Rejected]) -> tuple[Reject, ...]:
        if not rejected:
            return ()
        rejected.sort(key=lambda r: r.row)
        rows = [r.row for r in rejected]
        places, records = batch.places(rows), self.columns.record_json(batch.frame, rows)
        return tuple(
            Reject(place, r.field, r.rule, r.value, r.message, record, r.also)
            for r, place, record in zip(rejected, places, records, strict=True)
        )
