"""Tombstones: records that say that they were deleted at the source, and so delete rows by key.

Of a tombstone only the key is mapped, since nothing else need be left in it. In one batch the last word on a key
counts: a record after a tombstone brings its row back, a tombstone after a record deletes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds.sync import SOFT_MARK, SyncSpec
from syncline.mapping.columns import Columns, Mapped
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.source import TOMBSTONE

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow

#: No name that a column can have.
_GONE = "=gone"
_MARKED = Field(SOFT_MARK, DataType("timestamp"))


class Tombstones(Struct, frozen=True):
    """How tombstones are mapped: `keys` makes the key's fields; `mark` is the column of a soft delete, or empty."""

    keys: Columns
    mark: str

    def target(self, schema: Schema) -> Schema:
        """The schema of the table: with the mark's column, which is null in rows that are there."""
        return replace(schema, fields=(*schema.fields, _MARKED)) if self.mark else schema

    def apply(self, columns: Columns, frame: pl.DataFrame) -> Mapped:
        """Maps a batch in its order; a column of its own tells the rows that are only keys. `rows` is never None."""
        dead = (frame[TOMBSTONE].cast(pl.String) == "true").fill_null(value=False)
        parts = [
            _mapped(columns, frame.filter(~dead), (~dead).arg_true(), gone=False),
            _mapped(self.keys, frame.filter(dead), dead.arg_true(), gone=True),
        ]
        rows = pl.concat([part.rows for part in parts if part.rows is not None])
        whole = pl.concat([part.frame for part in parts], how="diagonal")
        if self.mark:
            whole = whole.with_columns(pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias(self.mark))
        order = rows.arg_sort()
        rejects = tuple(reject for part in parts for reject in part.rejects)
        return Mapped(whole[order], rows.gather(order), rejects, sum(part.skipped for part in parts))

    @staticmethod
    def dead(frame: pl.DataFrame) -> pl.Series:
        """Which rows of a mapped batch are only keys."""
        return frame[_GONE]

    @staticmethod
    def divide(frame: pl.DataFrame, target: Schema) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """The rows to write, and the keys to delete; None where there are none."""
        gone = frame.filter(_GONE).select(target.key)
        return frame.filter(~pl.col(_GONE)).select(target.names), gone if gone.height else None


def _mapped(columns: Columns, frame: pl.DataFrame, at: pl.Series, *, gone: bool) -> Mapped:
    """Records mapped, with their places in the whole batch, at which they are."""
    mapped = columns.apply(frame)
    rows = at if mapped.rows is None else at.gather(mapped.rows)
    marked = mapped.frame.with_columns(pl.lit(gone).alias(_GONE))
    return Mapped(marked, rows, tuple(replace(r, row=at[r.row]) for r in mapped.rejects), mapped.skipped)


def tombstones_of(flow: Flow, columns: Columns) -> Tombstones | None:
    """How a flow's tombstones delete; None for one that ignores them."""
    if not isinstance(flow.spec, SyncSpec) or flow.spec.deletes == "ignore":
        return None
    return Tombstones(columns.of_fields(flow.target_key), SOFT_MARK if flow.spec.deletes == "soft" else "")
