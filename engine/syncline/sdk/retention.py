"""Deleting what is older than it may be kept, by a time in the rows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from syncline.sdk.destination import Allow


class Aged(Struct, frozen=True):
    """
    Which rows are too old: those whose column, of that type, is before an instant (in UTC).

    >>> Aged("born", "date", datetime(2026, 1, 1)).column
    'born'
    """

    column: str
    type: Literal["date", "timestamp", "datetime"]
    before: datetime


@runtime_checkable
class Retaining(Protocol):
    """
    What a destination may offer besides: counting and deleting rows of a stream that are too old.

    A stream or a column that isn't there has no such rows.

    Example: `destination.delete_aged("acme/Sync/visits", "visits", aged, lambda deleted, there: None)`.
    """

    def aged(self, stream: str, aged: Aged) -> tuple[int, int]:
        """How many rows are too old, and how many there are."""

    def delete_aged(self, flow: str, stream: str, aged: Aged, allow: Allow) -> int:
        """Deletes them, all or none, as the flow, where `allow` doesn't refuse their number; how many."""
