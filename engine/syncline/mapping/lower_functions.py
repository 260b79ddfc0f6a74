"""The column form of each function in `functions.py`, by the same name. Arguments are checked before they come here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from syncline.mapping.types import category, element, listed, scalar
from syncline.model.schema import BOOLEAN, INTEGER, NUMBER, STRING, Field

Arg = tuple[pl.Expr, Field]
Lowered = tuple[pl.Expr, Field]
Lower = Callable[[Sequence[Arg], Sequence[Any]], Lowered]

_TEXT = scalar(STRING)
_NUMBER_TEXT = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?$"
_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6})?$"


def _abs(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    expr, found = args[0]
    if found.type == NUMBER:
        return expr.str.strip_prefix("-"), found
    return expr.abs(), found


def _contains(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    (subject, found), (search, _kind) = args
    if category(found) == "list":
        return subject.list.contains(search), scalar(BOOLEAN)
    return subject.str.contains(search, literal=True), scalar(BOOLEAN)


def _starts_with(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].str.starts_with(args[1][0]), scalar(BOOLEAN)


def _ends_with(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].str.ends_with(args[1][0]), scalar(BOOLEAN)


def _join(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    texts = args[1][0].list.drop_nulls()
    return pl.when(texts.list.len() > 0).then(texts.list.join(constants[0])), _TEXT


def _length(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    expr, found = args[0]
    count = expr.list.len() if category(found) == "list" else expr.str.len_chars()
    return count.cast(pl.Int64), scalar(INTEGER)


def _max(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].list.eval(pl.element().max()).list.first(), element(args[0][1])


def _min(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].list.eval(pl.element().min()).list.first(), element(args[0][1])


def _not_null(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return pl.coalesce([expr for expr, _kind in args]), args[0][1]


def _reverse(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].list.reverse(), args[0][1]


def _to_number(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    expr, found = args[0]
    if category(found) == "number":
        return (expr if found.type == NUMBER else expr.cast(pl.String)), scalar(NUMBER)
    canonical = (
        expr.str.strip_prefix("+")
        .str.replace(r"^(-?)0+([0-9])", "${1}${2}")
        .str.replace(r"^(-?)\.", "${1}0.")
        .str.replace(r"\.($|[eE])", "${1}")
    )
    json = expr.str.contains(_JSON_NUMBER)
    return pl.when(json).then(expr).when(expr.str.contains(_NUMBER_TEXT)).then(canonical), scalar(NUMBER)


def _concat(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return pl.concat_str([expr for expr, _kind in args]), _TEXT


def _lower(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].str.to_lowercase(), _TEXT


def _upper(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    return args[0][0].str.to_uppercase(), _TEXT


def _trim(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    characters = constants[1] if len(constants) > 1 else None
    return args[0][0].str.strip_chars(characters), _TEXT


def _replace(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    return args[0][0].str.replace_all(constants[1], constants[2], literal=True), _TEXT


def _split(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    return args[0][0].str.split(constants[1]), listed(_TEXT)


def _substring(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    length = constants[2] if len(constants) > 2 else None
    return args[0][0].str.slice(constants[1], length), _TEXT


def _pad_left(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    return args[0][0].str.pad_start(constants[1], constants[2]), _TEXT


def _pad_right(args: Sequence[Arg], constants: Sequence[Any]) -> Lowered:
    return args[0][0].str.pad_end(constants[1], constants[2]), _TEXT


def _empty_to_null(args: Sequence[Arg], _: Sequence[Any]) -> Lowered:
    expr = args[0][0]
    return pl.when(expr.str.strip_chars() != "").then(expr), _TEXT


BY_NAME: Mapping[str, Lower] = {
    "abs": _abs,
    "contains": _contains,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "join": _join,
    "length": _length,
    "max": _max,
    "min": _min,
    "not_null": _not_null,
    "coalesce": _not_null,
    "reverse": _reverse,
    "to_number": _to_number,
    "concat": _concat,
    "lower": _lower,
    "upper": _upper,
    "trim": _trim,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "pad_left": _pad_left,
    "pad_right": _pad_right,
    "empty_to_null": _empty_to_null,
}
