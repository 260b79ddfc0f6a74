"""Logical types as DuckDB's: types of columns, what existing columns can hold, what values can't be held."""

from __future__ import annotations

import re
from functools import lru_cache

from syncline.connectors.sql.limits import Limits, common, no_null_keys
from syncline.connectors.sql.names import quoted
from syncline.model.schema import DataType, Field, Schema

_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "int32": "INTEGER",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "datetime": "TIMESTAMP",
    "json": "JSON",
    "binary": "BLOB",
}

#: Digits before the point that a whole number may need.
_DIGITS = {"integer": 19, "int32": 10}

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def column_type(data_type: DataType) -> str:
    """The type of a new column, spelled as DuckDB tells it."""
    if data_type.name == "decimal":
        return f"DECIMAL({data_type.precision},{data_type.scale})"
    return _TYPES[data_type.name]


def declaration(field: Field) -> str:
    """A column, as in CREATE TABLE."""
    return f"{quoted(field.name)} {column_type(field.type)}"


def holds(existing: str, declared: DataType) -> bool:
    """Whether a column holds every value of the declared type unchanged."""
    if declared.name == "decimal" or (declared.name in _DIGITS and existing.startswith("DECIMAL")):
        digits = _DIGITS.get(declared.name, declared.precision - declared.scale)
        found = _DECIMAL.fullmatch(existing)
        return found is not None and int(found[2]) >= declared.scale and int(found[1]) - int(found[2]) >= digits
    return existing == _TYPES[declared.name] or (declared.name == "int32" and existing == "BIGINT")


@lru_cache(maxsize=256)
def limits(schema: Schema, *, keyed: bool) -> Limits:
    """What DuckDB can't hold: nothing but what no database here holds."""
    return Limits((*(no_null_keys(schema) if keyed else ()), *common(schema)))
