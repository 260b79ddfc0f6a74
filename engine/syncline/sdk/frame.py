"""How logical types are held in polars columns, at the source and at the target. One table each, used by everyone.

At the source nothing has been interpreted: JSON numbers and everything from CSV are text. At the target every column
has its exact type.
"""

from __future__ import annotations

import polars as pl

from syncline.model.schema import DataType, Field, Schema

_SOURCE: dict[str, pl.DataType] = {
    "string": pl.String(),
    "number": pl.String(),
    "json": pl.String(),
    "integer": pl.Int64(),
    "int32": pl.Int32(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Time(),
    "timestamp": pl.Datetime("us", "UTC"),
    "datetime": pl.Datetime("us"),
    "binary": pl.Binary(),
}


def target_dtype(data_type: DataType) -> pl.DataType:
    """The polars type of a target column. Timestamps are microseconds in UTC; `json` is JSON text.

    >>> target_dtype(DataType.parse("decimal(12,2)"))
    Decimal(precision=12, scale=2)
    """
    if data_type.name == "decimal":
        return pl.Decimal(data_type.precision, data_type.scale)
    return _SOURCE[data_type.name]


def source_dtype(field: Field) -> pl.DataType:
    """The polars type of a source column: `number` is the text of its digits, `json` without fields the JSON text.

    >>> source_dtype(Field("price", DataType("number")))
    String
    """
    if field.fields:
        inner: pl.DataType = pl.Struct({f.name: source_dtype(f) for f in field.fields})
    else:
        inner = target_dtype(field.type)
    return pl.List(inner) if field.repeated else inner


def source_frame_schema(schema: Schema) -> dict[str, pl.DataType]:
    """Column names and types of a frame that holds records of a source schema.

    >>> source_frame_schema(Schema((Field("id", DataType("integer")), Field("price", DataType("number")))))
    {'id': Int64, 'price': String}
    """
    return {field.name: source_dtype(field) for field in schema.fields}


def target_frame_schema(schema: Schema) -> dict[str, pl.DataType]:
    """Column names and types of a frame that holds records of a target schema.

    >>> target_frame_schema(Schema((Field("id", DataType("integer")), Field("born", DataType("date")))))
    {'id': Int64, 'born': Date}
    """
    return {field.name: target_dtype(field.type) for field in schema.fields}
