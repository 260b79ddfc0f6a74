"""What a cast means, one value at a time: exactly, or not at all.

This is the definition. `casts.py` does the same to whole columns and comes here for every value that its fast paths
don't prove; the property tests hold the two together, and both to Python's own Decimal and datetime arithmetic.

A value either has exactly one counterpart in the target type, or `Unfit` is raised: no rounding, no truncation, no
overflow to a neighbour, no guessed zone, no null. The one approximation is the one the target's name asks for: `float`
is the nearest IEEE 754 double of what was written, unless that would be infinite, or zero for something that isn't.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from syncline.mapping import formats
from syncline.mapping.types import NUMERIC, TEMPORAL
from syncline.model.schema import DataType

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
#: A number written with more characters than this is refused unread.
_LONGEST = 1000
#: Room for every digit of a product that `_LONGEST` admits: nothing is ever rounded.
_EXACT = Context(prec=2 * _LONGEST)
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the naive origin that naive arithmetic starts from
_MIN_SECOND, _MAX_SECOND = -62_135_596_800, 253_402_300_799

#: Units a second of the numeric time formats.
EPOCHS = {"epoch": 1, "epoch_ms": 1000}

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class _Digits(str):
    """The digits of a number inside JSON text, told apart from a text of the same digits."""

    __slots__ = ()


class Unfit(Exception):
    """A value that the target type can't hold as it is; the message says why, without the value."""


class Target(Struct, frozen=True):
    """What to cast to. `format` is `iso8601`, `epoch`, `epoch_ms` or strptime codes; `zone` an IANA name or empty."""

    type: DataType
    format: str = "iso8601"
    zone: str = ""


Cast = Callable[[Any], Any]


def refusal(source: str, target: Target) -> str:
    """Why values of a source type never become the target type; empty when they may."""
    name = target.type.name
    numeric_time = target.format in EPOCHS and name in {"timestamp", "datetime", "date"}
    match name:
        case _ if source in {"null", name} or (source == "int32" and name == "integer"):
            return ""
        case "json" if source != "binary":
            return ""
        case _ if source in {"list", "object"}:
            return "lists and objects have no single value"
        case "binary":
            return "only binary becomes binary"
        case "string" if source != "binary":
            return ""
        case _ if source in {"string", "json"}:
            return ""
        case "integer" | "int32" | "decimal" | "float" if source in NUMERIC:
            return ""
        case "boolean" if source in {"integer", "int32", "number"}:
            return ""
        case "timestamp" | "datetime" | "date" if source in NUMERIC and numeric_time:
            return ""
        case "timestamp" | "datetime" | "date" | "time" if source in NUMERIC:
            return "numbers are times only with format: epoch or epoch_ms"
        case "timestamp" if source == "datetime":
            return "" if target.zone else "a wall-clock time is an instant only in a zone"
        case "datetime" if source == "timestamp":
            return "" if target.zone else "an instant has a wall-clock time only in a zone"
        case _ if source in TEMPORAL and name in TEMPORAL:
            return "one holds what the other doesn't"
        case _:
            return "no value of the one is a value of the other"


@lru_cache(maxsize=512)
def caster(source: str, target: Target) -> Cast:
    """The function that casts non-null values of a source type; lists and objects are given as Python data."""
    name = target.type.name
    match name:
        case _ if source == name and name != "decimal":
            return lambda value: value
        case "json":
            # A `number` is its digits already, and those are JSON.
            return to_json if source != "number" else str
        case _:
            pass
    inner = _scalar_caster(source, target)
    match source:
        case "json":
            return lambda text: None if (value := _unwrap(text)) is None else inner(value)
        case "timestamp" if target.zone:
            return lambda value: inner(value.astimezone(_zone(target.zone)))
        case _:
            return inner


def _scalar_caster(source: str, target: Target) -> Cast:
    match target.type.name:
        case "string":
            return to_text
        case "integer":
            return lambda value: _integer(value, 64, source)
        case "int32":
            return lambda value: _integer(value, 32, source)
        case "decimal":
            return lambda value: _decimal(value, target.type)
        case "float":
            return _float
        case "boolean":
            return _boolean
        case "date" | "time" | "datetime" | "timestamp":
            return lambda value: _temporal(value, target)
        case _:
            return _refuse


def _refuse(_: Any) -> Any:
    raise Unfit("has no counterpart in this type")


def to_text(value: Any) -> str:
    """The one canonical text of a value: digits, `true`, ISO 8601, JSON of lists and objects."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case dt.datetime():
            text = value.replace(tzinfo=None).isoformat()
            return f"{text}Z" if value.tzinfo else text
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list() | dict():
            return to_json(value)
        case _:
            return str(value)


def to_json(value: Any) -> str:
    """JSON text with every digit of decimals; dates and times as ISO 8601 text."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{to_json(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(to_json, value)) + "]"
        case Decimal():
            return format(value, "f") if abs(value.adjusted()) < 64 else str(value)
        case float() if not math.isfinite(value):
            raise Unfit("JSON has no such number")
        case None | bool() | int() | float():
            return json.dumps(value)
        case _:
            return json.dumps(to_text(value), ensure_ascii=False)


def _unwrap(text: str) -> Any:
    try:
        value = json.loads(text, parse_float=_Digits, parse_int=_Digits)
    except ValueError:
        raise Unfit("is not JSON") from None
    if isinstance(value, list | dict):
        raise Unfit("is a list or an object, which has no single value")
    return value


