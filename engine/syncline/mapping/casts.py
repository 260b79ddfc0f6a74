"""Casts of whole columns. Every fast path is sound (what it gives is what `exact.py` gives) but not complete.

What a fast path leaves null, though there was a value, goes to the next one, and in the end value by value through
`exact.py`, which either knows a way (an exponent, an unusual offset) or names the reason of a reject. So the common
spelling of data runs at the speed of columns, and everything else is still exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl
from msgspec import Struct

from syncline.mapping import exact, formats
from syncline.mapping.exact import Cast as Exact
from syncline.mapping.exact import Target, Unfit
from syncline.mapping.jsontext import json_text
from syncline.mapping.lower import Column, as_text
from syncline.mapping.types import NUMERIC, category
from syncline.model.schema import DataType, Field
from syncline.sdk.frame import target_dtype

Fast = Callable[[pl.Expr], pl.Expr]

#: Between these the zone tables of the column library and of Python's zoneinfo say the same.
_ZONES_AGREE = (1970, 2037)
_UTC = pl.Datetime("us", "UTC")
_SECONDS = (-62_135_596_800, 253_402_300_799)


class Cast(Struct, frozen=True):
    """A cast of a column: `tiers` in turn, each on what the one before left null, then `exact`, where there is one."""

    dtype: pl.DataType
    tiers: tuple[Fast, ...]
    exact: Exact | None = None


class Misfit(Struct, frozen=True):
    """A row whose value could not be cast, and why."""

    row: int
    message: str


def cast_of(of: Field, target: Target) -> Cast:
    """The cast from a source type to a target. Pairs that `exact.refusal` refuses never come here."""
    kind = category(of) if category(of) in {"list", "object"} else of.type.name
    name = target.type.name
    dtype = target_dtype(target.type)
    if kind == "null":
        return Cast(dtype, (lambda expr: expr.cast(dtype),))
    if kind == name != "decimal":
        return Cast(dtype, (lambda expr: expr,))
    caster = exact.caster(kind, target)
    if name == "json" and kind == "float":
        return Cast(dtype, (lambda expr: pl.when(expr.is_finite()).then(json_text(expr, of)),), caster)
    if name == "json":
        return Cast(dtype, (lambda expr: json_text(expr, of),))
    if name == "string" and kind != "json":
        return Cast(dtype, (lambda expr: as_text(Column(expr, of)),))
    if kind == "json":
        text = _text_tiers(target)
        return Cast(dtype, tuple(_composed(_unwrapped, tier) for tier in text), caster)
    if kind in {"string", "number"}:
        return Cast(dtype, _text_tiers(target), caster)
    return Cast(dtype, _typed_tiers(kind, target), caster)


def finish(before: pl.Series, after: pl.Series, cast: Cast) -> tuple[pl.Series, list[Misfit]]:
    """Completes a column whose first tier has run: the column as cast, and the rows that don't fit."""
    if after.null_count() == before.null_count() or cast.exact is None:
        return after, []
    left = (before.is_not_null() & after.is_null()).arg_true()
    for tier in cast.tiers[1:]:
        subset = before.gather(left)
        found = subset.to_frame("v").select(tier(pl.col("v")).cast(cast.dtype))["v"]
        if found.null_count() < found.len():
            after = _patched(after, left, found)
            left = left.filter(found.is_null())
        if left.is_empty():
            return after, []
    values, misfits = _one_by_one(before.gather(left).to_list(), left.to_list(), cast.exact)
    if any(value is not None for value in values):
        after = _patched(after, left, pl.Series("v", values, dtype=cast.dtype))
    return after, misfits


def _one_by_one(values: list[Any], rows: list[int], cast: Exact) -> tuple[list[Any], list[Misfit]]:
    known: dict[Any, Any] = {}
    results: list[Any] = []
    misfits: list[Misfit] = []
    for row, value in zip(rows, values, strict=True):
        key = (type(value), str(value))
        if key not in known:
            try:
                known[key] = cast(value)
            except Unfit as unfit:
                known[key] = unfit
        found = known[key]
        if isinstance(found, Unfit):
            misfits.append(Misfit(row, str(found)))
            found = None
        results.append(found)
    return results, misfits


