"""Rows whose records a full read no longer has: which keys a batch came to, and whether that is all there is to know.

A record that is rejected is still there at the source: its key counts, read by the key's fields alone. Where something
was read of which no key is known, or an answer was passed over or only used in part, nothing can be said of what is
absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from msgspec import Struct

from syncline.kinds.sync import SyncSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.manifests.flow import Flow
    from syncline.mapping.columns import Columns, Rejected
    from syncline.sdk.batch import Batch


class Sight(Struct, frozen=True):
    """The keys that a batch came to. `unsure` says why they may not be all; empty where they are."""

    keys: pl.DataFrame
    unsure: str = ""


class Absence(Struct, frozen=True):
    """How keys are read of any record: `columns` makes the fields of the key, of which there is at least one."""

    columns: Columns
    key: tuple[str, ...]

    def sight(self, batch: Batch, frame: pl.DataFrame, rejected: Sequence[Rejected]) -> Sight:
        """What a batch came to: `frame` are the rows that it writes, `rejected` what it set aside."""
        keys, unsure = frame.select(self.key), unsure_of(batch)
        if not rejected:
            return Sight(keys, unsure)
        rows = sorted({found.row for found in rejected})
        mapped = self.columns.apply(batch.frame[rows])
        known = mapped.frame.select(self.key).drop_nulls()
        if known.height < len(rows) and not unsure:
            whole = self._readable(mapped.frame, mapped.rows, len(rows))
            place = batch.places([next(row for row, there in zip(rows, whole, strict=True) if not there)])[0]
            unsure = f"the key of {place} can't be read"
        return Sight(pl.concat([keys, known]), unsure)

    def _readable(self, frame: pl.DataFrame, rows: pl.Series | None, count: int) -> list[bool]:
        """Which of the records have a whole key."""
        at = range(frame.height) if rows is None else rows.to_list()
        nulls = frame.select(pl.any_horizontal(pl.col(name).is_null() for name in self.key)).to_series().to_list()
        there = {row for row, null in zip(at, nulls, strict=True) if not null}
        return [row in there for row in range(count)]


def unsure_of(batch: Batch) -> str:
    """Why a batch may lack records that are there at the source, or their keys; empty where it has all of them."""
    if batch.malformed:
        return f"{batch.malformed[0].place} can't be read"
    if batch.unsure:
        return batch.unsure
    return f"an answer was used in part ({batch.notes[0]})" if batch.notes else ""


def absence_of(flow: Flow, columns: Columns) -> Absence | None:
    """How a flow finds out what is absent; None for one that keeps it."""
    if not isinstance(flow.spec, SyncSpec) or flow.spec.absent == "keep":
        return None
    return Absence(columns.of_fields(flow.target_key), flow.target_key)
