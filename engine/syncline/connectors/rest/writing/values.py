"""Rows of a frame as what is sent of them: JSON values that keep every digit, texts for templates, keys and digests.

Decimals are JSON numbers with all their digits, or texts where the stream's schema says string; times are ISO 8601
(RFC 3339 where they have a zone, in UTC with `Z`), binary is base64, and `json` columns stand as the JSON they are.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from syncline.kinds.record import Property, misfit
from syncline.kinds.rest_stream import RestStream
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.schema import Field, Schema
from syncline.sdk.destination import Refusal
from syncline.sdk.template import JsonText

if TYPE_CHECKING:
    import polars as pl

_ENCODER = msgspec.json.Encoder()


class Row(Struct, frozen=True):
    """A row on its way: `values` are JSON values (decimals as Decimal, json as Raw), `texts` what templates see.

    `key` is a digest of its key, `digest` one of all its values.
    """

    index: int
    key: str
    values: Mapping[str, Any]
    texts: Mapping[str, Any]
    digest: str


def encode(value: Any) -> bytes:
    """JSON of a value that may hold decimals, which become numbers with all their digits, and Raw."""
    return _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return msgspec.Raw(format(value, "f").encode())
        case dict():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value


class Columns(Struct, frozen=True):
    """The columns of a target as a stream takes them; rows that are all key have no key of their own."""

    schema: Schema
    convert: tuple[Callable[[Any], Any], ...]

    @classmethod
    def of(cls, schema: Schema, stream: str, declared: RestStream) -> Columns:
        """Compiles the columns; `Invalid` names every one that the stream doesn't have, or can't hold (SYN521)."""
        known = declared.record_schema.properties if declared.record_schema else None
        wrong = []
        for field in schema.fields:
            prop = known.get(field.name) if known is not None else None
            if known is not None and prop is None:
                wrong.append(f"stream {stream!r} has no field {field.name!r}")
            elif reason := misfit(field.type, prop):
                wrong.append(f"field {field.name!r} of stream {stream!r} {reason}")
        if wrong:
            help_ = "Change the mapping, or the stream's schema in the connector."
            findings = [Diagnostic("SYN521", message, help=help_) for message in wrong]
            raise Invalid(wrong[0], code="SYN521", help=help_, diagnostics=findings)
        return cls(schema, tuple(_converter(f, known.get(f.name) if known else None) for f in schema.fields))

    def rows(self, frame: pl.DataFrame, key: Sequence[str]) -> Iterator[Row]:
        """The rows of a frame; without a key, equal rows have one key."""
        names = self.schema.names
        for index, row in enumerate(frame.select(names).iter_rows()):
            values = {
                name: None if value is None else convert(value)
                for name, value, convert in zip(names, row, self.convert, strict=True)
            }
            digest = _digest(values)
            own = _digest({name: values[name] for name in key}) if key else digest
            yield Row(index, own, values, {name: _text(value) for name, value in values.items()}, digest)

    def refusals(self, frame: pl.DataFrame) -> list[Refusal]:
        """Values that JSON or ISO 8601 can't hold: NaN, infinity, years outside 1 to 9999."""
        import polars as pl

        found: list[Refusal] = []
        for field in self.schema.fields:
            column = pl.col(field.name)
            match field.type.name:
                case "float":
                    bad, why = ~column.is_finite(), "JSON has no NaN and no infinity"
                case "date" | "timestamp" | "datetime":
                    bad, why = ~column.dt.year().is_between(1, 9999), "a year outside 1 to 9999 can't be written"
                case _:
                    continue
            rows = frame.select(bad.fill_null(value=False).arg_true()).to_series()
            found += [Refusal(row, field.name, why) for row in rows]
        return sorted(found, key=lambda refusal: refusal.row)


def same(ours: Mapping[str, Any], theirs: Any) -> bool:
    """Whether a record that was read holds the values that we write; fields that only it has don't matter."""
    if not isinstance(theirs, dict):
        return False
    return all(_equal(_comparable(value), theirs.get(name)) for name, value in ours.items())


def _comparable(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        import json

        return json.loads(bytes(value), parse_float=Decimal)
    return value


def _equal(ours: Any, theirs: Any) -> bool:
    numbers = (int, float, Decimal)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, numbers) and isinstance(theirs, numbers):
        return Decimal(str(ours)) == Decimal(str(theirs))
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        return _instant(ours) is not None and _instant(ours) == _instant(theirs)
    return bool(ours == theirs)


def _instant(text: str) -> datetime | None:
    """An instant, so that `Z` and `+00:00`, and fractions that are zero, make no difference."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def key_digest(key: Mapping[str, Any]) -> str:
    """What a record of a key is remembered by; see `Row.key`."""
    return _digest(key)


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode(dict(values))).hexdigest()[:32]


def _converter(field: Field, prop: Property | None) -> Callable[[Any], Any]:
    as_text = prop is not None and prop.type == "string"
    match field.type.name:
        case "decimal":
            return (lambda value: format(value, "f")) if as_text else lambda value: value
        case "integer" | "int32":
            return str if as_text else lambda value: value
        case "timestamp":
            return _zoned
        case "date" | "time" | "datetime":
            return _iso
        case "binary":
            return lambda value: base64.b64encode(value).decode()
        case "json":
            return lambda value: msgspec.Raw(value.encode())
        case _:
            return lambda value: value


def _zoned(value: datetime) -> str:
    return value.isoformat().removesuffix("+00:00") + "Z"


def _iso(value: date | time | datetime) -> str:
    return value.isoformat()


def _text(value: Any) -> Any:
    match value:
        case Decimal():
            return format(value, "f")
        case msgspec.Raw():
            return JsonText(bytes(value).decode())
        case _:
            return value
