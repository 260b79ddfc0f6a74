"""A destination that fails on demand, for tests of what drives one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.model.errors import Again
from syncline.sdk.destination import Destination, Target, Writer, Written

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class FailingDestination:
    """A destination whose write number `at` (from 1, over all writers) raises `Again`: before anything is written, or
    `after` it was committed, as when the answer to a commit is lost.

    Example: `FailingDestination(MyDestination(path), at=2, after=True)` loses the answer to the second commit.
    """

    inner: Destination
    at: int
    after: bool = False
    writes: int = 0

    def checkpoint(self, flow: str) -> str | None:
        """As the inner one."""
        return self.inner.checkpoint(flow)

    def forget(self, flow: str) -> None:
        """As the inner one."""
        self.inner.forget(flow)

    def move(self, previous: str, flow: str) -> None:
        """As the inner one."""
        self.inner.move(previous, flow)

    def open(self, target: Target) -> Writer:
        """A writer that fails when its time has come."""
        return _FailingWriter(self, self.inner.open(target))

    def close(self) -> None:
        """As the inner one."""
        self.inner.close()


class _FailingWriter(Struct, frozen=True):
    owner: FailingDestination
    inner: Writer

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        self.owner.writes += 1
        fails = self.owner.writes == self.owner.at
        if fails and not self.owner.after:
            raise Again("failed on demand, before the write")
        written = self.inner.write(frame, checkpoint)
        if fails:
            raise Again("failed on demand, after the commit")
        return written

    def finish(self, checkpoint: str) -> Written | None:
        return self.inner.finish(checkpoint)

    def abort(self) -> None:
        self.inner.abort()
