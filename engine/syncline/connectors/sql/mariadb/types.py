"""Logical types as MariaDB's: types of columns, what existing columns can hold, what values can't be held.

Texts have the collation `utf8mb4_nopad_bin`, to which two texts are equal if their characters are, as to everyone else
here. Instants are `datetime(6)` in UTC, since `timestamp` ends in 2038; a comment on the column tells them from times
without a zone, and JSON from other text: MariaDB's own `json` is text too, of 32 levels at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from syncline.connectors.sql.limits import Limit, Limits, common, no_null_keys
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.narrow import bytes_of_text, characters, trimmed, whole
from syncline.model.schema import DataType, Field, Schema

if TYPE_CHECKING:
    import polars as pl

#: Characters that a name may have; it is held to as many bytes.
NAME_BYTES = 64

COLLATION = "utf8mb4_nopad_bin"

#: An index row of InnoDB has 3,072 bytes at most; a character may take four of them, and other columns need some.
KEY_CHARACTERS = 700

_TYPES = {
    "string": "longtext",
    "integer": "bigint",
    "int32": "int",
    "float": "double",
    "boolean": "tinyint(1)",
    "date": "date",
    "time": "time(6)",
    "timestamp": "datetime(6) UTC",
    "datetime": "datetime(6)",
    "json": "longtext JSON",
    "binary": "longblob",
}

_HELD = {
    "string": {"varchar in a key"},
    "json": {"longtext", "varchar in a key"},
    "int32": {"bigint"},
    "timestamp": {"datetime(6)"},
    "binary": {"varbinary in a key"},
}

#: Digits before the point that a whole number may need.
_DIGITS = {"integer": 19, "int32": 10}

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_WIDTH = re.compile(r"(tinyint|smallint|mediumint|int|bigint)\(\d+\)")
_TEXTS = {"tinytext": 2**8 - 1, "text": 2**16 - 1, "mediumtext": 2**24 - 1}
_TEXT_CHARACTERS = re.compile(r"(varchar|char)\((\d+)\)")
_CHARACTERS = re.compile(r"(varchar|varbinary)\((\d+)\)")


def column_type(data_type: DataType) -> str:
    """The type of a column, as `shown` tells it."""
    if data_type.name == "decimal":
        return f"decimal({data_type.precision},{data_type.scale})"
    return _TYPES[data_type.name]


def declaration(field: Field, schema: Schema, key: Iterable[str]) -> str:
    """A new column; `key` has the names of the primary key's."""
    in_key = field.name in key
    type_, _, comment = column_type(field.type).partition(" ")
    if in_key and type_ in {"longtext", "longblob"}:
        type_ = f"{'varchar' if type_ == 'longtext' else 'varbinary'}({key_length(schema)})"
    text = f" CHARACTER SET utf8mb4 COLLATE {COLLATION}" if type_.startswith(("longtext", "varchar")) else ""
    noted = f" COMMENT '{comment}'" if comment else ""
    return f"{quoted(field.name)} {type_}{text} {'NOT NULL' if in_key else 'NULL'}{noted}"


def key_length(schema: Schema) -> int:
    """Characters (of binary: bytes) that a value of a key may have."""
    return KEY_CHARACTERS // max(1, len(_wide(schema)))


def shown(column_type: str, collation: str | None, comment: str, wide_in_key: int) -> str:
    """
    A type as `holds` takes it, from what the information schema says; without what changes nothing (`bigint(20)`).

    `wide_in_key`: how many columns of text or bytes the unique key has that it is in; 0 outside.
    """
    if column_type != "tinyint(1)":
        column_type = _WIDTH.sub(r"\1", column_type)
    found = _CHARACTERS.fullmatch(column_type)
    exact = collation in {None, COLLATION}
    if found and wide_in_key and exact and int(found[2]) >= KEY_CHARACTERS // wide_in_key:
        return f"{found[1]} in a key"
    if collation and not (collation.startswith("utf8mb4") and column_type == "longtext"):
        column_type = f"{column_type} {collation}"
    return f"{column_type} {comment}" if comment in {"UTC", "JSON"} else column_type


def holds(existing: str, declared: DataType) -> bool:
    """Whether a column, by its type as `shown` tells it, holds every value of the declared type unchanged."""
    if declared.name == "decimal" or (declared.name in _DIGITS and existing.startswith("decimal")):
        digits = _DIGITS.get(declared.name, declared.precision - declared.scale)
        found = _DECIMAL.fullmatch(existing)
        return found is not None and int(found[2]) >= declared.scale and int(found[1]) - int(found[2]) >= digits
    return existing == _TYPES[declared.name] or existing in _HELD.get(declared.name, ())


def narrowed(existing: str, field: Field, *, unique: bool) -> Limit | None:
    """What a column doesn't hold of a type; see `Database.narrowed`. In a key, texts are equal as everywhere here."""
    type_, _, collation = existing.partition(" ")
    if collation == COLLATION or (collation.startswith("utf8mb4") and not unique):
        if type_ in _TEXTS:
            return bytes_of_text(field, _TEXTS[type_])
        if found := _TEXT_CHARACTERS.fullmatch(type_):
            return (characters if found[1] == "varchar" else trimmed)(field, int(found[2]))
    return whole(field, existing)


@lru_cache(maxsize=256)
def limits(schema: Schema, *, keyed: bool) -> Limits:
    """What MariaDB can't hold: NaN and infinities, keys too long for an index."""
    found = [*(no_null_keys(schema) if keyed else ()), *common(schema)]
    found += [
        Limit(field.name, "a NaN or an infinity", lambda column: ~column.is_finite())
        for field in schema.fields
        if field.type.name == "float"
    ]
    if keyed:
        most = key_length(schema)
        for field in _wide(schema):
            binary = field.type.name == "binary"
            found.append(
                Limit(
                    field.name,
                    f"a key of more than {most:,} {'bytes' if binary else 'characters'}",
                    _longer_than(most, binary=binary),
                )
            )
    return Limits(found)


def _wide(schema: Schema) -> list[Field]:
    """Fields of the key that have no fixed length."""
    return [f for name in schema.key if (f := schema.get(name)) and f.type.name in {"string", "json", "binary"}]


def _longer_than(most: int, *, binary: bool) -> Callable[[pl.Expr], pl.Expr]:
    def broken(column: pl.Expr) -> pl.Expr:
        return (column.bin.size() if binary else column.str.len_chars()) > most

    return broken
