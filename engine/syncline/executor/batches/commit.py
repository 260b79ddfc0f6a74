"""Committing batches: rejects to the state, rows and checkpoint to the destination, then copies and evidence.

The order is what makes a kill harmless: rejects first (dropped again if their batch never was committed), then rows and
checkpoint in one transaction, then what can be told from the checkpoint. Copies in the state and commit events are
written at most once a second, long checkpoints less often, and at the end: they are repeated from the destination's
checkpoint when a run continues.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl
from msgspec import Struct, structs

from syncline.executor.batches.at_rest import put_run
from syncline.executor.batches.guard import check_deletes, check_rejects, may_judge, rejects_left
from syncline.executor.batches.prepare import with_late
from syncline.executor.batches.rejects import seal
from syncline.executor.batches.sums import sums_of
from syncline.model.errors import Denied, Invalid
from syncline.model.event import Action, Event
from syncline.model.latency import Latencies
from syncline.sdk.chapters import Chaptered
from syncline.sdk.destination import (
    BLAMED,
    Deleting,
    Foreseeing,
    Removal,
    Removing,
    Rendered,
    Rendering,
    Sending,
    Sifting,
    Sweeping,
    Written,
)
from syncline.sdk.offers import offers

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.executor.batches.prepare import Prepared
    from syncline.executor.services.facilities import Facilities
    from syncline.kinds.sync import Guards
    from syncline.model.key import ObjectKey
    from syncline.model.run import Reject
    from syncline.sdk.destination import Sent, Writer
    from syncline.state.store import RunRecord

#: Seconds between copies to the state and the log; what is lost by a kill is repeated from the destination.
COPY_EVERY = 1.0
#: Characters of checkpoints that the state is given in a second, on average: one that tells of thousands of files has
#: megabytes, and is copied less often than the run's counts.
COPIED = 64 * 1024

#: How often rows are taken out of a batch: others may write to the table meanwhile, and of a record that is refused, an
#: older one with its key may come in its place.
_ROUNDS = 10


@dataclass(slots=True)
class Committer:
    """The sink of a pipeline: one writer, one run. `ends`: whether the last batch may end a run there.

    `guards` bound what is deleted; `mark` is the column that says so of rows that stay. `sweeps`: what the run didn't
    come to is deleted at its end. `lessened` hears of a batch without the rows that were refused, before it is written
    so.
    """

    facilities: Facilities
    writer: Writer
    key: ObjectKey
    record: RunRecord
    ends: Callable[[Checkpoint], bool]
    guards: Guards
    mark: str = ""
    sweeps: bool = False
    lessened: Callable[[Prepared, Checkpoint], None] | None = None
    last: Checkpoint | None = None
    latencies: Latencies = field(default_factory=Latencies)
    _ended: str | None = None
    _events: list[Event] = field(default_factory=list)
    _copied: float = field(init=False)
    _due: float = 0.0

    def __post_init__(self) -> None:
        self._copied = time.monotonic()

    def commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """One batch; durable when it returns. The last one ends the run in the same transaction, where it may."""
        self.facilities.recorder.check()
        _sent(prepared)
        after = self._commit(prepared, before, last=last)
        if prepared.timing is not None:
            self.latencies.add(prepared.timing, time.perf_counter())
        self.tell(after, rejected=after.counts.rejected - before.counts.rejected)
        return after

    def _commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        if offers(self.writer, Sending):
            return self._send(self.writer, prepared, before)
        for _ in range(_ROUNDS):
            try:
                return self._apply(prepared, before, last=last)
            except Invalid as error:
                lessened = self._sifted(prepared, before, error, last=last)
                if lessened is None:
                    raise
                prepared = lessened
        return self._apply(prepared, before, last=last)

    def _sifted(self, prepared: Prepared, before: Checkpoint, error: Invalid, *, last: bool) -> Prepared | None:
        """
        A batch that wasn't written, without the rows that are to blame; None where none is. `Denied` (SYN701) where
        these are too many.
        """
        writer = self.writer
        if prepared.without is None or error.code not in BLAMED or not offers(writer, Sifting):
            return None
        expected = before.counts + prepared.counts
        judged = last or may_judge(self.guards, expected)
        removal = None if prepared.gone is None else Removal(prepared.gone, self.mark, _unbounded)
        refused = writer.sift(prepared.frame, removal, rejects_left(self.guards, expected) if judged else None)
        if refused is None:
            raise Invalid(
                f"{error.marked}; they are too many of one batch to set each aside",
                code=error.code,
                help=error.help,
            )
        if not refused:
            return None
        lessened = prepared.without(refused)
        if judged:
            try:
                check_rejects(self.guards, before.counts + lessened.counts)
            except Denied:
                self.set_aside(lessened, before)
                raise
        if self.lessened is not None:
            self.lessened(lessened, before)
        return lessened

    def _apply(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """Writes a batch and its checkpoint together."""
        after = before.advance(
            position=prepared.position,
            counts=prepared.counts,
            read=prepared.read_digest,
            written=prepared.written_digest,
            notes=prepared.notes,
            sums=prepared.sums,
            file=prepared.file,
            unsure=prepared.sight.unsure if prepared.sight is not None else None,
        )
        after = structs.replace(after, done=last and self.ends(after))
        keep_rejects(self.facilities, self.key, after, prepared)
        if prepared.sight is not None:
            _sweeping(self.writer, self.key).see(prepared.sight.keys)
        if offers(self.writer, Chaptered) and self.writer.keeps_chapters:
            after = after.turned()
        if prepared.gone is None:
            text = after.kept()
            after = counted(after, self._write(prepared, text))
        else:
            text, after = self._remove(prepared, prepared.gone, after)
        self.last = after = after.settled()
        if after.done:
            self._ended = text
        return after

    def foresee(self, prepared: Prepared) -> None:
        """Lets the writer begin with a batch before its turn, where it can."""
        if prepared.rendered is not None and prepared.gone is None and offers(self.writer, Foreseeing):
            _sent(prepared)
            self.writer.foresee(prepared.rendered)

    def _send(self, writer: Sending, prepared: Prepared, before: Checkpoint) -> Checkpoint:
        """The same where there are no transactions: what was refused is known before the checkpoint moves."""
        if prepared.gone is not None:
            # How many are there isn't known before they are deleted: each tombstone counts as one.
            check_deletes(self.guards, before.counts.deleted + prepared.gone.height, lambda: 0)
        sent = writer.send(prepared.frame)
        if sent.refused and prepared.late is not None:
            prepared = self._without(prepared, prepared.late(sent.refused), sent)
        deleted = Written(0)
        if prepared.gone is not None:
            prepared, deleted = self._send_deletes(prepared, prepared.gone)
        after = counted(
            before.advance(
                position=prepared.position,
                counts=prepared.counts,
                read=prepared.read_digest,
                written=prepared.written_digest,
                notes=prepared.notes,
                sums=prepared.sums,
                file=prepared.file,
            ),
            sent.written,
        )
        after = counted(after, deleted)
        keep_rejects(self.facilities, self.key, after, prepared)
        writer.commit(after.dumps())
        self.last = after
        return after

    def _without(self, prepared: Prepared, late: tuple[Reject, ...], sent: Sent) -> Prepared:
        """The batch without the rows that were refused: neither counts nor sums have them."""
        less = sums_of(prepared.frame[sorted({refusal.row for refusal in sent.refused})], self.guards.control)
        return replace(
            with_late(prepared, late), sums={name: prepared.sums[name] - sum_ for name, sum_ in less.items()}
        )

    def _send_deletes(self, prepared: Prepared, keys: pl.DataFrame) -> tuple[Prepared, Written]:
        """Deletes where there are no transactions: again after a kill, which has no second effect."""
        if not offers(self.writer, Deleting):
            raise _undeleting(self.key)
        rows = pl.concat([prepared.frame.clear(), keys], how="diagonal")
        sent = self.writer.delete(rows)
        if sent.refused and prepared.late_gone is not None:
            prepared = with_late(prepared, prepared.late_gone(sent.refused))
        return prepared, Written(0, 0, sent.written.unchanged, sent.written.updated)

    def _write(self, prepared: Prepared, checkpoint: str) -> Written:
        if prepared.rendered is not None and offers(self.writer, Rendering):
            return self.writer.write_rendered(prepared.rendered, checkpoint)
        return self.writer.write(prepared.frame, checkpoint)

    def _remove(self, prepared: Prepared, keys: pl.DataFrame, after: Checkpoint) -> tuple[str, Checkpoint]:
        """
        Deletes and writes; the checkpoint as it was kept, and with all counts. Kept is how many rows were deleted, so
        that a guard over the run holds after a kill too.
        """
        if not offers(self.writer, Removing):
            raise _undeleting(self.key)
        before = after.counts.deleted

        def allow(deleted: int, there: Callable[[], int]) -> None:
            check_deletes(self.guards, before + deleted, lambda: before + there())

        def checkpoint(deleted: int) -> str:
            return structs.replace(after, counts=structs.replace(after.counts, deleted=before + deleted)).kept()

        rendered = prepared.rendered or Rendered(prepared.frame)
        written = self.writer.write_removing(rendered, Removal(keys, self.mark, allow), checkpoint)
        return checkpoint(written.deleted), counted(after, written)

    def finish(self, end: Checkpoint) -> Checkpoint:
        """Ends the run at the destination, which does little if the last batch did; the checkpoint with all counts."""
        done = structs.replace(end, done=True)
        if self.sweeps:
            return self._sweep(done)
        return counted(done, self.writer.finish(self._ended or done.kept()))

    def _sweep(self, done: Checkpoint) -> Checkpoint:
        """Deletes what the run didn't come to as it ends, unless that may be there all the same."""
        if done.noted < done.sequence:
            # Under `absent: keep` a part of the run wrote rows whose keys nobody noted.
            done = structs.replace(done, unsure=done.unsure or "`absent` was changed while the run was under way")
        gone = done.counts.deleted

        def allow(deleted: int, there: Callable[[], int]) -> None:
            check_deletes(self.guards, gone + deleted, lambda: gone + there())

        def swept(deleted: int) -> Checkpoint:
            return structs.replace(done, counts=structs.replace(done.counts, absent=deleted))

        writer = _sweeping(self.writer, self.key)
        return swept(writer.sweep(None if done.unsure else allow, lambda deleted: swept(deleted).kept()))

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """Keeps the rejects of a batch that isn't committed."""
        keep_rejects(self.facilities, self.key, structs.replace(before, sequence=before.sequence + 1), prepared)

    def tell(self, checkpoint: Checkpoint, rejected: int = 0) -> None:
        """Notes a commit for the log, and copies it to the state once in a while."""
        recorder = self.facilities.recorder
        self._events.append(
            recorder.event(
                Action.run_commit,
                key=self.key,
                run=checkpoint.run,
                sequence=checkpoint.sequence,
                read=checkpoint.counts.read,
                written=checkpoint.counts.written,
                rejected=checkpoint.counts.rejected,
                skipped=checkpoint.counts.skipped,
                read_digest=checkpoint.read_digest,
                written_digest=checkpoint.written_digest,
            )
        )
        if rejected:
            sequence = checkpoint.sequence
            self._events.append(
                recorder.event(Action.run_reject, key=self.key, run=checkpoint.run, sequence=sequence, count=rejected)
            )
        if time.monotonic() - self._copied >= COPY_EVERY:
            self.copy(checkpoint)

    def copy(self, checkpoint: Checkpoint) -> None:
        """Copies counts, and the checkpoint where it is its turn, to the state and appends the commits to the log."""
        self.record = structs.replace(self.record, counts=checkpoint.counts)
        if checkpoint.flow == str(self.key) and time.monotonic() >= self._due:
            self._due = put_run(self.facilities, self.record, checkpoint) / COPIED + time.monotonic()
        else:  # that of a retry leaves the flow's cursor where it is
            self.facilities.store.put_run(self.record)
        self.facilities.recorder.record(self.take_events())
        self._copied = time.monotonic()

    def counted_record(self) -> RunRecord:
        """The run's record with the counts of everything that is committed."""
        return self.record if self.last is None else structs.replace(self.record, counts=self.last.counts)

    def take_events(self) -> list[Event]:
        """Commit events that are not in the log yet; the caller appends them."""
        events, self._events = self._events, []
        return events


