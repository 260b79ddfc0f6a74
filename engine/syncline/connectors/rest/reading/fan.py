"""Several passes at the same time, their pages given one pass after the other, so that order and positions are right.

Passes run in threads, ahead of whoever takes their pages, up to a bound of bytes that wait to be taken. The pass that
pages are taken from is never held up by the bound, so that nothing waits for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncline.connectors.rest.reading.step import PageRead

#: Bytes of bodies that may wait to be taken.
MAX_WAITING = 32 * 1024 * 1024
#: Longest time, in seconds, that closing waits for requests that are under way.
_CLOSE = 2.0


class Fan:
    """Runs passes in `width` threads. With a width of 1 there are none: each pass runs when its pages are taken."""

    def __init__(self, width: int, waiting: int = MAX_WAITING) -> None:
        self.width = width
        self._waiting = waiting
        self._held = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stuck = 0  # threads that wait for room
        self._closed = False
        self._todo: SimpleQueue[_Threaded | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, pages: Iterator[PageRead]) -> Iterator[PageRead]:
        """Begins a pass, in its turn; gives its pages. What it raises is raised after the pages before."""
        if self.width == 1:
            return pages
        running = _Threaded(pages)
        self._todo.put(running)
        if len(self._threads) < self.width:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        return self._taken(running)

    def close(self) -> None:
        """Ends what runs, without waiting long for requests that are under way."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join(_CLOSE)

    def _work(self) -> None:
        while (running := self._todo.get()) is not None and not self._closed:
            try:
                for page in running.pages:
                    running.got.put(page)
                    if not self._may_go_on(running, page.size):
                        return
                running.got.put(None)
            except BaseException as error:
                running.got.put(error)

    def _may_go_on(self, running: _Threaded, size: int) -> bool:
        with self._lock:
            self._held += size
            while self._held >= self._waiting and not (self._closed or running.first):
                self._stuck += 1
                self._changed.wait()
                self._stuck -= 1
            return not self._closed

    def _taken(self, running: _Threaded) -> Iterator[PageRead]:
        with self._lock:
            running.first = True
            self._moved()
        while (found := running.got.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            with self._lock:
                self._held -= found.size
                self._moved()
            yield found
            if found.last:
                return  # what says that nothing follows isn't waited for

    def _moved(self) -> None:
        """Wakes who waits for room; mostly nobody does."""
        if self._stuck:
            self._changed.notify_all()


class _Threaded:
    """A pass that runs in a thread. `first`: its pages are those that are taken now."""

    def __init__(self, pages: Iterator[PageRead]) -> None:
        self.pages = pages
        self.got: SimpleQueue[PageRead | BaseException | None] = SimpleQueue()
        self.first = False
