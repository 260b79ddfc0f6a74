"""How a command that serves is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncline.model.pulse import resting, thread

if TYPE_CHECKING:
    from types import FrameType

#: What no signal has as its number: nothing more is to be heard.
_OVER = b"\0"


@contextmanager
def stopping(wake: Callable[[], None]) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, which also wake; a second one ends the process as they do elsewhere.

    A handler runs between any two steps of the main thread, which may hold the very lock that an event is set under. So
    the handler only gives the signal back, and a thread that hears of it through a pipe sets the event.
    """
    stop = threading.Event()
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, before[signal.Signals(number)])

    def next_signal() -> bytes:
        with resting():
            return os.read(heard, 1)

    def hear() -> None:
        while (said := next_signal()) != _OVER:
            if said[0] in before:
                stop.set()
                wake()

    hearing = thread("signals", hear)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    earlier = signal.set_wakeup_fd(told)
    hearing.start()
    try:
        for number in before:
            signal.signal(number, ask)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier)
        os.write(told, _OVER)
        hearing.join()
        os.close(heard)
        os.close(told)
