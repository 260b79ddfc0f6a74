"""Columns of decoded JSON records: nested records become structs, lists are built over their flattened items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import polars as pl
from msgspec.structs import astuple

from syncline.model.schema import Field
from syncline.sdk.arrow_column import column_from
from syncline.sdk.frame import source_dtype
from syncline.sdk.json_fields import Node


def columns_of(nodes: Sequence[Node], records: Sequence[Any]) -> list[pl.Series]:
    """A column for each of these fields of decoded records.

    >>> from syncline.model.schema import INTEGER
    >>> from syncline.sdk.json_fields import compile_field, struct_of
    >>> nodes = (compile_field("f0", Field("id", INTEGER), "id"),)
    >>> columns_of(nodes, [struct_of(nodes)(f0=7)])[0].to_list()
    [7]
    """
    return [column_of(node, values) for node, values in zip(nodes, _turned(nodes, records), strict=True)]


def _turned(nodes: Sequence[Node], records: Sequence[Any]) -> list[Sequence[Any]]:
    """The values of each field. `AttributeError` if a record is null."""
    kinds: set[Any] = set(map(type, records))
    if len(kinds) != 1:  # those of pages that were read the careful way beside others, which may have another order
        return [list(map(attrgetter(node.attribute), records)) for node in nodes]
    # A record as a tuple, and the tuples turned, take half of what asking each record for each attribute does.
    values = dict(zip(kinds.pop().__struct_fields__, zip(*map(astuple, records), strict=True), strict=True))
    return [values[node.attribute] for node in nodes]


def column_of(node: Node, values: Sequence[Any]) -> pl.Series:
    """A column of a field's values, with the type of `sdk/frame.py`; None for what is null or missing.

    >>> from syncline.model.schema import INTEGER
    >>> from syncline.sdk.json_fields import compile_field
    >>> column_of(compile_field("f0", Field("id", INTEGER), "id"), [1, None]).to_list()
    [1, None]
    """
    if node.field.repeated:
        return _list_column(node, values)
    if node.struct is None:
        return pl.Series(node.field.name, values, dtype=source_dtype(node.field))
    return _struct_column(node, values)


def _struct_column(node: Node, values: Sequence[Any]) -> pl.Series:
    try:
        turned = _turned(node.children, values)
    except AttributeError:  # some of them are null
        inner = [column_of(c, [None if v is None else getattr(v, c.attribute) for v in values]) for c in node.children]
        present = pl.Series("present", [value is not None for value in values], dtype=pl.Boolean)
        column = pl.DataFrame(inner).to_struct(node.field.name)
        return pl.select(pl.when(present).then(column).alias(node.field.name)).to_series()
    inner = [column_of(child, column) for child, column in zip(node.children, turned, strict=True)]
    return pl.DataFrame(inner).to_struct(node.field.name)


def _list_column(node: Node, values: Sequence[Any]) -> pl.Series:
    # polars takes 3.3 µs a row for Python lists; Arrow's own list layout, offsets over flat items, a tenth of that.
    import pyarrow as pa

    some_null = None in values
    lists = [value or () for value in values] if some_null else values
    offsets = list(accumulate(map(len, lists), initial=0))
    flat = list(chain.from_iterable(lists))
    item = Field(node.field.name, node.field.type, fields=node.field.fields)
    inner = column_of(Node(item, node.path, node.attribute, node.struct, node.children), flat)
    # Without a null there is no mask, for which Arrow would load all of its functions.
    nulls = pa.array([value is None for value in values], pa.bool_()) if some_null else None
    array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inner.to_arrow(), mask=nulls)
    return column_from(array).alias(node.field.name).cast(source_dtype(node.field))
