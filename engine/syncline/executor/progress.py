"""What a run tells while it goes on. Views implement `Progress`; the executor only calls it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from syncline.model.run import Counts


class RunInfo(Struct, frozen=True):
    """A run that starts or continues. `resumed` is the number of records that it had accounted for before."""

    run: str
    object: str
    source: str
    target: str
    resumed: int = 0
    dry: bool = False


class Progress(Protocol):
    """Receives progress from one thread at a time, and beside it `waiting` from another."""

    def started(self, info: RunInfo) -> None:
        """A run starts."""

    def phase(self, name: str) -> None:
        """It enters a phase: `validating`, `loading`, `swapping`."""

    def advanced(self, counts: Counts, done: float | None) -> None:
        """A batch is committed; `done` is the fraction of the source read, where it is known."""

    def waiting(self, seconds: float, why: str) -> None:
        """A system is waited for, from now on and for so long."""

    def finished(self, counts: Counts, seconds: float) -> None:
        """It ended, well or not."""


class Silent:
    """Tells nobody."""

    def started(self, info: RunInfo) -> None:
        """Nothing."""

    def phase(self, name: str) -> None:
        """Nothing."""

    def advanced(self, counts: Counts, done: float | None) -> None:
        """Nothing."""

    def waiting(self, seconds: float, why: str) -> None:
        """Nothing."""

    def finished(self, counts: Counts, seconds: float) -> None:
        """Nothing."""
