"""How long a run may make no progress before it ends, so that it is started again and goes on where it was."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from syncline.model.errors import Again

T = TypeVar("T")


class Patience(Struct, frozen=True):
    """
    How long a run may make no progress, in seconds: no batch read, none committed, and no rise of what the two systems
    were heard of (`heard`).
    """

    seconds: float
    heard: Callable[[], float]

    def wait(self, look: Callable[[float], T], who: str) -> T:
        """What `look(seconds)` gives, tried again while it raises `queue.Empty`; `Again` where there is no progress."""
        heard, since = self.heard(), time.monotonic()
        while True:
            left = since + self.seconds - time.monotonic()
            try:
                return look(max(min(left, self.seconds / 8), 0.0))
            except queue.Empty:
                if (now := self.heard()) != heard:
                    heard, since = now, time.monotonic()
                elif left <= 0:
                    raise self.ended(who) from None

    def ended(self, who: str) -> Again:
        """What ends the run, which goes on where it was when it is started again."""
        return Again(
            f"the {who} made no progress for {self.seconds:g} s",
            code="SYN467",
            help="The next run continues after the last commit. What may take longer: spec.progressDeadline.",
            after=0.0,
        )
