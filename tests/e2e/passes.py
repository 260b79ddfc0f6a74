"""An engine whose passes of removing what was kept for a time are over before it is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from syncline import workflow
from syncline.executor.engine import Engine
from syncline.settings import Settings


@contextmanager
def engine_with_passes(settings: Settings) -> Iterator[Engine]:
    """An engine. A pass that goes on after it is closed opens the state anew, and nobody closes that."""
    with workflow.engine(settings) as engine:
        yield engine
        end = time.monotonic() + 10
        while any(each.name == "syncline-expiry" for each in threading.enumerate()):
            assert time.monotonic() < end, "a pass goes on"
            time.sleep(0.01)


def leads() -> None:
    """What the daemon proves that no other one has followed."""
