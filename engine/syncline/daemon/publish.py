"""Publishes the daemon's state as a signed snapshot, for plans where neither the state nor its credentials are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.model.errors import Stalled, SynclineError
from syncline.reconciler.signed import export
from syncline.sdk.whole_file import write_whole

if TYPE_CHECKING:
    from syncline.executor.services.facilities import Facilities

#: Seconds after which an unchanged state is published again: its runs' figures change, and its age says if we live.
RENEW = 3600.0


class Publisher:
    """Keeps a snapshot in a file up to date: `publish` writes it where the state has moved, or it is an hour old.

    What keeps it from that is told once, and tried again: it stops nothing else.
    """

    def __init__(
        self, path: Path, tell: Callable[[str], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._tell = tell
        self._monotonic = monotonic
        self._serial = -1
        self._until = 0.0
        self._problem = ""

    def publish(self, facilities: Facilities) -> None:
        """The file is written whole or not at all."""
        problem = ""
        try:
            serial = facilities.store.serial()
            if serial != self._serial or self._monotonic() >= self._until:
                _replace(self._path, export(facilities))
                self._serial, self._until = serial, self._monotonic() + RENEW
        except SynclineError as error:
            problem = f"{error.code} {error.told}"
        if problem and problem != self._problem:
            self._tell(problem)
        self._problem = problem


def _replace(path: Path, data: bytes) -> None:
    try:
        write_whole(path, [data], mode=0o644, durable=True)  # there is nothing secret in it, and others fetch it
    except OSError as error:
        raise Stalled(f"the snapshot {path} can't be written: {error.strerror}", code="SYN321") from None
