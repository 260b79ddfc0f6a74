"""Batches made ready side by side and given in the order in which they were read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.batches.threads import borrow
from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from syncline.executor.batches.prepare import Prepared, Preparer
    from syncline.executor.batches.read_ahead import ReadAhead
    from syncline.model.latency import Timing
    from syncline.sdk.batch import Batch


class Turn(Struct, frozen=True):
    """What is to be known of a batch when its turn comes: whether it `settle`s, and how long it has been under way."""

    settle: bool
    timing: Timing


class InOrder:
    """
    What `incoming` gives, prepared by so many threads; by the calling one where that is one.

    Which thread prepared a batch makes no difference to it, nor to its place. A batch that can't be prepared is raised
    when its turn comes, and so is an error of the source, after what it gave before. One that says `settle` is given
    before anything is read after it.
    """

    def __init__(self, incoming: ReadAhead, preparer: Preparer, workers: int) -> None:
        self._incoming = incoming
        self._preparer = preparer
        self._workers = workers
        self._coming: deque[tuple[Turn, Future[Prepared]]] = deque()
        self._read = False
        self._failed: SynclineError | None = None

    def __iter__(self) -> Iterator[tuple[Turn, Prepared]]:
        if self._workers == 1:
            for alone in self._incoming:
                if alone is not None:
                    turn = Turn(alone.settle, self._incoming.timing)
                    given = [(turn, self._prepare(alone, turn.timing))]
                    del alone
                    yield given.pop()
            return
        threads = [borrow(f"syncline-map-{number}") for number in range(self._workers)]
        turns, batches = cycle(threads), iter(self._incoming)
        try:
            while not self._read:
                if (batch := self._next(batches)) is None:
                    if self._coming and not self._read:  # there is no room for more before one of these is committed
                        yield self._first()
                    continue
                settles = batch.settle
                turn = Turn(settles, self._incoming.timing)
                self._coming.append((turn, next(turns).submit(partial(self._prepare, batch, turn.timing))))
                del batch  # what was read isn't needed any more when it is mapped
                while len(self._coming) >= self._workers or (settles and self._coming):
                    yield self._first()
            while self._coming:
                yield self._first()
            if self._failed is not None:
                raise self._failed
        finally:
            wait([future for _, future in self._coming])
            for thread in threads:
                thread.give_back()

    def ended(self) -> bool:
        """Whether it is known by now that nothing comes any more. It doesn't wait to find out."""
        return not self._coming and self._failed is None and (self._read or self._incoming.ended())

    def committed(self) -> None:
        """Says that one more of the batches that were given isn't under way any more."""
        self._incoming.committed()

    def settled(self) -> None:
        """Says that the batch that was given last is committed."""
        self._incoming.settled()

    def _next(self, batches: Iterator[Batch | None]) -> Batch | None:
        """The next batch; None where there is no room for one, and where all are read."""
        try:
            return next(batches)
        except StopIteration:
            self._read = True
        except SynclineError as error:
            self._failed, self._read = error, True
        return None

    def _prepare(self, batch: Batch, timing: Timing) -> Prepared:
        # All imports of the process share these turns: nothing in `prepare` may wait for a disk, a network or a key.
        with self._incoming.working():
            begun = time.perf_counter()
            prepared = self._preparer.prepare(batch)
        timing.map = time.perf_counter() - begun
        return prepared

    def _first(self) -> tuple[Turn, Prepared]:
        turn, prepared = self._coming.popleft()
        return turn, prepared.result()
