"""Evidence of deliveries that were refused, however many there are: an entry a minute of the log for each door.

The first is told at once. Those of the minute after it are counted, and told together at its end.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from syncline.model.errors import SynclineError
from syncline.model.event import Action, EventOutcome
from syncline.model.pulse import resting, thread

if TYPE_CHECKING:
    from syncline.executor.services.recorder import Recorder
    from syncline.model.key import ObjectKey

#: Seconds between entries of the same door.
EVERY: Final = 60.0
#: push: webhooks of Git servers; schedule: of a schedule; unknown: a path that is nobody's.
Door: TypeAlias = Literal["push", "schedule", "unknown"]
#: Seconds between looks whether something is due.
LOOK_EVERY: Final = 0.5
_Which: TypeAlias = "tuple[Door, ObjectKey | None]"


class Refusals:
    """Counts refusals and tells of them. Safe for threads. `recorder` gives the log, None while there is none."""

    def __init__(self, recorder: Callable[[], Recorder | None]) -> None:
        self._recorder = recorder
        self._changing = threading.Condition()
        self._counts: dict[_Which, int] = {}  # that aren't told yet
        self._told: dict[_Which, float] = {}  # when, by the monotonic clock

    def note(self, door: Door, key: ObjectKey | None = None) -> None:
        """Counts one. `key`: the schedule that it claimed to be for."""
        with self._changing:
            self._counts[door, key] = self._counts.get((door, key), 0) + 1
            self._changing.notify()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tells while the block runs."""
        ended = threading.Event()
        teller = thread("refusals", self._tell, ended)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            with self._changing:
                self._changing.notify()
            teller.join()

    def _tell(self, ended: threading.Event) -> None:
        while not ended.is_set():
            with self._changing:
                if not ended.is_set():
                    with resting():
                        self._changing.wait(LOOK_EVERY if self._counts else None)
            self._record(time.monotonic())

    def tell_all(self) -> None:
        """Tells of all that were counted, while there still is a log."""
        self._record(math.inf)

    def _record(self, now: float) -> None:
        """Records what is due; nothing while there is no log."""
        if (recorder := self._recorder()) is None:
            return
        with self._changing:
            due = [which for which in self._counts if now - self._told.get(which, -math.inf) >= EVERY]
            counts = {which: self._counts.pop(which) for which in due}
            self._told.update(dict.fromkeys(due, time.monotonic()))
        if not counts:
            return
        denied = EventOutcome.denied
        try:
            recorder.record(
                [
                    recorder.event(Action.access_deny, outcome=denied, key=key, webhook=door, refused=count)
                    for (door, key), count in counts.items()
                ]
            )
        except (SynclineError, OSError, ValueError):  # the log can't be written to, or is closed: they are told later
            with self._changing:
                for which, count in counts.items():
                    self._counts[which] = self._counts.get(which, 0) + count
