"""The thread of a run that touches its destination: one thing after another, each waited for with patience."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from syncline.executor.batches.threads import borrow
from syncline.model.errors import Again, SynclineError

if TYPE_CHECKING:
    from syncline.executor.batches.patience import Patience

T = TypeVar("T")


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
