"""Values as a database gives them, text mostly, as columns of exact types. What doesn't become one isn't made null."""

from __future__ import annotations

from typing import Any

import polars as pl

from syncline.connectors.sql.reading import Readable
from syncline.model.errors import Invalid
from syncline.model.schema import DataType, Field
from syncline.sdk.frame import source_dtype, target_dtype

_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}

_NATIVE: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "int32": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "binary": pl.Binary(),
}


def raw_dtype(column: Readable, native: frozenset[str]) -> pl.DataType:
    """How a column of a fetched row is held before it has its type."""
    return _NATIVE[column.type.name] if column.type.name in native else pl.String()


def typed(series: pl.Series, data_type: DataType) -> pl.Series:
    """Values with their type; null where a value isn't one of it."""
    if data_type.name in {"string", "json", "number"}:
        return series
    if series.dtype != pl.String:
        return series.cast(target_dtype(data_type), strict=False)
    match data_type.name:
        case "boolean":
            return series.replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
        case "date":
            return series.str.to_date("%Y-%m-%d", strict=False)
        case "time":
            return series.str.to_time("%H:%M:%S%.f", strict=False)
        case "timestamp" | "datetime":
            text = series.str.replace(r"(Z|[+]00(:00)?)$", "").str.replace("T", " ", literal=True)
            found = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
            return found.dt.replace_time_zone("UTC") if data_type.name == "timestamp" else found
        case _:
            return series.cast(target_dtype(data_type), strict=False)


def fits(found: DataType, declared: Field) -> bool:
    """Whether a column can be read as it is declared: as `declared` below does it."""
    wanted = declared.type.name
    if declared.repeated or declared.fields:
        return False
    return (
        found == declared.type
        or wanted == "string"
        or (wanted == "number" and found.name in {"integer", "int32", "decimal", "float", "number"})
        or (wanted == "integer" and found.name == "int32")
        or (wanted == "json" and found.name in {"string", "json"})
    )


def declared(series: pl.Series, found: DataType, field: Field) -> pl.Series:
    """Values of one type as the declared one: a number is the text of its digits, an instant its ISO 8601 text."""
    if field.type == found:
        return series
    if field.type.name not in {"string", "number"}:
        return series.cast(source_dtype(field))
    match found.name:
        case "date":
            return series.dt.to_string("%Y-%m-%d")
        case "time":
            return series.dt.to_string("%H:%M:%S%.f")
        case "datetime":
            return series.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
        case "timestamp":
            return series.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
        case "binary":
            return series.bin.encode("hex")
        case _:
            return series.cast(pl.String)


def mark(value: Any) -> str:
    """The text that stands for a value of a key in a position."""
    return value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, float) else str(value)


def unfit(stream: str, column: Readable, field: Field) -> Invalid:
    """The error for a column that isn't what is declared."""
    expected = "a list" if field.repeated else "an object" if field.fields else str(field.type)
    return Invalid(
        f"column {column.name!r} of {stream} is {column.native} and declared as {expected}",
        code="SYN548",
        help="Correct the declared schema, or leave the column out: tables describe themselves.",
    )
