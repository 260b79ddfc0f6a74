"""Comparing rows with what is at a destination, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.sdk.destination import Target
from syncline.sdk.source import Instance
from syncline.sdk.table_owner import TableOwner

if TYPE_CHECKING:
    import polars as pl


class Compared(Struct, frozen=True):
    """
    What a write of some rows would do: they would be inserted, updated, or are there as they are.

    `deleted` are rows of the keys to delete that are there. `there` counts the rows of the table now;
    `owner` is whose it is. `filled` counts the rows with a value in each column that is no longer written, where the
    table has it; None where that isn't counted.

    >>> Compared(inserted=2, unchanged=1, there=1).updated
    0
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    there: int = 0
    owner: TableOwner = TableOwner(ours=True)
    filled: tuple[tuple[str, int], ...] | None = None


class Proposed(Struct, frozen=True):
    """
    Rows that would be written to a target, as `Writer.write` takes them, keys unique; `gone` are keys of rows to
    delete, which with `mark` are marked in that column instead. `dropped` are columns that were written before, and
    aren't any more.

    >>> import polars as pl
    >>> from syncline.model.schema import INTEGER, Field, Schema
    >>> target = Target("acme/Sync/orders", "", "orders", Schema((Field("id", INTEGER),), ("id",)), "upsert")
    >>> Proposed(target, pl.DataFrame({"id": [1]})).frame.height
    1
    """

    target: Target
    frame: pl.DataFrame
    gone: pl.DataFrame | None = None
    mark: str = ""
    dropped: tuple[str, ...] = ()


#: Compares what is proposed with what an instance holds; changes nothing there, and makes nothing that isn't there.
Compare = Callable[[Instance, Proposed], Compared]
