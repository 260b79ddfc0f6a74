"""Sums of columns that control totals ask for: exact, kept with the checkpoint as text."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.kinds.sync import Control

#: Digits that sums are computed with: more than any column holds.
_DIGITS = 100


def sums_of(frame: pl.DataFrame, control: Control | None) -> dict[str, Decimal]:
    """The sums that the control totals ask for, of some rows."""
    if control is None:
        return {}
    return {name: _sum(frame[name]) for name in control.sums}


def added(before: Mapping[str, str], more: Mapping[str, Decimal]) -> dict[str, str]:
    """Sums as a checkpoint keeps them, with those of one more batch.

    >>> added({"balance": "0.10"}, {"balance": Decimal("0.2")})
    {'balance': '0.30'}
    """
    with localcontext(prec=_DIGITS):
        return {name: format(Decimal(before.get(name, "0")) + value, "f") for name, value in more.items()}


def _sum(column: pl.Series) -> Decimal:
    if column.is_empty():
        return Decimal(0)
    scale = column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0
    return Decimal(column.cast(pl.Decimal(38, scale)).sum() or 0)
