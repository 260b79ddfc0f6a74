"""Undoing what a run wrote: what a destination keeps for it, and what it says became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

#: Makes bytes unreadable without the tenant's key, or readable again; bound to what they are and where they belong.
Crypt = Callable[[bytes, str], bytes]


class Keeping(Struct, frozen=True):
    """
    How a run's writes are kept so that they can be undone: sealed, until so many seconds after the last of them.

    >>> Keeping(7 * 86_400.0, lambda data, about: data[::-1]).seconds
    604800.0
    """

    seconds: float
    seal: Crypt


class Kept(Struct, frozen=True):
    """
    What is kept of a run: the table that it wrote, how many rows it inserted and updated, until when, and of how many
    of its batches. Those of fewer than it committed aren't the whole run; `ended`: it is what the end of the run did,
    which is the whole. Of a table that was replaced, rows that the run took away count as updated.

    >>> Kept("customers", 990, 10, datetime(2026, 12, 1), 2).inserted
    990
    """

    table: str
    inserted: int
    updated: int
    until: datetime
    batches: int
    ended: bool = False


class Undone(Struct, frozen=True):
    """
    What became of what a run wrote: rows that it had inserted were `deleted`, rows that it had updated `restored`.

    Left as they are: rows that a later write `touched`, and rows that are `gone` since. Each write of a row counts.

    >>> Undone(deleted=2) + Undone(restored=1, touched=1)
    Undone(deleted=2, restored=1, touched=1, gone=0)
    """

    deleted: int = 0
    restored: int = 0
    touched: int = 0
    gone: int = 0

    def __add__(self, other: Undone) -> Undone:
        return Undone(
            self.deleted + other.deleted,
            self.restored + other.restored,
            self.touched + other.touched,
            self.gone + other.gone,
        )


class Undoing(Struct, frozen=True):
    """
    What to undo: the `batches` that `run` committed, which had the flow's checkpoint under the name `flow`.

    `by` is the run that undoes it, and `checkpoint` makes the text of the flow's checkpoint afterwards. `open` reads
    what was sealed. `advanced` is told how many writes were looked at. `dry`: all is done, and taken back.

    >>> Undoing("acme/Import/customers", "run-1", 2, "run-2", bytes, str, print).dry
    False
    """

    flow: str
    run: str
    batches: int
    by: str
    open: Crypt
    checkpoint: Callable[[Undone], str]
    advanced: Callable[[int], None]
    dry: bool = False


@runtime_checkable
class Reversing(Protocol):
    """
    What a destination may offer besides: undoing the writes of a run whose target said `keeping`.

    What is needed for it is kept at the destination, in the transaction of each write: a kill at any point leaves
    exactly what was committed.

    Example: `destination.undo(undoing)` gives `Undone(deleted=990, restored=10)`.
    """

    def kept(self, run: str) -> Kept | None:
        """What is kept of a run; None where nothing is."""

    def undo(self, undoing: Undoing) -> Undone:
        """
        Takes a run's writes back, newest first, in one transaction: who reads sees all of it, or nothing.

        A row that isn't as the run left it stays. With it goes what was kept of the run, and the flow's checkpoint is
        the one that `checkpoint` makes. `Invalid` where other than all batches of the run are kept (SYN761), or a
        column is gone that a row had (SYN764); nothing is changed then.
        """

    def expire(self, now: datetime) -> int:
        """
        Removes what is kept of runs whose time is over; the number of them. Where a part of the destination can't be
        used, that is raised when the others are done.
        """
