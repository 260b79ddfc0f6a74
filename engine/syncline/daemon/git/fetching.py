"""Asking a Git server in a thread of its own, so that one that hangs keeps nothing else from going on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from syncline.daemon.git.command import Stop
from syncline.model.errors import Again, Bug, SynclineError
from syncline.model.pulse import thread, working

#: Seconds after which it is told that a server hasn't answered yet.
SLOW: Final = 10.0
#: Seconds that a fetch gets to end once it is stopped: its command is killed.
STOPPED: Final = 2.0


class Head(Protocol):
    """What is fetched."""

    @property
    def shown(self) -> str:
        """Where it is, as people may see it."""

    def head(self, stop: Stop) -> str:
        """The newest commit, after a fetch that `stop` ends early."""


class Fetching:
    """
    The fetches of a source, one at a time. Used by one thread; `wake` is called by another when one has ended.

    `name` is the source's, '' for the first.
    """

    def __init__(self, source: Head, wake: Callable[[], None], name: str = "") -> None:
        self._name = f"fetch {name}".rstrip()
        self._source = source
        self._wake = wake
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._found: str | SynclineError | None = None

    @property
    def under_way(self) -> bool:
        """Whether one was begun whose result wasn't taken yet."""
        return self._thread is not None

    def begin(self) -> None:
        """Begins one."""
        self._began, self._found = time.monotonic(), None
        self._thread = thread(self._name, self._fetch)
        self._thread.start()

    def take(self) -> str | None:
        """The commit that was fetched, or None while that goes on. Raises what it ended with otherwise."""
        if (found := self._found) is None:
            return None
        self._thread = self._found = None
        if isinstance(found, SynclineError):
            raise found
        return found

    @property
    def slow(self) -> Again | None:
        """That it takes long, once it does."""
        if self._thread is None or time.monotonic() - self._began < SLOW:
            return None
        return Again(f"{self._source.shown} hasn't answered for more than {SLOW:g} s", code="SYN740")

    def close(self) -> None:
        """Ends it, and whatever it started."""
        self._stop.ask()
        if self._thread is not None:
            self._thread.join(STOPPED)

    def _fetch(self) -> None:
        found: str | SynclineError
        try:
            with working(f"asks {self._source.shown}"):
                found = self._source.head(self._stop)
        except SynclineError as error:
            found = error
        except Exception as error:  # a defect ends the daemon, from the thread that can
            found = Bug(f"{type(error).__name__} while fetching")
        self._found = found
        self._wake()
