"""The pipeline of one run: read → map → guard → write → commit. Three threads, bounded queues, flat memory.

The source is read in one thread, batches are mapped in the calling thread, and everything that touches the destination
and the state happens in a third, in order. At most a few batches are in memory at once. Rejects of a batch are kept
before the batch is committed, under its sequence number; those of batches that were never committed are dropped when
the run continues. So a kill at any point loses and doubles nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct, structs

from syncline.executor.guard import check_rejects, check_volume, may_judge
from syncline.executor.halt import HEARD_WITHIN, Halt
from syncline.executor.threads import borrow
from syncline.model.errors import Again, Denied, SynclineError
from syncline.model.latency import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from syncline.executor.checkpoint import Checkpoint
    from syncline.executor.in_flight import Seat
    from syncline.executor.in_order import InOrder
    from syncline.executor.prepare import Prepared
    from syncline.kinds.sync import Guards
    from syncline.model.run import Counts
    from syncline.sdk.batch import Batch

T = TypeVar("T")

#: Batches read ahead of the one being mapped: with 16 MiB batches, tens of megabytes.
READ_AHEAD = 1

#: Seconds between two looks for room, of which the one who takes batches hears where there is none.
_NO_ROOM = 0.02

#: Seconds to wait for a source that is stopped early. It may be waiting for its system, and whoever stopped it for us.
STOP_SECONDS = 2.0


class _Mark(Enum):
    """What a reader gives besides batches."""

    end = "end"
    no_room = "no room"


class Sink(Protocol):
    """Where prepared batches go; called from one thread, in order."""

    def commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """Makes a batch durable, rejects first, and returns the checkpoint after it. `last`: nothing comes after it."""

    def foresee(self, prepared: Prepared) -> None:
        """Hears of a batch before its turn, from another thread: nothing of it may last before it is committed."""

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """Keeps the rejects of a batch that a guard refuses: they say why."""


class Patience(Struct, frozen=True):
    """
    How long a run may make no progress, in seconds: no batch read, none committed, and no rise of what the two systems
    were heard of (`heard`).
    """

    seconds: float
    heard: Callable[[], float]

    def wait(self, look: Callable[[float], T], who: str) -> T:
        """What `look(seconds)` gives, tried again while it raises `queue.Empty`; `Again` where there is no progress."""
        heard, since = self.heard(), time.monotonic()
        while True:
            left = since + self.seconds - time.monotonic()
            try:
                return look(max(min(left, self.seconds / 8), 0.0))
            except queue.Empty:
                if (now := self.heard()) != heard:
                    heard, since = now, time.monotonic()
                elif left <= 0:
                    raise self.ended(who) from None

    def ended(self, who: str) -> Again:
        """What ends the run, which goes on where it was when it is started again."""
        return Again(
            f"the {who} made no progress for {self.seconds:g} s",
            code="SYN467",
            help="The next run continues after the last commit. What may take longer: spec.progressDeadline.",
            after=0.0,
        )


class ReadAhead:
    """The same batches, read in a thread of their own from `start` on; `stop` it, however early.

    Once `halt` is asked for, it raises that instead of giving the next batch. After a batch that says `settle`, nothing
    is read before `settled` is called. With a `seat`, one is taken for each batch before it is read, and given back by
    `committed`; where there is none, it gives None, again and again, until there is. `timing` is that of
    the batch given last.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        patience: Patience | None = None,
        halt: Halt | None = None,
        seat: Seat | None = None,
    ) -> None:
        self._batches = batches
        self._seat = seat
        self._patience = patience
        self._halt = halt or Halt()
        self._ready: queue.Queue[tuple[Batch, Timing] | BaseException | _Mark] = queue.Queue(READ_AHEAD)
        self.timing = Timing(0.0, 0.0)
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._produced: Future[None] | None = None

    def start(self) -> None:
        """Begins to read."""
        thread = borrow("syncline-read")
        self._produced = thread.submit(self._produce)
        thread.give_back()

    def stop(self) -> None:
        """Reads no more."""
        self._stopped.set()
        self._settled.set()
        if self._produced is not None:
            wait((self._produced,), timeout=STOP_SECONDS)

    def settled(self) -> None:
        """Says that the batch that was given last is committed."""
        self._settled.set()

    def committed(self) -> None:
        """Says that one more of the batches that were given isn't under way any more."""
        if self._seat is not None:
            self._seat.give()

    def working(self) -> AbstractContextManager[object]:
        """What is to be held while a batch is mapped: with a seat, no more are at a time than there are cores for."""
        return nullcontext() if self._seat is None else self._seat.working

    def __iter__(self) -> Iterator[Batch | None]:
        while (item := self._next()) is not _Mark.end:
            if isinstance(item, BaseException):
                raise item
            given: list[Batch | None] = [None]
            if not isinstance(item, _Mark):
                given[0], self.timing = item
            del item
            yield given.pop()

    def _next(self) -> tuple[Batch, Timing] | BaseException | _Mark:
        """What was read next; `Again` where the source makes no progress for longer than there is patience for."""
        if self._patience is None:
            return self._ready.get()
        return self._patience.wait(self._look, "source")

    def _look(self, seconds: float) -> tuple[Batch, Timing] | BaseException | _Mark:
        self._halt.check()
        return self._ready.get(timeout=min(seconds, HEARD_WITHIN))

    def ended(self) -> bool:
        """Whether it is known by now that nothing comes any more. It doesn't wait to find out."""
        return not self._ready.empty() and self._ready.queue[0] is _Mark.end

    def _put(self, item: tuple[Batch, Timing] | BaseException | _Mark) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def _produce(self) -> None:
        try:
            batches = iter(self._batches)
            while self._seated():
                begun = time.perf_counter()
                if (batch := next(batches, None)) is None:
                    break
                self._settled.clear()
                if not self._put((batch, Timing(begun, time.perf_counter() - begun))):
                    return
                settles = batch.settle
                del batch  # nothing of it is held here while it is used elsewhere
                if settles:
                    self._settled.wait()
                    if self._stopped.is_set():
                        return
            self._put(_Mark.end)
        except BaseException as error:
            self._put(error)

    def _seated(self) -> bool:
        """Waits for room for the next batch, and has whoever takes batches know that; False where it was stopped."""
        while self._seat is not None and not self._seat.take(_NO_ROOM):
            if self._stopped.is_set():
                return False
            with suppress(queue.Full):
                self._ready.put_nowait(_Mark.no_room)
        return True


