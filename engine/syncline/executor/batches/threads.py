"""Threads that are used again: starting one costs a tiny run more than a round trip to its database.

A borrowed thread does one thing after another, in order, until it is given back; what needs a thread of its own, such
as a connection that only the thread which made it may use, gets one. They are daemons: whoever borrows one waits for
it, or leaves it behind where what it does never ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from syncline.model.pulse import carried

T = TypeVar("T")

#: Idle threads that are kept; more of them end when they are given back.
KEPT = 16

_idle: list[Thread] = []
_giving_back = threading.Lock()


class Thread:
    """A thread that was borrowed. `submit` from any thread; `give_back` once, by whoever borrowed it."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Does it after what was submitted before."""
        future: Future[T] = Future()
        self._work.put((carried(function), future))
        return future

    def give_back(self) -> Future[None]:
        """Lets somebody else have it, after what was submitted before."""
        return self.submit(self._rest)

    def named(self, name: str) -> None:
        """What it is called while it is borrowed."""
        self._thread.name = name

    def _rest(self) -> None:
        with _giving_back:
            if len(_idle) < KEPT:
                _idle.append(self)
                return
        self._work.put(None)

    def _go_on(self) -> None:
        while (item := self._work.get()) is not None:
            function, future = item
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del item, function, future  # what it was about isn't kept alive while it waits


def borrow(name: str) -> Thread:
    """A thread for whoever gives it back."""
    try:
        thread = _idle.pop()
    except IndexError:
        thread = Thread()
    thread.named(name)
    return thread
