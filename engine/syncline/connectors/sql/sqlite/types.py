"""Logical types as SQLite's: how values are stored, what existing columns can hold, what values can't be held."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from syncline.connectors.sql.limits import Limit, Limits, common, no_null_keys
from syncline.connectors.sql.names import quoted
from syncline.model.schema import DataType, Field, Schema

if TYPE_CHECKING:
    import polars as pl

_STORAGE = {
    "string": "TEXT",
    "integer": "INTEGER",
    "int32": "INTEGER",
    "decimal": "TEXT",
    "float": "REAL",
    "boolean": "INTEGER",
    "date": "TEXT",
    "time": "TEXT",
    "timestamp": "TEXT",
    "datetime": "TEXT",
    "json": "TEXT",
    "binary": "BLOB",
}

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")

_OURS = re.compile(r' CHECK \("[^"]*" IN \(0, 1\)\)')


def known(declared: str, noted: str | None) -> str:
    """A column's type as `holds` takes it: what we noted, unless somebody made the column anew for other values.

    >>> known("TEXT", "date"), known("integer", "date"), known("TEXT", None)
    ('date', 'INTEGER', 'TEXT')
    """
    storage = declared.upper()
    return noted if noted and _STORAGE[DataType.parse(noted).name] == storage else storage


def declaration(field: Field) -> str:
    """A column of a STRICT table."""
    name = quoted(field.name)
    check = f" CHECK ({name} IN (0, 1))" if field.type.name == "boolean" else ""
    return f"{name} {_STORAGE[field.type.name]}{check}"


def without_checks(statement: str) -> str:
    """The statement that made a table, without the checks that `declaration` makes, which no value of ours breaks.

    >>> without_checks('CREATE TABLE t ("on" INTEGER CHECK ("on" IN (0, 1)), n INTEGER CHECK (n > 0))')
    'CREATE TABLE t ("on" INTEGER, n INTEGER CHECK (n > 0))'
    """
    return _OURS.sub("", statement)


def holds(existing: str, declared: DataType) -> bool:
    """
    Whether a column holds every value of the declared type unchanged. `existing` is the type that we noted, or, for a
    table that others made, the declared storage class; of those only the exact one changes nothing.
    """
    if existing == str(declared) or existing == _STORAGE[declared.name]:
        return True
    if declared.name == "int32":
        return existing == "integer"
    if declared.name == "decimal" and (found := _DECIMAL.fullmatch(existing)):
        # Another scale would write the same number as another text.
        precision, scale = int(found[1]), int(found[2])
        return scale == declared.scale and precision >= declared.precision
    return False


def stored(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with the values as they are stored."""
    import polars as pl

    def column(field: Field) -> pl.Expr:
        found = pl.col(field.name)
        match field.type.name:
            case "decimal":
                return found.cast(pl.String)
            case "boolean":
                return found.cast(pl.Int8)
            case "date":
                return found.dt.to_string("%Y-%m-%d")
            case "time":
                return found.dt.to_string("%H:%M:%S%.6f")
            case "timestamp":
                return found.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
            case "datetime":
                return found.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
            case _:
                return found

    return frame.select(column(field) for field in schema.fields)


@lru_cache(maxsize=256)
def limits(schema: Schema, *, keyed: bool) -> Limits:
    """What SQLite can't hold: NaN, which it makes null."""
    nan = (Limit(f.name, "a NaN", lambda column: column.is_nan()) for f in schema.fields if f.type.name == "float")
    return Limits((*(no_null_keys(schema) if keyed else ()), *common(schema), *nan))
