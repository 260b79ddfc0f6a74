"""Batches made ready side by side and given in the order in which they were read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from syncline.executor.threads import borrow
from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from syncline.executor.pipeline import ReadAhead
    from syncline.executor.prepare import Prepared, Preparer
    from syncline.sdk.batch import Batch


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
        self._coming: deque[tuple[Batch, Future[Prepared]]] = deque()
        self._read = False
        self._failed: SynclineError | None = None

    def __iter__(self) -> Iterator[tuple[Batch, Prepared]]:
        if self._workers == 1:
            for alone in self._incoming:
                yield alone, self._preparer.prepare(alone)
            return
        threads = [borrow(f"syncline-map-{number}") for number in range(self._workers)]
        turns, batches = cycle(threads), iter(self._incoming)
        try:
            while (batch := self._next(batches)) is not None:
                self._coming.append((batch, next(turns).submit(partial(self._preparer.prepare, batch))))
                while len(self._coming) >= self._workers or (batch.settle and self._coming):
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
        return not self._coming and (self._read or self._incoming.ended())

    def settled(self) -> None:
        """Says that the batch that was given last is committed."""
        self._incoming.settled()

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            batch = next(batches, None)
        except SynclineError as error:
            self._failed = error
            return None
        self._read = batch is None
        return batch

    def _first(self) -> tuple[Batch, Prepared]:
        batch, prepared = self._coming.popleft()
        return batch, prepared.result()
