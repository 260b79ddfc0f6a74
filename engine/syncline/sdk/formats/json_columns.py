"""Columns of decoded JSON records: nested records become structs, lists are built over their flattened items.

To make a column takes polars as long as to fill it with some hundred values. So of few records those values that have
one type, wherever they are in a record, are made as one column, which is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import polars as pl
from msgspec.structs import astuple

from syncline.model.schema import Field
from syncline.sdk.arrow_column import column_from
from syncline.sdk.formats.json_fields import Node
from syncline.sdk.frame import source_dtype

#: Values from which on a column is made by itself: then that takes little beside filling it, and nothing of a column is
#: kept in memory by another that was made with it.
_MANY = 512

#: A column that is made when it is asked for, once all values are known.
_Later = Callable[[], pl.Series]


def columns_of(nodes: Sequence[Node], records: Sequence[Any]) -> list[pl.Series]:
    """A column for each of these fields of decoded records, with the type of `sdk/frame.py`; None for what is null or
    missing.

    >>> from syncline.model.schema import INTEGER
    >>> from syncline.sdk.formats.json_fields import compile_field, struct_of
    >>> nodes = (compile_field("f0", Field("id", INTEGER), "id"),)
    >>> columns_of(nodes, [struct_of(nodes)(f0=7), struct_of(nodes)(f0=None)])[0].to_list()
    [7, None]
    """
    scalars = _Scalars()
    later = [_column(node, values, scalars) for node, values in zip(nodes, _turned(nodes, records), strict=True)]
    return [column() for column in later]


@dataclass(slots=True)
class _Scalars:
    """The values of fields that are neither lists nor structs, by their type."""

    values: dict[pl.DataType, list[Any]] = field(default_factory=dict)
    made: dict[pl.DataType, pl.Series] = field(default_factory=dict)

    def column(self, name: str, values: Sequence[Any], dtype: pl.DataType) -> _Later:
        """A column of these values."""
        if len(values) >= _MANY:
            return partial(pl.Series, name, values, dtype=dtype)
        together = self.values.setdefault(dtype, [])
        start = len(together)
        together += values
        return partial(self._cut, name, dtype, start, len(values))

    def _cut(self, name: str, dtype: pl.DataType, start: int, length: int) -> pl.Series:
        whole = self.made.get(dtype)
        if whole is None:
            whole = self.made[dtype] = pl.Series(self.values[dtype], dtype=dtype)
        return whole.slice(start, length).alias(name)


def _turned(nodes: Sequence[Node], records: Sequence[Any]) -> list[Sequence[Any]]:
    """The values of each field. `AttributeError` if a record is null."""
    kinds: set[Any] = set(map(type, records))
    if len(kinds) != 1:  # those of pages that were read the careful way beside others, which may have another order
        return [list(map(attrgetter(node.attribute), records)) for node in nodes]
    # A record as a tuple, and the tuples turned, take half of what asking each record for each attribute does.
    values = dict(zip(kinds.pop().__struct_fields__, zip(*map(astuple, records), strict=True), strict=True))
    return [values[node.attribute] for node in nodes]


def _column(node: Node, values: Sequence[Any], scalars: _Scalars) -> _Later:
    if node.field.repeated:
        return _list_column(node, values, scalars)
    if node.struct is None:
        return scalars.column(node.field.name, values, source_dtype(node.field))
    return _struct_column(node, values, scalars)


def _struct_column(node: Node, values: Sequence[Any], scalars: _Scalars) -> _Later:
    present: list[bool] | None = None
    try:
        turned = _turned(node.children, values)
    except AttributeError:  # some of them are null
        present = [value is not None for value in values]
        turned = [[None if v is None else getattr(v, child.attribute) for v in values] for child in node.children]
    inner = [_column(child, column, scalars) for child, column in zip(node.children, turned, strict=True)]
    return partial(_struct, node.field.name, inner, present)


def _struct(name: str, inner: Sequence[_Later], present: list[bool] | None) -> pl.Series:
    column = pl.DataFrame([one() for one in inner]).to_struct(name)
    if present is None:
        return column
    there = pl.Series("present", present, dtype=pl.Boolean)
    return pl.select(pl.when(there).then(column).alias(name)).to_series()


def _list_column(node: Node, values: Sequence[Any], scalars: _Scalars) -> _Later:
    lists = [value or () for value in values]
    flat = list(chain.from_iterable(lists))
    item = Field(node.field.name, node.field.type, fields=node.field.fields)
    inner = _column(Node(item, node.path, node.attribute, node.struct, node.children), flat, scalars)
    return partial(_list, node, values, list(accumulate(map(len, lists), initial=0)), inner)


def _list(node: Node, values: Sequence[Any], offsets: list[int], inner: _Later) -> pl.Series:
    # polars takes 3.3 µs a row for Python lists; Arrow's own list layout, offsets over flat items, a tenth of that.
    import pyarrow as pa

    # Without a null there is no mask, for which Arrow would load all of its functions.
    nulls = pa.array([value is None for value in values], pa.bool_()) if None in values else None
    array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inner().to_arrow(), mask=nulls)
    return column_from(array).alias(node.field.name).cast(source_dtype(node.field))
