"""Logical types and schemas: what a field holds, independent of any file format, database or column library.

Written in manifests as `string`, `integer` (64 bits), `int32`, `decimal(14,2)`, `float` (64 bits), `boolean`, `date`,
`time`, `timestamp` (an instant, kept in UTC with microseconds), `datetime` (a wall-clock time without zone), `json`
(any JSON value, kept as its text), `binary`, and for sources only `number` (a JSON number kept as its exact digits).
"""

from __future__ import annotations

import re

from msgspec import Struct

TYPE_NAMES = (
    "string",
    "integer",
    "int32",
    "decimal",
    "float",
    "boolean",
    "date",
    "time",
    "timestamp",
    "datetime",
    "json",
    "binary",
    "number",
)

#: A decimal that fits every supported destination: 38 digits is what Arrow, polars and DuckDB hold.
MAX_PRECISION = 38

_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")


class DataType(Struct, frozen=True):
    """A scalar type. `precision` and `scale` are set for `decimal` only."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name

    @classmethod
    def parse(cls, text: str) -> DataType:
        """Reads a type as written in a manifest; ValueError says what was expected."""
        if match := _DECIMAL.fullmatch(text):
            precision, scale = int(match[1]), int(match[2] or 0)
            if not 1 <= precision <= MAX_PRECISION or scale > precision:
                msg = f"{text!r}: precision must be 1 to {MAX_PRECISION} and scale at most the precision"
                raise ValueError(msg)
            return cls("decimal", precision, scale)
        if text == "decimal":
            msg = "decimal needs its digits, such as decimal(14,2)"
            raise ValueError(msg)
        if text not in TYPE_NAMES:
            msg = f"unknown type {text!r}: expected one of {', '.join(TYPE_NAMES)}"
            raise ValueError(msg)
        return cls(text)


STRING = DataType("string")
INTEGER = DataType("integer")
BOOLEAN = DataType("boolean")
JSON = DataType("json")
NUMBER = DataType("number")


class Field(Struct, frozen=True):
    """A field: its name, its type, whether it may be null, and its data class (`pii.email`), if any.

    `fields` is filled for a nested object (then `type` is `json`); `repeated` marks a list of `type`/`fields`.
    `inner_classes` are classes of data inside it that neither `data_class` nor `fields` tell of.
    """

    name: str
    type: DataType
    nullable: bool = True
    data_class: str = ""
    fields: tuple[Field, ...] = ()
    repeated: bool = False
    inner_classes: tuple[str, ...] = ()

    @property
    def classes(self) -> frozenset[str]:
        """Classes of all data in it: its own, and those of whatever it holds."""
        own = {self.data_class} if self.data_class else set()
        return frozenset(own.union(self.inner_classes, *(field.classes for field in self.fields)))


class Schema(Struct, frozen=True):
    """An ordered list of fields with the names of its key. An open schema may hold fields that it doesn't list."""

    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    open: bool = False

    def get(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((f for f in self.fields if f.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Field names in order."""
        return tuple(f.name for f in self.fields)
