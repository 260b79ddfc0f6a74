"""What of a flow is too old by now: runs don't write it, so that a source which still has it doesn't bring it back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal, cast

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.batches.holds import holds_over
from syncline.model import units
from syncline.sdk.retention import Aged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from syncline.executor.flows.applied import Applied
    from syncline.mapping.columns import Mapped
    from syncline.planner.compiled import CompiledFlow

#: No name that a column can have.
_LAST: Final = "last and too old"


class Cutoff(Struct, frozen=True):
    """What a run doesn't write, since it is too old by now."""

    aged: Aged

    def keep(
        self, mapped: Mapped, dead: pl.Series | None, key: Sequence[str] = ()
    ) -> tuple[Mapped, pl.DataFrame | None]:
        """
        A mapped batch without it, which counts as skipped, and its rows, if there are any. `dead` tells rows that are
        tombstones, which pass. With a key, only the last of its rows counts: where that is too old, those before it
        aren't written either, and where it isn't, those before it are left to what takes duplicates out.
        """
        before = self.aged.before
        limit: dt.date = before.date() if self.aged.type == "date" else before
        if self.aged.type == "datetime":
            limit = before.replace(tzinfo=None)
        old = (mapped.frame[self.aged.column] < limit).fill_null(value=False)
        if dead is not None:
            old &= ~dead
        if not old.any():
            return mapped, None
        out = old
        if key:
            old, out = _last_words(mapped.frame.select(key), old)
            if dead is not None:
                out &= ~dead
            if not out.any():
                return mapped, None
        rows = mapped.rows.filter(~out) if mapped.rows is not None else (~out).arg_true()
        skipped = mapped.skipped + int(out.sum())
        return replace(mapped, frame=mapped.frame.filter(~out), rows=rows, skipped=skipped), mapped.frame.filter(old)


def _last_words(keys: pl.DataFrame, old: pl.Series) -> tuple[pl.Series, pl.Series]:
    """
    Which rows are the last of their key and too old, and which have the key of such a one. One whose key is null is
    no other's duplicate.
    """
    import polars as pl

    whole = keys.select(pl.all_horizontal(pl.all().is_not_null()).alias("whole")).to_series()
    last = old & (keys.select(pl.struct(pl.all()).is_last_distinct().alias("last")).to_series() | ~whole)
    same = keys.with_columns(last.alias(_LAST)).select(pl.col(_LAST).any().over(keys.columns)).to_series()
    return last, last | (same & whole)


def aged_of(item: CompiledFlow, now: dt.datetime) -> Aged | None:
    """What of a flow is too old; None where it keeps everything. `validate` sees to it that the field tells a time."""
    retention = item.flow.spec.retention
    field = item.target.get(retention.by) if retention is not None else None
    if retention is None or field is None or field.type.name not in {"date", "timestamp", "datetime"}:
        return None
    before = now.astimezone(dt.UTC) - dt.timedelta(seconds=units.duration(retention.after))
    return Aged(retention.by, cast('Literal["date", "timestamp", "datetime"]', field.type.name), before)


def cutoff_of(applied: Applied, item: CompiledFlow, root: Path) -> Cutoff | None:
    """
    What a run that begins now doesn't write.

    Under a legal hold it writes everything: a `replace` without what is too old would lose what is held.
    """
    now = dt.datetime.now(dt.UTC)
    aged = aged_of(item, now)
    if aged is None or any(holds_over(applied, item, root, now.date())):
        return None
    return Cutoff(aged)
