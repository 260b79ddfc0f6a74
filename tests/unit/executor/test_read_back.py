"""Values that a destination gives, as values of a flow's columns: exactly, or told as none."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from syncline.executor.previews.read_back import as_columns
from syncline.model.schema import DataType, Field, Schema


@pytest.mark.parametrize(
    ("found", "declared", "values", "expected"),
    [
        ("string", "boolean", ["true", "0", "perhaps"], [True, False, None]),
        ("number", "decimal(14,2)", ["1.500", "1.505", "15e-1"], [Decimal("1.50"), None, Decimal("1.50")]),
        ("decimal(14,4)", "decimal(14,2)", [Decimal("1.5000"), Decimal("1.5050")], [Decimal("1.50"), None]),
        ("decimal(14,4)", "integer", [Decimal("2.0000"), Decimal("1.9000")], [2, None]),
        ("integer", "int32", [3, 2**40], [3, None]),
        ("integer", "boolean", [1, 2], [True, None]),
        ("integer", "decimal(14,2)", [3], [Decimal("3.00")]),
        ("boolean", "boolean", [True], [True]),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_none(found, declared, values, expected):
    """It isn't cut to one that is equal by chance to what was written; what is the same value is, however written."""
    schemas = [Schema((Field("v", DataType.parse(name)),)) for name in (found, declared)]
    frame, unfit = as_columns(pl.DataFrame({"v": values}), *schemas)
    assert frame["v"].to_list() == expected
    assert unfit == expected.count(None)


def test_a_list_is_the_json_of_it():
    """An API gives lists where a flow writes JSON."""
    source = Schema((Field("v", DataType("integer"), repeated=True),))
    frame, unfit = as_columns(pl.DataFrame({"v": [[1, 2]]}), source, Schema((Field("v", DataType("json")),)))
    assert (frame["v"].to_list(), unfit) == (["[1,2]"], 0)
