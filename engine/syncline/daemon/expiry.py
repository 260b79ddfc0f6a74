"""
Has what may be kept for a time only be removed when it is over, whether or not anything runs by then: what undoes
imports, rows that a flow keeps for a time, and what runs of a tenant left with us.

A daemon that was followed begins nothing more of a pass. What it is at may end: `syncline privacy retain` does the same
by hand whichever daemon works, under the lease of a flow's runs and its fence, and what is over is over for everybody.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncline.daemon.leading import is_followed
from syncline.executor.retention.expire import expire, keeping, removed_of
from syncline.executor.retention.old_rows import retain, retaining
from syncline.model.errors import SynclineError
from syncline.model.pulse import thread, turned, working

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey

#: Seconds between one and the next; the first is soon after a daemon begins to work.
EVERY: Final = 3_600.0
#: Seconds before another one where a run kept something from being deleted.
SOON: Final = 300.0


class Expiry:
    """
    Used by one thread. One pass at a time is under way, in a thread of its own: a database may be slow to answer.
    `prove` raises `Followed` once another daemon works.
    """

    def __init__(
        self,
        engine: Engine,
        prove: Callable[[], None],
        tell: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._prove = prove
        self._tell = tell
        self._monotonic = monotonic
        self._due = monotonic()
        self._pass: threading.Thread | None = None
        self._closed = threading.Event()

    def tick(self) -> None:
        """Begins a pass, if one is due and none is under way."""
        if self._monotonic() < self._due or (self._pass is not None and self._pass.is_alive()):
            return
        self._due = self._monotonic() + EVERY
        # One that is cut off when the process ends is made again by the next.
        self._pass = thread("expiry", self._expire)
        self._pass.start()

    def close(self) -> None:
        """Begins nothing more, also of a pass that is under way."""
        self._closed.set()

    def _expire(self) -> None:
        with self._telling("what is kept for a time"):
            for key in self._while_leading(keeping(self._engine)):
                with self._telling(str(key)), working(f"removes what is kept of {key} for a time"):
                    if removed := expire(self._engine, key):
                        self._tell(removed_of(key, removed))
            for key in self._while_leading(retaining(self._engine.applied())):
                with self._telling(str(key)), working(f"removes old rows of {key}"):
                    self._retain(key)

    def _while_leading(self, keys: Iterable[ObjectKey]) -> Iterator[ObjectKey]:
        """These, until another daemon works (`Followed`) or this one is closed."""
        for key in keys:
            if self._closed.is_set():
                return
            self._prove()
            yield key

    def _retain(self, key: ObjectKey) -> None:
        for found in retain(self._engine, key, dt.datetime.now(dt.UTC)):
            if found.state == "deleted":
                self._tell(f"{key}: {found.count:,} {found.what} of before {found.before[:19]}Z are deleted")
            elif found.state in {"failed", "refused"}:
                self._tell(f"{key}: {found.message}")
            elif found.state == "busy":
                self._due = min(self._due, self._monotonic() + SOON)

    @contextmanager
    def _telling(self, subject: str) -> Iterator[None]:
        """Says what goes wrong with a subject, which ends that alone."""
        turned()
        try:
            yield
        except SynclineError as error:
            if not is_followed(error):  # the next pass is the other daemon's
                self._tell(f"{subject}: {error.code} {error.told}")
        except Exception as error:  # a defect ends this, and nothing else
            self._tell(f"{subject}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
