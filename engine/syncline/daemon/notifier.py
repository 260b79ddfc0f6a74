"""Lets subscriptions be told while a daemon works: a thread beside its loop, which it neither holds up nor ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Denied, SynclineError
from syncline.notify.dispatcher import Dispatcher
from syncline.notify.sender import Sender

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.state.store import StateStore

#: Seconds between looks at what there is to tell.
TICK: Final = 0.5
#: Seconds before the next look after one that failed.
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

    arguments = (engine, store, tell, stop, ended)
    thread = threading.Thread(target=_notify, args=arguments, name="syncline-notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1.0)


def _notify(
    engine: Engine,
    store: StateStore,
    tell: Callable[[str], None],
    stop: threading.Event,
    ended: Callable[[], bool],
) -> None:
    dispatcher = Dispatcher(store, engine.applied)
    sender = Sender(engine, store, tell, time.time)
    said = ""
    try:
        while not ended():
            pause = TICK
            try:
                dispatcher.tick(time.time())
                sender.tick()
                said = ""
            except Denied:
                return
            except SynclineError as error:
                pause, problem = PAUSE, f"notifications: {error.code} {error.message}"
            except Exception as error:  # a defect here ends no run and no apply
                pause = PAUSE
                problem = f"notifications: SYN999 {type(error).__name__}: a defect in Syncline, please report it"
            if pause == PAUSE and problem != said:
                said = problem
                tell(problem)
            stop.wait(pause)
    finally:
        sender.close()
