"""Waiting for the file lock of a log, but not for ever: a process that was stopped keeps what it has locked."""

from __future__ import annotations

import fcntl
import time

from syncline.model.errors import Again

#: Seconds. Whoever holds the lock writes at most a few megabytes meanwhile.
PATIENCE = 30.0
_EVERY = 0.005


def lock(descriptor: int, what: str) -> None:
    """Locks a file against other processes; `Again` where another one has it for longer than that can take."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Again(
                    f"another process has held {what} for {PATIENCE:g} s",
                    code="SYN683",
                    help="One that is stopped or hangs has to be continued or ended: nothing is done without evidence.",
                ) from None
            time.sleep(_EVERY)
        else:
            return
