"""Logical types as PostgreSQL's: types of columns, what existing columns can hold, what values can't be held."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.limits import Limit, Limits, common, no_null_keys, text_fields
from syncline.connectors.sql.narrow import characters, padded, whole
from syncline.model.schema import DataType, Field, Schema

if TYPE_CHECKING:
    import polars as pl

#: `NAMEDATALEN` less its final NUL: longer identifiers are cut in silence.
NAME_BYTES = 63

SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})

#: A row of a B-tree index has at most a third of a page (2,704 bytes), after compression that can't be counted on.
KEY_BYTES = 2_600

_TYPES = {
    "string": "text",
    "integer": "bigint",
    "int32": "integer",
    "float": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp with time zone",
    "datetime": "timestamp without time zone",
    "json": "jsonb",
    "binary": "bytea",
}

_WIDER = {"string": {"character varying"}, "int32": {"bigint"}}

#: Digits before the point that a whole number may need.
_DIGITS = {"integer": 19, "int32": 10}


#: Well-formed JSON that `jsonb` may refuse has one of these; which of it does, is decided exactly.
_SUSPECT_JSON = r"(?i)\\u(0000|d[89a-f])|[0-9]{100}|[0-9]e[+-]?[0-9]{4}"

_CHARACTERS = re.compile(r"(character varying|character)\((\d+)\)")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")


def column_type(data_type: DataType) -> str:
    """The type of a new column, spelled as `format_type` does."""
    if data_type.name == "decimal":
        return f"numeric({data_type.precision},{data_type.scale})"
    return _TYPES[data_type.name]


def holds(existing: str, declared: DataType) -> bool:
    """Whether a column, by its type as `format_type` spells it, holds every value of the declared type unchanged."""
    if declared.name == "decimal" or (declared.name in _DIGITS and existing.startswith("numeric")):
        digits = _DIGITS.get(declared.name, declared.precision - declared.scale)
        if existing == "numeric":
            return True
        found = _NUMERIC.fullmatch(existing)
        if found is None:
            return False
        precision, scale = int(found[1]), int(found[2])
        return scale >= declared.scale and precision - scale >= digits
    return existing == _TYPES[declared.name] or existing in _WIDER.get(declared.name, ())


def narrowed(existing: str, field: Field) -> Limit | None:
    """What a column doesn't hold of a type; see `Database.narrowed`."""
    found = _CHARACTERS.fullmatch(existing)
    if found is None:
        return whole(field, existing)
    return characters(field, int(found[2])) if found[1] == "character varying" else padded(field, int(found[2]))


@lru_cache(maxsize=256)
def limits(schema: Schema, *, keyed: bool) -> Limits:
    r"""
    What PostgreSQL can't hold: NUL in text and JSON, JSON that `jsonb` refuses, keys too long for an index.

    Cited from its documentation: "Character Types" (no code point zero), "JSON Types" (no `\u0000`, surrogates in
    pairs, numbers within `numeric`), "B-Tree Indexes" (size of a row).
    """
    found = [*(no_null_keys(schema) if keyed else ()), *common(schema)]
    for field in text_fields(schema):
        found.append(Limit(field.name, "a NUL character", _has_nul, late=True))
        if field.type.name == "json":
            found.append(Limit(field.name, "JSON beyond what jsonb allows", _suspect, _not_jsonb, late=True))
    wide = [f for name in schema.key if (f := schema.get(name)) and f.type.name in {"string", "json", "binary"}]
    for field in wide:
        most = KEY_BYTES // len(wide)
        longer = _longer_than(most, binary=field.type.name == "binary")
        found.append(Limit(field.name, f"a key of more than {most:,} bytes", longer))
    return Limits(found)


def _has_nul(column: pl.Expr) -> pl.Expr:
    return column.str.contains("\0", literal=True)


def _longer_than(most: int, *, binary: bool) -> Callable[[pl.Expr], pl.Expr]:
    def broken(column: pl.Expr) -> pl.Expr:
        return (column.bin.size() if binary else column.str.len_bytes()) > most

    return broken


def _suspect(column: pl.Expr) -> pl.Expr:
    return column.str.contains(_SUSPECT_JSON)


def _not_jsonb(column: pl.Series) -> pl.Series:
    import polars as pl

    looks = column.str.contains(_SUSPECT_JSON)
    judged = [bool(look) and not _jsonb_holds(text) for look, text in zip(looks, column, strict=True)]
    return pl.Series(column.name, judged, dtype=pl.Boolean)


def _jsonb_holds(text: str) -> bool:
    try:
        value = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_refuse)
        _check_text(value)
    except (ValueError, RecursionError):
        return False
    return True


def _number(digits: str) -> str:
    mantissa, _, exponent = digits.lower().partition("e")
    # `numeric` has up to 131,072 digits before and 16,383 after the point; far from both is decided without counting.
    if abs(int(exponent or 0)) + len(mantissa) > 16_000:
        raise ValueError
    return ""


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _check_text(value: object) -> None:
    match value:
        case str():
            value.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
            if "\0" in value:
                raise ValueError
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for name, item in value.items():
                _check_text(name)
                _check_text(item)
        case _:
            pass
