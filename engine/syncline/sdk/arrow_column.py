"""Columns out of Arrow arrays, by Arrow's C interface alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa


def column_from(array: pa.Array) -> pl.Series:
    """The array as a column without a name, not copied where polars has the same layout.

    >>> import pyarrow as pa
    >>> column_from(pa.array([1, 2])).to_list()
    [1, 2]
    """
    return pl.Series(_Exported(array))


class _Exported:
    """An array by its C interface only: given one as it is, polars loads Arrow's functions, which takes 50 ms."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        schema, array = self._array.__arrow_c_array__(requested_schema)
        return schema, array
