"""Protection of target values, on whole columns: masks, what is made with a key, and generalisation.

What is made with a key is made once for each distinct value of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from syncline.kinds.mapping import Generalize, Hash, Mask, Preserve, Tokenize
from syncline.mapping.keyed import Preserving, Tokens, keyed_hash
from syncline.mapping.lower import Column, as_text
from syncline.mapping.types import scalar

if TYPE_CHECKING:
    from syncline.kinds.mapping import Generalization, Protect
    from syncline.model.schema import DataType

T = TypeVar("T")

#: What a masked value becomes, before the characters that are kept. Its length says nothing about the value's.
MASK = "***"


def protected(values: pl.Series, data_type: DataType, protect: Protect | None, key: bytes) -> pl.Series:
    """Values under their protection; null stays null. `key` is the tenant's; '' does where none is needed."""
    match protect:
        case None | "drop":
            return values
        case "mask":
            return masked(values, data_type, 0)
        case Mask(mask=mask):
            return masked(values, data_type, mask.get("keep", 0))
        case Hash():
            return _each(_texts(values, data_type), lambda text: keyed_hash(text, key))
        case Tokenize():
            return _each(_texts(values, data_type), Tokens(key).token)
        case Preserve(preserve=alphabet):
            return _each(values, Preserving(key, alphabet).preserve)
        case Generalize(generalize=how):
            return generalized(values, data_type, how)


def masked(values: pl.Series, data_type: DataType, keep: int) -> pl.Series:
    """`***` and the last `keep` characters, of values that are at least twice as long; others show none."""
    text = as_text(Column(pl.col(values.name), scalar(data_type)))
    hides = text.str.len_chars() >= 2 * keep
    shown = pl.when(hides).then(text.str.tail(keep)).otherwise(pl.lit("")) if keep else pl.lit("")
    return _selected(values, pl.when(text.is_not_null()).then(pl.concat_str([pl.lit(MASK), shown])))


def generalized(values: pl.Series, data_type: DataType, how: Generalization) -> pl.Series:
    """
    Dates as their year or month in text, texts as their first characters, numbers as the lower bound of their bucket.

    A text that isn't longer than its prefix shows nothing. What is above `top` is in the topmost bucket, what is before
    `bottom` in the first year.
    """
    column = pl.col(values.name)
    if how.date is not None:
        number = column.dt.year()
        if how.bottom is not None:
            number = pl.when(number.is_not_null()).then(pl.max_horizontal(number, pl.lit(how.bottom)))
        year = number.cast(pl.String).str.zfill(4)
        month = column.dt.month().cast(pl.String).str.zfill(2)
        return _selected(values, year if how.date == "year" else pl.concat_str([year, pl.lit("-"), month]))
    if how.prefix is not None:
        text = as_text(Column(column, scalar(data_type)))
        hides = text.str.len_chars() > how.prefix
        shown = pl.when(hides).then(text.str.slice(0, how.prefix)).otherwise(pl.lit(""))
        return _selected(values, pl.when(text.is_not_null()).then(shown))
    return _bucketed(values, data_type, how.bucket or 1, how.top)


def _bucketed(values: pl.Series, data_type: DataType, width: int, top: int | None) -> pl.Series:
    dtype = values.dtype
    if dtype.is_decimal():
        smallest = -(Decimal(10) ** data_type.precision - 1).scaleb(-data_type.scale)
        highest = None if top is None else Decimal(top)
        return _each(values, lambda value: _lowest(value, Decimal(width), highest, smallest))
    if dtype.is_float():
        return _each(values, lambda value: _lowest_float(value, width, top))
    # Wide enough that the lower bound of the smallest number is a number still; it is written as that smallest one.
    lower = (pl.col(values.name).cast(pl.Int128) // width) * width
    bound = -(2**31) if dtype == pl.Int32 else -(2**63)
    bounded = pl.max_horizontal(lower, pl.lit(bound, dtype=pl.Int128))
    if top is not None:
        bounded = pl.min_horizontal(bounded, pl.lit(top, dtype=pl.Int128))
    return _selected(values, pl.when(pl.col(values.name).is_not_null()).then(bounded).cast(dtype))


def _lowest(value: Decimal, width: Decimal, top: Decimal | None, smallest: Decimal) -> Decimal:
    with localcontext(prec=100):
        rest = value % width  # has the sign of the value
        lower = max(value - rest - (width if rest < 0 else Decimal(0)), smallest)
        return lower if top is None else min(lower, top)


def _lowest_float(value: float, width: int, top: int | None) -> float:
    if not math.isfinite(value):
        return value
    lower = math.floor(value / width) * float(width)
    return lower if top is None else min(lower, float(top))


def _texts(values: pl.Series, data_type: DataType) -> pl.Series:
    """The canonical text of each value."""
    return _selected(values, as_text(Column(pl.col(values.name), scalar(data_type))))


def _selected(values: pl.Series, expression: pl.Expr) -> pl.Series:
    return values.to_frame().select(expression.alias(values.name))[values.name]


def _each(values: pl.Series, make: Callable[[T], T]) -> pl.Series:
    """What is made of each value, of the same type; each distinct value is made once."""
    distinct = values.drop_nulls().unique()
    if distinct.is_empty():
        return values
    made = pl.Series([make(value) for value in distinct.to_list()], dtype=values.dtype)
    return values.replace_strict(distinct, made, default=None, return_dtype=values.dtype)
