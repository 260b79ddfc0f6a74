"""Who does a run for a daemon: the daemon's own process, or one of those that it has for that (`pool.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from syncline.executor.progress import Silent
from syncline.model.run import Counts

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.work import Work


class Ran(Struct, frozen=True):
    """A run that ended well: its id, and what it counted."""

    run: str
    counts: Counts


class Runner(Protocol):
    """Does runs, from several threads at once."""

    def run(self, work: Work) -> Ran:
        """
        Runs it to its end.

        Raises what `Engine.run` does, `KeyboardInterrupt` where it was interrupted, and `Again` (SYN922) where the
        process died that did it.
        """


class Here:
    """Does them in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, work: Work) -> Ran:
        """Runs it to its end, in the thread that asks."""
        record = self._engine.run(work, Silent()).record
        return Ran(record.id, record.counts)
