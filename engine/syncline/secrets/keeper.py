"""A thread that looks after what runs out, such as a token, while nobody asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakMethod

from syncline.model.pulse import resting, thread, working


class Keeper:
    """
    Calls `look`, a method, again and again, each time after as many seconds as it said, or sooner when it is stirred;
    no more once nobody has what it is a method of.
    """

    def __init__(self, name: str, look: Callable[[], float]) -> None:
        self._look = WeakMethod(look)
        self._stirred = threading.Event()
        self._closed = False
        self._thread = thread(name, self._run)
        self._thread.start()

    def stir(self) -> None:
        """Has it look soon."""
        self._stirred.set()

    def close(self, seconds: float = 0.0) -> None:
        """It looks no more; a look that is under way is waited for, for so long."""
        self._closed = True
        self._stirred.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closed and (look := self._look()) is not None:
            with working("asks for more time"):
                pause = look()
            del look
            with resting():
                self._stirred.wait(pause)
            self._stirred.clear()