def _sent(prepared: Prepared) -> None:
    """Notes that the destination is given it, unless it was before."""
    if prepared.timing is not None and prepared.timing.sent is None:
        prepared.timing.sent = time.perf_counter()


def _unbounded(deleted: int, there: Callable[[], int]) -> None:
    """Allows what is rolled back in any case."""


def _sweeping(writer: Writer, key: ObjectKey) -> Sweeping:
    if not offers(writer, Sweeping):
        raise Invalid(f"{key}: its destination can't delete what is absent", code="SYN530", help="Use absent: keep.")
    return writer


def _undeleting(key: ObjectKey) -> Invalid:
    return Invalid(f"{key}: its destination can't delete rows", code="SYN525", help="Use deletes: ignore.")


def keep_rejects(facilities: Facilities, key: ObjectKey, after: Checkpoint, prepared: Prepared) -> None:
    """Keeps a batch's rejects, sealed, under the run and sequence of the checkpoint after it."""
    if prepared.rejects:
        facilities.store.put_rejects(seal(facilities.keys, key, after.run, after.sequence, prepared.rejects))


class FirstPass(Struct, frozen=True):
    """The sink of `validate: before-commit`: it counts, and keeps rejects; whoever goes on drops them again."""

    facilities: Facilities
    key: ObjectKey

    def commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """Counts a batch, and keeps its rejects."""
        del last
        after = before.advance(
            position=prepared.position,
            counts=prepared.counts,
            read=prepared.read_digest,
            written=prepared.written_digest,
            sums=prepared.sums,
        )
        keep_rejects(self.facilities, self.key, after, prepared)
        return after

    def foresee(self, prepared: Prepared) -> None:
        """Nothing can be done ahead."""

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """As if it were committed."""
        self.commit(prepared, before, last=False)


def counted(checkpoint: Checkpoint, written: Written | None) -> Checkpoint:
    """The checkpoint with what the destination says became of the rows."""
    if written is None:
        return checkpoint
    counts = checkpoint.counts
    return structs.replace(
        checkpoint,
        left_out=checkpoint.left_out + written.left_out,
        counts=structs.replace(
            counts,
            inserted=counts.inserted + written.inserted,
            updated=counts.updated + written.updated,
            unchanged=counts.unchanged + written.unchanged,
            deleted=counts.deleted + written.deleted,
        ),
    )
