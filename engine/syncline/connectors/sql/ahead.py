"""Batches of an upsert that are sent before their turn, over connections of their own, and committed in their turn.

The server works on several at once, and yet each commit follows the one before it, with its checkpoint: whoever is
killed finds the first so many batches, whole, and no other. What is sent early meets no key of a batch that isn't
committed yet, so that none waits for another: one that would is written in its turn, when the other's rows are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from syncline.connectors.sql.straight import WORTHWHILE
from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.sql.lane import Lane
    from syncline.sdk.destination import Rendered, Written


@dataclass(slots=True)
class _Coming:
    """A batch that isn't committed yet. Without a lane, it is written in its turn."""

    rendered: Rendered
    keys: pl.DataFrame
    lane: Lane | None = None
    sent: Future[Written] | None = None


class Ahead:
    """`send` is called for each batch in order, in one thread, and `write` for each in the same order, in another."""

    def __init__(self, lanes: Sequence[Lane], key: Sequence[str]) -> None:
        self._lanes = tuple(lanes)
        self._key = list(key)
        self._free = list(lanes)
        self._coming: list[_Coming] = []
        self._lock = Lock()

    def send(self, rendered: Rendered) -> None:
        """Sends a batch now, if a lane is free and it meets none before it."""
        coming = _Coming(rendered, rendered.frame.select(self._key))
        with self._lock:
            apart = rendered.frame.height >= WORTHWHILE and not any(self._meet(coming, c) for c in self._coming)
            if apart and self._free:
                coming.lane = self._free.pop()
                coming.sent = coming.lane.send(rendered)
            self._coming.append(coming)

    def write(self, rendered: Rendered, checkpoint: str, in_turn: Callable[[], Written]) -> Written:
        """Commits what was sent, or calls `in_turn`, when nothing that meets it is under way."""
        with self._lock:
            first = self._coming[0] if self._coming else None
        if first is None or first.rendered is not rendered:
            self.give_up()
            return in_turn()
        try:
            return self._sent(first, checkpoint) or in_turn()
        finally:
            self._done(first)

    def _sent(self, coming: _Coming, checkpoint: str) -> Written | None:
        """Commits a batch; None where it wasn't sent, or failed: what was the matter shows in its turn, or is over."""
        if coming.lane is None or coming.sent is None:
            return None
        try:
            written = coming.sent.result()
            coming.lane.save(checkpoint)
        except SynclineError:
            self.give_up()
            return None
        coming.lane.commit()
        return written

    def give_up(self) -> None:
        """Rolls everything back that isn't committed, and sends nothing early any more."""
        with self._lock:
            self._free.clear()
            for coming in self._coming:
                coming.lane = coming.sent = None
        for lane in self._lanes:
            lane.drop()

    def cut(self) -> None:
        """Has whatever waits for the database raise. From any thread."""
        for lane in self._lanes:
            lane.cut()

    def close(self) -> None:
        """Rolls back what isn't committed, and closes the connections."""
        for lane in self._lanes:
            lane.close()

    def _meet(self, one: _Coming, other: _Coming) -> bool:
        return one.keys.join(other.keys, on=self._key, how="semi").height > 0

    def _done(self, coming: _Coming) -> None:
        with self._lock:
            if coming in self._coming:
                self._coming.remove(coming)
            if coming.lane is not None:
                self._free.append(coming.lane)
