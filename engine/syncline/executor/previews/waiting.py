"""Waiting for systems while a flow is only looked at: a preview, a forecast, a rehearsal, a comparison.

It is done no longer without progress than a run would (`spec.progressDeadline`), but nothing is read ahead: what a
look doesn't need is never asked for.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from syncline.executor.batches.halt import HEARD_WITHIN
from syncline.executor.batches.patience import Patience
from syncline.executor.batches.threads import borrow
from syncline.model import units

if TYPE_CHECKING:
    from concurrent.futures import Future

    from syncline.executor.flows.opening import Opener
    from syncline.sdk.batch import Batch
    from syncline.sdk.source import Source

T = TypeVar("T")


def patience_of(opener: Opener) -> Patience:
    """How long there may be no progress. What an API answers counts, even where no batch came of it yet."""
    deadline = opener.item.flow.spec.progress_deadline
    return Patience(units.duration(deadline), lambda: opener.metrics["answers"])


def waited(opener: Opener, function: Callable[[], T], who: str = "source") -> T:
    """What a function gives that waits for a system; `Again` (SYN467) where there is no progress for too long."""
    thread = borrow("syncline-look")
    try:
        return _result(opener, thread.submit(function), who)
    finally:
        thread.give_back()


@contextmanager
def reading(opener: Opener, opens: Callable[[], Source] | None = None, who: str = "source") -> Iterator[Source]:
    """
    The flow's source, or what `opens` gives, open for the block. It is waited for as `waited` does; where it opens
    after that was given up, it is closed at once.
    """
    thread = borrow("syncline-look")
    opened = thread.submit(opens or opener.source)
    thread.give_back()
    try:
        source = _result(opener, opened, who)
    except BaseException:
        opened.add_done_callback(_close)
        raise
    with closing(source):
        yield source


def _close(opened: Future[Source]) -> None:
    if opened.exception() is None:
        opened.result().close()


def batches(opener: Opener, given: Iterable[Batch], who: str = "source") -> Iterator[Batch]:
    """The same batches, each read when it is asked for; `Again` (SYN467) where none comes for too long."""
    thread, left = borrow("syncline-look"), iter(given)
    try:
        while (batch := _result(opener, thread.submit(partial(next, left, None)), who)) is not None:
            yield batch
    finally:
        thread.give_back()


def _result(opener: Opener, started: Future[T], who: str) -> T:
    def look(seconds: float) -> T:
        wait((started,), timeout=min(seconds, HEARD_WITHIN))
        if not started.done():
            raise queue.Empty
        return started.result()

    return patience_of(opener).wait(look, who)
