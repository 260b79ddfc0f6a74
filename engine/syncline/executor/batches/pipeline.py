"""The pipeline of one run: read → map → guard → write → commit. Three threads, bounded queues, flat memory.

The source is read in one thread (`read_ahead.py`), batches are mapped in the calling thread, and everything that
touches the destination and the state happens in a third (`serial.py`), in order. At most a few batches are in memory at
once. Rejects of a batch are kept before the batch is committed, under its sequence number; those of batches that were
never committed are dropped when the run continues. So a kill at any point loses and doubles nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from syncline.executor.batches.guard import check_rejects, check_volume, may_judge
from syncline.model.errors import Again, Denied

if TYPE_CHECKING:
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.executor.batches.in_order import InOrder
    from syncline.executor.batches.prepare import Prepared
    from syncline.executor.batches.serial import Serial
    from syncline.kinds.sync import Guards
    from syncline.model.run import Counts

#: Is told what is committed so far, of the whole run, and how many bytes were read for it.
Advanced = Callable[["Counts", int], None]


class Sink(Protocol):
    """Where prepared batches go; called from one thread, in order."""

    def commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """Makes a batch durable, rejects first, and returns the checkpoint after it. `last`: nothing comes after it."""

    def foresee(self, prepared: Prepared) -> None:
        """Hears of a batch before its turn, from another thread: nothing of it may last before it is committed."""

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """Keeps the rejects of a batch that a guard refuses: they say why."""


def load(
    incoming: InOrder,
    sink: Sink,
    serial: Serial,
    start: Checkpoint,
    guards: Guards,
    advanced: Advanced,
    at_once: int = 1,
) -> Checkpoint:
    """
    Moves all batches and returns the checkpoint after the last. `advanced` gets cumulative counts and bytes read.
    The last one is told to the sink as such where that is known without waiting, so that its commit can end the run.
    Up to `at_once` are on their way to the sink, which commits one after the other and hears of each before its turn.

    Guards are checked on what would be committed, before it is, and on what is known by then where the source waits for
    the commit; rows that a destination refuses when they are sent to it count from then on. The first error of any
    thread is raised, after what was started is over; everything committed before it stays.
    """
    return _Loading(incoming, sink, serial, start, guards, advanced, at_once).execute()


@dataclass(slots=True)
class _Loading:
    """
    Batches on their way: held until they may be judged, then pending until they are committed.

    Those that are too few to judge by are committed once they may be, or with the last. Until then others may be read,
    so that what is in memory isn't counted as under way: `waiting` says how many of those held aren't.
    """

    incoming: InOrder
    sink: Sink
    serial: Serial
    done: Checkpoint
    guards: Guards
    advanced: Advanced
    at_once: int
    commits: _Commits = field(init=False)
    counts: Counts = field(init=False)  # of all that was prepared
    size: int = 0
    late: int = 0  # rows that the destination refused when they were sent
    unwritten: int = 0  # how many fewer are written for it
    pending: deque[tuple[Future[Checkpoint], Counts, int]] = field(default_factory=deque)
    held: list[Prepared] = field(default_factory=list)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.counts = self.done.counts
        self.commits = _Commits(self.sink, self.serial, self.done, self.incoming.committed)

    def execute(self) -> Checkpoint:
        try:
            self._take_all()
            self._release(last=True)
            self._settle()
        except (KeyboardInterrupt, SystemExit):
            self.serial.stop()
            with suppress(Again):  # that it was stopped is no news
                self._settle()
            raise
        finally:
            self._settle()
        if self.late:
            check_rejects(self.guards, self._judged())
        return self.done

    def _take_all(self) -> None:
        for batch, prepared in self.incoming:
            self.counts = self.counts + prepared.counts
            self.held.append(replace(prepared, timing=batch.timing))
            del prepared  # it is held until it is committed, and no longer
            if batch.settle or may_judge(self.guards, self.counts):
                self._release(last=self.incoming.ended())
            else:
                self.waiting += 1
                self.incoming.committed()
            if batch.settle:
                self._settle()
                self.incoming.settled()

    def _release(self, *, last: bool) -> None:
        """Has what is held committed, unless a guard refuses it: then its rejects are kept, which say why."""
        try:
            check_rejects(self.guards, self._judged())
            check_volume(self.guards, self._judged())
        except Denied:
            self._settle()
            for further, prepared in enumerate(self.held):
                before = structs.replace(self.done, sequence=self.done.sequence + further)
                self.serial.call(partial(self.sink.set_aside, prepared, before))
            raise
        for number, prepared in enumerate(self.held, 1):
            self.sink.foresee(prepared)
            self._settle(self.at_once - 1)
            self.size += prepared.size
            final = last and number == len(self.held)
            begun = self.commits.start(prepared, last=final, counted=number > self.waiting)
            self.pending.append((begun, prepared.counts, self.size))
        self.held.clear()
        self.waiting = 0

    def _judged(self) -> Counts:
        """What would be written and rejected, with what is known of the destination's refusals."""
        counts = self.counts
        return structs.replace(counts, written=counts.written - self.unwritten, rejected=counts.rejected + self.late)

    def _settle(self, most: int = 0) -> None:
        """Waits until at most so many are pending."""
        while len(self.pending) > most:
            waited, expected, upto = self.pending[0]  # it stays there while it is waited for: that can be interrupted
            try:
                before, self.done = self.done, self.serial.result(waited)
            except Exception:
                self.pending.clear()  # none of them is begun
                raise
            self.pending.popleft()
            counts = self.done.counts
            self.late += counts.rejected - before.counts.rejected - expected.rejected
            self.unwritten += expected.written - (counts.written - before.counts.written)
            try:
                self.advanced(counts, upto)
            except Exception:
                self._drain()
                raise

    def _drain(self) -> None:
        """Waits for what is started, whatever becomes of it."""
        while self.pending:
            with suppress(Exception):
                self.serial.result(self.pending.popleft()[0])


class _Commits:
    """Commits in the destination's thread, each after the one before it; after one that failed, there are no others."""

    def __init__(self, sink: Sink, serial: Serial, start: Checkpoint, committed: Callable[[], None]) -> None:
        self._sink = sink
        self._serial = serial
        self._after = start
        self._committed = committed
        self._failed = False

    def start(self, prepared: Prepared, *, last: bool, counted: bool) -> Future[Checkpoint]:
        """Commits a batch, later; gives the checkpoint after it. `counted`: it is under way until then."""
        return self._serial.start(lambda: self._commit(prepared, last=last, counted=counted))

    def _commit(self, prepared: Prepared, *, last: bool, counted: bool) -> Checkpoint:
        if not self._failed:
            self._failed = True
            self._after = self._sink.commit(prepared, self._after, last=last)
            self._failed = False
            if counted:
                self._committed()
        return self._after