def _number(value: Any) -> Decimal:
    match value:
        case bool():
            raise Unfit("is not a number")
        case int():
            return Decimal(value)
        case Decimal():
            return value
        case float():
            if not math.isfinite(value):
                raise Unfit("is not a finite number")
            return Decimal(repr(value))
        case str() if len(value) <= _LONGEST and _NUMBER.fullmatch(value):
            return Decimal(value)
        case str() if len(value) > _LONGEST:
            raise Unfit(f"is longer than {_LONGEST} characters")
        case _:
            raise Unfit("is not a number")


def _integer(value: Any, bits: int, source: str) -> int:
    if isinstance(value, str) and source != "number" and not isinstance(value, _Digits):
        if not _INTEGER.fullmatch(value):
            raise Unfit("is not an integer")
        number = int(value)
    else:
        decimal = _number(value)
        if decimal and decimal.adjusted() > 40:
            raise Unfit(f"does not fit into {bits} bits")
        if decimal != decimal.to_integral_value():
            raise Unfit("has a fraction, which an integer would lose")
        number = int(decimal)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise Unfit(f"does not fit into {bits} bits")
    return number


def _decimal(value: Any, data_type: DataType) -> Decimal:
    number = _number(value)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    bare = text.rstrip("0")
    exponent += len(text) - len(bare)
    if not bare:
        return Decimal(0).scaleb(-data_type.scale) if data_type.scale else Decimal(0)
    if -exponent > data_type.scale:
        raise Unfit(f"has {-exponent} fraction digits, and {data_type} holds {data_type.scale}")
    whole = len(bare) + exponent
    if whole > data_type.precision - data_type.scale:
        raise Unfit(
            f"has {whole} digits before the point, and {data_type} holds {data_type.precision - data_type.scale}"
        )
    shifted = int(bare) * 10 ** (exponent + data_type.scale)
    return Decimal((sign, tuple(map(int, str(shifted))), -data_type.scale))


def _float(value: Any) -> float:
    number = _number(value)
    found = float(number)
    if math.isinf(found):
        raise Unfit("is beyond the largest 64-bit float")
    if found == 0 and number != 0:
        raise Unfit("is below the smallest 64-bit float")
    if isinstance(value, int) and int(found) != value:
        raise Unfit("has more digits than a 64-bit float holds")
    return found


def _boolean(value: Any) -> bool:
    found = _BOOLEANS.get(to_text(value))
    if found is None:
        raise Unfit("is not true, false, 1 or 0")
    return found


def _temporal(value: Any, target: Target) -> Any:
    name = target.type.name
    match value:
        case bool():
            raise Unfit("is not a time")
        case str() if target.format not in EPOCHS:
            return _written(value, target)
        case str() | int() | float() | Decimal():
            return _shape(_from_epoch(_number(value), EPOCHS[target.format]), name, target)
        case dt.datetime() if name == "timestamp" and value.tzinfo is None:
            return instant(value, target.zone)
        case _:
            return _shape(value, name, target)


def _shape(value: dt.datetime, name: str, target: Target) -> Any:
    """A wall-clock or UTC time as the target's type; `date` only where nothing is lost."""
    if name == "timestamp":
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if name == "datetime":
        return value.replace(tzinfo=None)
    if name == "time":
        return value.time()
    if target.format in EPOCHS and value.time() != dt.time():
        raise Unfit("has a time of day, which a date would lose")
    return value.date()


def _from_epoch(number: Decimal, units: int) -> dt.datetime:
    if not _MIN_SECOND * units <= number < (_MAX_SECOND + 1) * units:
        raise Unfit("is outside of the years 1 to 9999")
    micros = _EXACT.multiply(number, Decimal(1_000_000 // units))
    if micros != micros.to_integral_value():
        raise Unfit("has digits below the microsecond, which would be lost")
    return _EPOCH + dt.timedelta(microseconds=int(micros))


def _written(text: str, target: Target) -> Any:
    name = target.type.name
    if target.format == "iso8601":
        pattern = formats.ISO["datetime" if name == "timestamp" else name]
    else:
        pattern = formats.compile_format(target.format).pattern
    parts = formats.read(pattern, text)
    if isinstance(parts, str):
        wanted = "ISO 8601" if target.format == "iso8601" else target.format
        raise Unfit(parts if parts != formats.OTHERWISE else f"is not a {name} written as {wanted}")
    if name == "date":
        return parts.date
    if name == "time":
        return parts.time
    assert parts.date is not None
    wall = dt.datetime.combine(parts.date, parts.time or dt.time())
    if name == "datetime":
        if parts.offset is not None:
            raise Unfit("has an offset, which a datetime without zone would lose")
        return wall
    if parts.offset is not None:
        try:
            return wall.replace(tzinfo=parts.offset).astimezone(dt.UTC)
        except OverflowError:
            raise Unfit("is outside of the years 1 to 9999") from None
    if not target.zone:
        raise Unfit("has no offset from UTC, and no zone is declared")
    return instant(wall, target.zone)


def instant(wall: dt.datetime, zone: str) -> dt.datetime:
    """The one instant at which the clocks of a zone show a time; Unfit where they never do, or do twice."""
    there = wall.replace(tzinfo=_zone(zone))
    try:
        first = there.replace(fold=0).astimezone(dt.UTC)
        second = there.replace(fold=1).astimezone(dt.UTC)
        back = first.astimezone(_zone(zone)).replace(tzinfo=None)
    except OverflowError:
        raise Unfit("is outside of the years 1 to 9999") from None
    if back != wall:
        raise Unfit(f"never happened in {zone}: the clocks were set forward past it")
    if first != second:
        raise Unfit(f"happened twice in {zone}: the clocks were set back over it")
    return first


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