def _patched(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """The column with its nulls at these rows replaced."""
    positions = pl.Series([None], dtype=pl.UInt32).new_from_index(0, column.len())
    positions = positions.scatter(rows, pl.Series(range(values.len()), dtype=pl.UInt32))
    frame = pl.DataFrame({"old": column, "new": values.gather(positions)})
    return frame.select(pl.coalesce("old", "new").alias(column.name)).to_series()


def _composed(first: Fast, second: Fast) -> Fast:
    return lambda expr: second(first(expr))


def _unwrapped(expr: pl.Expr) -> pl.Expr:
    """The scalar inside JSON text, where that needs no parser: text without escapes, integers, true and false."""
    plain = expr.str.contains(r'^"[^"\\]*"$')
    bare = expr.str.contains(r"^(?:-?[0-9]+(?:\.[0-9]+)?|true|false)$")
    return pl.when(plain).then(expr.str.slice(1, expr.str.len_chars() - 2)).when(bare).then(expr)


def _guarded(pattern: str, cast: Fast) -> Fast:
    return lambda expr: pl.when(expr.str.contains(pattern)).then(cast(expr))


def _text_tiers(target: Target) -> tuple[Fast, ...]:
    dtype = target_dtype(target.type)
    match target.type.name:
        case "string":
            return (lambda expr: expr,)
        case "integer" | "int32":
            return (lambda expr: expr.cast(dtype, strict=False),)
        case "decimal":
            return (_text_to_decimal(target.type),)
        case "float":
            return (_text_to_float,)
        case "boolean":
            return (_text_to_boolean,)
        case "date" | "time" | "datetime" | "timestamp" if target.format in exact.EPOCHS:
            return (lambda expr: _epoch(expr.cast(pl.Int64, strict=False), target),)
        case "date" | "time" | "datetime" | "timestamp":
            return _written_tiers(target)
        case _:
            return (lambda expr: expr.cast(dtype, strict=False),)


def _text_to_decimal(data_type: DataType) -> Fast:
    whole = data_type.precision - data_type.scale
    digits = f"[0-9]{{1,{whole}}}" if whole else "0"
    fraction = rf"(?:\.[0-9]{{1,{data_type.scale}}})?" if data_type.scale else ""
    return _guarded(f"^[+-]?{digits}{fraction}$", lambda expr: expr.cast(target_dtype(data_type), strict=False))


def _text_to_float(expr: pl.Expr) -> pl.Expr:
    number = expr.cast(pl.Float64, strict=False)
    zero = expr.str.contains(r"^[+-]?0+(?:\.0*)?$")
    return pl.when(number.is_finite() & ((number != 0) | zero)).then(number)


def _text_to_boolean(expr: pl.Expr) -> pl.Expr:
    return pl.when((expr == "true") | (expr == "1")).then(pl.lit(value=True)).when(
        (expr == "false") | (expr == "0")
    ).then(pl.lit(value=False))  # fmt: skip


def _written_tiers(target: Target) -> tuple[Fast, ...]:
    name, iso = target.type.name, target.format == "iso8601"
    text = {
        "date": "%Y-%m-%d",
        "time": "%H:%M:%S",
        "datetime": "%Y-%m-%dT%H:%M:%S",
        "timestamp": "%Y-%m-%dT%H:%M:%S",
    }[name] if iso else target.format  # fmt: skip
    compiled = formats.compile_format(text)
    if iso:
        return _iso_tiers(target, compiled.fast[0])
    return tuple(_written_tier(target, compiled, *fast) for fast in compiled.fast) or (_nothing(target),)


def _written_tier(target: Target, compiled: formats.Format, guard: str, written: str) -> Fast:
    match target.type.name:
        case "date":
            return _guarded(guard, lambda expr: expr.str.to_date(written, strict=False))
        case "time":
            return _guarded(guard, lambda expr: expr.str.to_time(written, strict=False))
        case "timestamp" if "z" in compiled.codes:
            return _guarded(guard, lambda expr: expr.str.to_datetime(written, time_unit="us", strict=False))
        case _:
            wall = _guarded(guard, lambda expr: _wall(expr, written, timed=formats.has_time(compiled.codes)))
            return _composed(wall, partial(_in_zone, zone=target.zone)) if target.zone else wall


def _iso_tiers(target: Target, fast: tuple[str, str]) -> tuple[Fast, ...]:
    guard, written = fast
    bare = guard.removesuffix("$")
    plain = _written_tier(target, formats.compile_format(written), guard, written)
    if target.type.name != "timestamp":
        return (plain,)
    with_z = _guarded(
        bare + "Z$",
        lambda expr: expr.str.to_datetime(written + "Z", time_unit="us", strict=False).dt.replace_time_zone("UTC"),
    )
    fraction_and_offset = _guarded(
        bare + r"(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])$",
        lambda expr: expr.str.to_datetime(written + "%.f%#z", time_unit="us", strict=False),
    )
    return (with_z, fraction_and_offset, plain) if target.zone else (with_z, fraction_and_offset)


def _wall(expr: pl.Expr, written: str, *, timed: bool) -> pl.Expr:
    if timed:
        return expr.str.to_datetime(written, time_unit="us", strict=False)
    return expr.str.to_date(written, strict=False).cast(pl.Datetime("us"))


def _in_zone(wall: pl.Expr, zone: str) -> pl.Expr:
    there = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return pl.when(wall.dt.year().is_between(*_ZONES_AGREE)).then(there.dt.convert_time_zone("UTC"))


def _epoch(number: pl.Expr, target: Target) -> pl.Expr:
    units = exact.EPOCHS[target.format]
    inside = number.is_between(_SECONDS[0] * units, _SECONDS[1] * units)
    micros = pl.when(inside).then(number) * (1_000_000 // units)
    match target.type.name:
        case "timestamp":
            return micros.cast(_UTC)
        case "datetime":
            return micros.cast(pl.Datetime("us"))
        case _:
            return pl.when(micros % 86_400_000_000 == 0).then(micros.cast(pl.Datetime("us")).cast(pl.Date))


def _nothing(target: Target) -> Fast:
    """The tier that proves no value, and leaves all to the next."""
    return lambda expr: pl.when(expr.is_null()).then(pl.lit(None, target_dtype(target.type)))


def _typed_tiers(kind: str, target: Target) -> tuple[Fast, ...]:
    """Tiers from columns that hold numbers or times."""
    name = target.type.name
    dtype = target_dtype(target.type)
    nothing = _nothing(target)
    if kind in NUMERIC and target.format in exact.EPOCHS and name in {"date", "datetime", "timestamp"}:
        return (lambda expr: _epoch(expr, target),) if kind in {"integer", "int32"} else (nothing,)
    match kind, name:
        case "integer" | "int32", "integer" | "int32":
            return (lambda expr: expr.cast(dtype, strict=False),)
        case "integer" | "int32", "float":
            return (lambda expr: pl.when(expr.is_between(-(2**53), 2**53)).then(expr.cast(pl.Float64)),)
        case "integer" | "int32", "boolean":
            return (lambda expr: pl.when(expr == 1).then(pl.lit(value=True)).when(expr == 0).then(pl.lit(value=False)),)
        case "float", "integer" | "int32":
            whole: Fast = lambda expr: pl.when((expr == expr.floor()) & expr.is_between(-(2**53), 2**53)).then(expr)  # noqa: E731 - likewise
            return (lambda expr: whole(expr).cast(dtype, strict=False),)
        case "integer" | "int32" | "decimal" | "float", "decimal" | "float" | "integer" | "int32":
            return tuple(_composed(lambda expr: expr.cast(pl.String), tier) for tier in _text_tiers(target))
        case "datetime", "timestamp":
            return (partial(_in_zone, zone=target.zone),)
        case "timestamp", "datetime":
            return (lambda expr: _local(expr, target.zone),)
        case _:
            return (nothing,)


def _local(expr: pl.Expr, zone: str) -> pl.Expr:
    there = expr.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return pl.when(expr.dt.year().is_between(*_ZONES_AGREE)).then(there)
