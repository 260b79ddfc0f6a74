"""The pipeline of one run: read → map → guard → write → commit. Three threads, bounded queues, flat memory.

The source is read in one thread, batches are mapped in the calling thread, and everything that touches the destination
and the state happens in a third, in order. At most a few batches are in memory at once. Rejects of a batch are kept
before the batch is committed, under its sequence number; those of batches that were never committed are dropped when
the run continues. So a kill at any point loses and doubles nothing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from syncline.executor.guard import check_rejects, may_judge
from syncline.executor.prepare import Prepared, Preparer
from syncline.model.errors import Denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from syncline.executor.checkpoint import Checkpoint
    from syncline.kinds.sync import Guards
    from syncline.model.run import Counts
    from syncline.sdk.batch import Batch

T = TypeVar("T")

#: Batches read ahead of the one being mapped: with 16 MiB batches, tens of megabytes.
READ_AHEAD = 1

#: Seconds to wait for a source that is stopped early. It may be waiting for its system, and whoever stopped it for us.
STOP_SECONDS = 2.0


class Sink(Protocol):
    """Where prepared batches go; called from one thread, in order."""

    def commit(self, prepared: Prepared, before: Checkpoint) -> Checkpoint:
        """Makes a batch durable, rejects first, and returns the checkpoint after it."""

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """Keeps the rejects of a batch that a guard refuses: they say why."""


@contextmanager
def read_ahead(batches: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """The same batches, read in a thread of their own; leaving the block early stops the thread."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(READ_AHEAD)
    stopped = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:
            put(error)

    def consume() -> Iterator[Batch]:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=produce, name="syncline-read", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join(timeout=STOP_SECONDS)


class Serial:
    """A thread that does one thing after another: the only one that touches the destination."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="syncline-write")

    def call(self, function: Callable[[], T]) -> T:
        """Does it there and waits for it."""
        return self._pool.submit(function).result()

    def start(self, function: Callable[[], T]) -> Future[T]:
        """Does it there, later."""
        return self._pool.submit(function)

    def close(self) -> None:
        """Waits for what was started."""
        self._pool.shutdown(wait=True)


def load(
    batches: Iterable[Batch],
    preparer: Preparer,
    sink: Sink,
    serial: Serial,
    start: Checkpoint,
    guards: Guards,
    advanced: Callable[[Counts, int], None],
) -> Checkpoint:
    """
    Moves all batches and returns the checkpoint after the last. `advanced` gets cumulative counts and bytes read.

    Guards are checked on what would be committed, before it is; rows that a destination refuses when they are sent to
    it count from then on. The first error of any thread is raised, after what was
    started is over; everything committed before it stays.
    """
    counts, done, size = start.counts, start, 0
    late = 0  # rows refused when they were sent
    pending: tuple[Future[Checkpoint], Counts] | None = None
    held: list[Prepared] = []  # too few records yet to judge by: committed once they may be, or with the last

    def settle() -> None:
        nonlocal done, late, pending
        if pending is not None:
            (waited, expected), pending = pending, None
            before, done = done, waited.result()
            late += done.counts.rejected - before.counts.rejected - expected.rejected
            advanced(done.counts, size)

    def judged() -> Counts:
        return replace(counts, written=counts.written - late, rejected=counts.rejected + late)

    def release() -> None:
        nonlocal pending, size
        try:
            check_rejects(guards, judged())
        except Denied:
            settle()
            for ahead, prepared in enumerate(held):
                serial.call(_setting_aside(sink, prepared, replace(done, sequence=done.sequence + ahead)))
            raise
        for prepared in held:
            settle()
            size += prepared.size
            pending = serial.start(_committing(sink, prepared, done)), prepared.counts
        held.clear()

    with read_ahead(batches) as incoming:
        try:
            for batch in incoming:
                prepared = preparer.prepare(batch)
                counts = counts + prepared.counts
                held.append(prepared)
                if may_judge(guards, counts):
                    release()
            release()
        finally:
            settle()
    if late:
        check_rejects(guards, judged())
    return done


def _setting_aside(sink: Sink, prepared: Prepared, before: Checkpoint) -> Callable[[], None]:
    return lambda: sink.set_aside(prepared, before)


def _committing(sink: Sink, prepared: Prepared, before: Checkpoint) -> Callable[[], Checkpoint]:
    return lambda: sink.commit(prepared, before)
