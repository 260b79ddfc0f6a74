"""Records as Python data → a frame as a source would have made it. For a mapping's own tests, and for rejects retried.

Not for bulk: sources parse into columns themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from msgspec.structs import replace

from syncline.mapping import exact
from syncline.mapping.exact import Target, Unfit
from syncline.mapping.types import literal_type
from syncline.model.schema import BOOLEAN, INTEGER, JSON, NUMBER, STRING, DataType, Field, Schema
from syncline.sdk.frame import source_frame_schema

#: Types whose values JSON writes as text.
_AS_TEXT = frozenset({"date", "time", "timestamp", "datetime", "binary"})


class Misplaced(ValueError):
    """A record that the source could not have sent: `field` is the dotted path of the part that doesn't fit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field


def frame_of(records: Sequence[Mapping[str, Any]], schema: Schema) -> pl.DataFrame:
    """A frame of records. Misplaced names what doesn't fit the schema; absent fields are null."""
    names = set(schema.names)
    for record in records:
        for name in record.keys() - names:
            raise Misplaced(name, "is no field of the source")
    columns = {f.name: [held(record.get(f.name), f, f.name) for record in records] for f in schema.fields}
    return pl.DataFrame(columns, schema=source_frame_schema(schema))


def frame_of_json(texts: Iterable[str], schema: Schema) -> pl.DataFrame:
    """A frame of records that `record_json` wrote, with every digit of their numbers."""
    return frame_of([json.loads(text, parse_float=Decimal) for text in texts], schema)


def held(value: Any, field: Field, path: str) -> Any:
    """A value as a source column of that type holds it."""
    if value is None:
        return None
    if field.repeated:
        if not isinstance(value, list):
            raise Misplaced(path, "is not a list")
        return [held(item, replace(field, repeated=False), f"{path}[]") for item in value]
    if field.fields:
        if not isinstance(value, Mapping):
            raise Misplaced(path, "is not an object")
        known = {f.name for f in field.fields}
        for name in value.keys() - known:
            raise Misplaced(f"{path}.{name}", "is no field of the source")
        return {f.name: held(value.get(f.name), f, f"{path}.{f.name}") for f in field.fields}
    return _scalar(value, field.type, path)


def _scalar(value: Any, data_type: DataType, path: str) -> Any:
    name = data_type.name
    match name:
        case "json":
            return exact.to_json(value)
        case "string" if not isinstance(value, list | dict):
            return exact.to_text(value)
        case "number" if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return str(value)
        case "integer" | "int32" if type(value) is int:
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "float" if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return float(value)
        case "float" if value in {"NaN", "inf", "-inf"}:
            return float(value)
        case "decimal" if isinstance(value, int | float | Decimal | str) and not isinstance(value, bool):
            value, source = (repr(value) if isinstance(value, float) else value), "string"
        case _ if name in _AS_TEXT and isinstance(value, str):
            source = "string"
        case _ if name in _AS_TEXT and not isinstance(value, int | float | bool | list | dict):
            return value
        case _:
            raise Misplaced(path, f"is not {'an' if name[0] in 'ai' else 'a'} {name}")
    try:
        return bytes.fromhex(value) if name == "binary" else exact.caster(source, Target(data_type))(value)
    except (Unfit, ValueError) as unfit:
        raise Misplaced(path, str(unfit)) from None


def inferred(records: Sequence[Mapping[str, Any]], reads: Sequence[str]) -> Schema:
    """The schema that records suggest, together with the paths that are read of them (text, where none shows it)."""
    merged = _object("", records)
    for path in reads:
        merged = _with(merged, path.split("."))
    return Schema(merged.fields)


def _object(name: str, records: Sequence[Mapping[str, Any]]) -> Field:
    names = dict.fromkeys(key for record in records for key in record)
    values = {key: [r[key] for r in records if r.get(key) is not None] for key in names}
    return Field(name, JSON, fields=tuple(_field(key, found) for key, found in values.items()))


def _field(name: str, values: Sequence[Any]) -> Field:
    if values and all(isinstance(v, dict) for v in values):
        found = _object(name, values)
        return found if found.fields else Field(name, JSON)
    if values and all(isinstance(v, list) for v in values):
        inner = _field(name, [item for v in values for item in v if item is not None])
        return Field(name, JSON) if inner.repeated else replace(inner, repeated=True)
    kinds = {_kind(v) for v in values}
    if len(kinds) > 1:
        return Field(name, NUMBER if kinds == {INTEGER, NUMBER} else JSON)
    return Field(name, next(iter(kinds), STRING))


def _kind(value: Any) -> DataType:
    match value:
        case list() | dict():
            return JSON
        case bool():
            return BOOLEAN
        case int():
            return literal_type(value).type
        case float() | Decimal():
            return NUMBER
        case _:
            return STRING


def _with(of: Field, path: list[str]) -> Field:
    """The object with a path added to it, where it isn't there."""
    name, rest = path[0], path[1:]
    found = next((f for f in of.fields if f.name == name), None)
    if name == "*" or (found is not None and (not rest or found.type != JSON)):
        return of
    if found is None:
        found = Field(name, JSON if rest else STRING)
        of = replace(of, fields=(*of.fields, found))
    if not rest:
        return of
    added = _with(found, rest)
    return replace(of, fields=tuple(added if f is found else f for f in of.fields))
