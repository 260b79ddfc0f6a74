"""That a run waits for a system: told to who follows it, and noted for who looks later."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from syncline.model.errors import SynclineError
from syncline.sdk.source import unwaited

if TYPE_CHECKING:
    from syncline.executor.progress import Progress

#: Waits that end within so many seconds of each other are for the same: those who wait are spread over a second.
_SAME: Final = 1.5


class Waits:
    """
    Tells `progress` of waits, one after the other, whichever threads wait. Of those that wait at the same time one is
    told: that which takes longest. `note` hears of the same ones.
    """

    def __init__(
        self,
        progress: Progress,
        note: Callable[[float, str], None] = unwaited,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._note = note
        self._monotonic = monotonic
        self._lock = Lock()
        self._until = 0.0

    def __call__(self, seconds: float, why: str) -> None:
        until = self._monotonic() + seconds
        with self._lock:
            if until <= self._until + _SAME:
                return
            self._until = until
            self._progress.waiting(seconds, why)
            with suppress(SynclineError):  # a state that is away for a moment ends no run that only waits
                self._note(seconds, why)
