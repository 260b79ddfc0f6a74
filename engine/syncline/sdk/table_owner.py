"""Whether a table that a flow is about to write to for the first time is somebody else's."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct


class TableOwner(Struct, frozen=True):
    """
    Whose a table is, if it is `there`, and how many rows it has.

    `ours`: a flow made it or took it over; `known` is False where that was not written down yet when it may have been
    made, so that only the state can tell.

    >>> TableOwner(there=True, rows=3).foreign
    True
    """

    there: bool = False
    rows: int = 0
    ours: bool = False
    known: bool = True

    @property
    def foreign(self) -> bool:
        """Whether it has rows that no flow wrote, as far as the destination knows."""
        return bool(self.rows) and not self.ours


@runtime_checkable
class Owning(Protocol):
    """
    What a destination may offer besides: knowing which of its tables are ours.

    Example: what a flow's first run does: `destination.owner("orders").foreign` is True for a table that others filled.
    """

    def owner(self, stream: str) -> TableOwner:
        """Whose a table is; one that isn't there has no rows. Nothing is changed."""

    def drop(self, stream: str, flow: str) -> bool:
        """
        Drops a table that is ours, with all that is kept of the flow, so that whoever still writes it is refused.

        Whether there was one; a table that isn't ours, or isn't there, is left as it is. Durable when it returns.
        """

    def adopt(self, stream: str, flow: str) -> None:
        """Writes down that a table is ours from now on; durable when it returns."""
