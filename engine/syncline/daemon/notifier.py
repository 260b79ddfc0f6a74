"""Lets subscriptions be told while a daemon works: a thread beside its loop, which it neither holds up nor ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Followed, SynclineError
from syncline.model.pulse import thread, turned
from syncline.notify.dispatcher import Dispatcher
from syncline.notify.sender import Sender

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.state.store import StateStore

#: Seconds between looks at what there is to tell.
TICK: Final = 0.5
#: Seconds before what failed is tried again.
PAUSE: Final = 5.0


@contextmanager
def notifying(engine: Engine, store: StateStore, tell: Callable[[str], None], stop: threading.Event) -> Iterator[None]:
    """
    Tells and sends during the block, until `stop`. `store` refuses what is written once another daemon has taken over.

    What is on its way at `stop` has as long to arrive as runs have to end. What is cut off is sent again.
    """
    over = threading.Event()

    def ended() -> bool:
        return stop.is_set() or over.is_set()

    notifier = thread("notifications", _notify, engine, store, tell, stop, ended)
    notifier.start()
    try:
        yield
    finally:
        over.set()
        notifier.join(1.0)


def _notify(
    engine: Engine,
    store: StateStore,
    tell: Callable[[str], None],
    stop: threading.Event,
    ended: Callable[[], bool],
) -> None:
    dispatcher, sender = Dispatcher(store, engine.applied), Sender(engine, store, tell, time.time)
    parts = (_Part(lambda: dispatcher.tick(time.time()), tell), _Part(sender.tick, tell))
    try:
        while not ended():
            turned()
            for part in parts:
                part.tick()
            stop.wait(TICK)
    except Followed:  # another daemon has taken over
        return
    finally:
        sender.close()


class _Part:
    """One of the two things that are done at each look. After a failure it rests for a while; the other goes on."""

    def __init__(self, step: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._step = step
        self._tell = tell
        self._said = ""
        self._rests = 0.0  # until when

    def tick(self) -> None:
        if time.monotonic() < self._rests:
            return
        try:
            self._step()
            self._said = ""
            return
        except Followed:
            raise
        except SynclineError as error:
            problem = f"notifications: {error.code} {error.told}"
        except Exception as error:  # a defect here ends no run and no apply
            problem = f"notifications: SYN999 {type(error).__name__}: a defect in Syncline, please report it"
        self._rests = time.monotonic() + PAUSE
        if problem != self._said:
            self._said = problem
            self._tell(problem)