@contextmanager
def read_ahead(
    batches: Iterable[Batch], patience: Patience | None = None, halt: Halt | None = None, seat: Seat | None = None
) -> Iterator[ReadAhead]:
    """Reads for the block, whose seat leaves at its end."""
    reading = ReadAhead(batches, patience, halt, seat)
    reading.start()
    try:
        yield reading
    finally:
        reading.stop()
        if seat is not None:
            seat.leave()


def _go_on() -> None:
    """Work that is short is ended."""


class Serial:
    """A thread that does one thing after another: the only one that touches the destination.

    `stop` is called, from elsewhere, where nobody needs what it is doing any more; `cut`, where there is no patience
    left: what it waits for then raises. A destination that can't be cut off is waited for.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._thread = borrow("syncline-write")
        self._patience = patience
        self.stop: Callable[[], None] = _go_on
        self.cut: Callable[[], None] = _go_on

    def call(self, function: Callable[[], T]) -> T:
        """Does it there and waits for it."""
        return self.result(self._thread.submit(function))

    def result(self, started: Future[T]) -> T:
        """Waits for what was started; `Again` where the destination makes no progress and could be cut off."""
        if self._patience is None:
            return started.result()
        try:
            self._patience.wait(lambda seconds: _look(started, seconds), "destination")
        except Again as impatience:
            self.cut()
            try:
                return started.result()
            except SynclineError:
                raise impatience from None
        return started.result()

    def start(self, function: Callable[[], T]) -> Future[T]:
        """Does it there, later."""
        return self._thread.submit(function)

    def close(self, last: Callable[[], object] = _go_on) -> None:
        """Does what is left to do there, waits for it as `call` does, and for what was started."""
        done, back = self._thread.submit(last), self._thread.give_back()
        try:
            self.result(done)
        finally:
            back.exception()


def _look(started: Future[T], seconds: float) -> None:
    """Raises `queue.Empty` if it isn't done within so many seconds."""
    with suppress(TimeoutError):  # its own may be one as well
        started.exception(timeout=seconds)
    if not started.done():
        raise queue.Empty


