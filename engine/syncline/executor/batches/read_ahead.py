"""Batches of a source, read in a thread of their own ahead of the one that is mapped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import Enum
from typing import TYPE_CHECKING

from syncline.executor.batches.halt import HEARD_WITHIN, Halt
from syncline.executor.batches.threads import borrow
from syncline.model.latency import Timing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.executor.batches.patience import Patience
    from syncline.executor.services.in_flight import Seat
    from syncline.sdk.batch import Batch

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
