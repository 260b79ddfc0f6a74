"""Expressions over a frame, computed in the way that costs least for its height.

Handing the columns of a small frame to several threads, and looking for a better plan first, costs three times what
computing them does. Parts of an import have several threads as it is, one for each part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

#: Rows up to which columns are computed one after the other: about those of a part of 2 MiB.
SMALL = 16_000


def added(frame: pl.DataFrame, *passes: Sequence[pl.Expr]) -> pl.DataFrame:
    """The frame with the columns of each pass, whose expressions see the columns of the passes before.

    >>> import polars as pl
    >>> added(pl.DataFrame({"a": [1]}), [pl.col("a").alias("b")], [(pl.col("b") + 1).alias("c")]).row(0)
    (1, 1, 2)
    """
    if frame.height <= SMALL:
        for expressions in passes:
            frame = frame.with_columns_seq(expressions)
        return frame
    plan = frame.lazy()
    for expressions in passes:
        plan = plan.with_columns(expressions)
    return plan.collect()


def selected(frame: pl.DataFrame, expressions: Sequence[pl.Expr]) -> pl.DataFrame:
    """These columns only.

    >>> import polars as pl
    >>> selected(pl.DataFrame({"a": [1, 2]}), [pl.col("a").max()]).item()
    2
    """
    return frame.select_seq(expressions) if frame.height <= SMALL else frame.select(expressions)