def load(
    incoming: InOrder,
    sink: Sink,
    serial: Serial,
    start: Checkpoint,
    guards: Guards,
    advanced: Callable[[Counts, int], None],
    at_once: int = 1,
) -> Checkpoint:
    """
    Moves all batches and returns the checkpoint after the last. `advanced` gets cumulative counts and bytes read.
    The last one is told to the sink as such where that is known without waiting, so that its commit can end the run.
    Up to `at_once` are on their way to the sink, which commits one after the other and hears of each before its turn.

    Guards are checked on what would be committed, before it is, and on what is known by then where the source waits for
    the commit; rows that a destination refuses when they are sent to
    it count from then on. The first error of any thread is raised, after what was started is over; everything committed
    before it stays.
    """
    counts, done, size = start.counts, start, 0
    late = unwritten = 0  # rows refused when they were sent, and how many fewer are written for it
    commits = _Commits(sink, serial, start, incoming.committed)
    pending: deque[tuple[Future[Checkpoint], Counts, int]] = deque()
    # Too few records yet to judge by: committed once they may be, or with the last. Until then others may be read, so
    # that what is in memory isn't counted as under way.
    held: list[Prepared] = []
    waiting = 0

    def settle(most: int = 0) -> None:
        nonlocal done, late, unwritten
        while len(pending) > most:
            waited, expected, upto = pending[0]  # it stays there while it is waited for: that can be interrupted
            try:
                before, done = done, serial.result(waited)
            except Exception:
                pending.clear()  # none of them is begun
                raise
            pending.popleft()
            late += done.counts.rejected - before.counts.rejected - expected.rejected
            unwritten += expected.written - (done.counts.written - before.counts.written)
            try:
                advanced(done.counts, upto)
            except Exception:
                drain()
                raise

    def drain() -> None:
        """Waits for what is started, whatever becomes of it."""
        while pending:
            with suppress(Exception):
                serial.result(pending.popleft()[0])

    def judged() -> Counts:
        return structs.replace(counts, written=counts.written - unwritten, rejected=counts.rejected + late)

    def release(*, last: bool) -> None:
        nonlocal size, waiting
        try:
            check_rejects(guards, judged())
            check_volume(guards, judged())
        except Denied:
            settle()
            for further, prepared in enumerate(held):
                serial.call(_setting_aside(sink, prepared, structs.replace(done, sequence=done.sequence + further)))
            raise
        for number, prepared in enumerate(held, 1):
            sink.foresee(prepared)
            settle(at_once - 1)
            size += prepared.size
            final = last and number == len(held)
            begun = commits.start(prepared, last=final, counted=number > waiting)
            pending.append((begun, prepared.counts, size))
        held.clear()
        waiting = 0

    try:
        for batch, prepared in incoming:
            counts = counts + prepared.counts
            held.append(replace(prepared, timing=batch.timing))
            del prepared  # it is held until it is committed, and no longer
            if batch.settle or may_judge(guards, counts):
                release(last=incoming.ended())
            else:
                waiting += 1
                incoming.committed()
            if batch.settle:
                settle()
                incoming.settled()
        release(last=True)
        settle()
    except (KeyboardInterrupt, SystemExit):
        serial.stop()
        with suppress(Again):  # that it was stopped is no news
            settle()
        raise
    finally:
        settle()
    if late:
        check_rejects(guards, judged())
    return done


def _setting_aside(sink: Sink, prepared: Prepared, before: Checkpoint) -> Callable[[], None]:
    return lambda: sink.set_aside(prepared, before)


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
