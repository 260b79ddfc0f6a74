"""Source values as JSON text, with the exact digits of every number: nested columns, and whole records of rejects."""

from __future__ import annotations

import json

import polars as pl
from polars import selectors as cs

from syncline.model.schema import Field, Schema

#: Types that the column library's own encoder writes as we do, which is faster for records of nothing else.
_ENCODED_ALIKE = frozenset({"string", "integer", "int32", "boolean"})


def named_column(name: str) -> pl.Expr:
    """The column of exactly that name: `pl.col` takes `*` and `^…$` for patterns, and headers may hold both."""
    return cs.by_name(name).as_expr() if name.startswith(("*", "^")) else pl.col(name)


def json_text(expr: pl.Expr, of: Field) -> pl.Expr:
    """The JSON of a column's values; null stays null. `number` and `json` fields are JSON already."""
    if of.repeated:
        element = Field(of.name, of.type, fields=of.fields)
        inner = json_text(pl.element(), element).fill_null("null")
        return pl.when(expr.is_not_null()).then(
            pl.concat_str([pl.lit("["), expr.list.eval(inner).list.join(","), pl.lit("]")])
        )
    if of.fields:
        return pl.when(expr.is_not_null()).then(_object([(f, expr.struct.field(f.name)) for f in of.fields]))
    match of.type.name:
        case "number" | "json":
            return expr
        case "integer" | "int32" | "decimal":
            return expr.cast(pl.String)
        case "boolean":
            return pl.when(expr).then(pl.lit("true")).when(~expr).then(pl.lit("false"))
        case "string":
            return _quoted(expr)
        case "float":
            # JSON has no NaN and no infinity; null in their place would be a silent change.
            odd = pl.lit('"') + expr.cast(pl.String) + pl.lit('"')
            return pl.when(expr.is_finite()).then(_encoded(expr)).when(expr.is_not_null()).then(odd)
        case "timestamp":
            return pl.lit('"') + expr.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ") + pl.lit('"')
        case "datetime":
            return pl.lit('"') + expr.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f") + pl.lit('"')
        case "time":
            return pl.lit('"') + expr.dt.to_string("%H:%M:%S%.6f") + pl.lit('"')
        case "binary":
            return pl.lit('"') + expr.bin.encode("hex") + pl.lit('"')
        case _:
            return pl.lit('"') + expr.cast(pl.String) + pl.lit('"')


def record_json(frame: pl.DataFrame, rows: pl.Series | list[int], schema: Schema) -> list[str]:
    """The source records at these rows, each as one JSON object with all columns of the schema."""
    chosen = frame[rows]
    if chosen.is_empty():
        return []
    columns: list[tuple[Field, pl.Expr]] = [
        (f, named_column(f.name)) for f in schema.fields if f.name in chosen.columns
    ]
    if all(f.type.name in _ENCODED_ALIKE and not f.fields and not f.repeated for f, _ in columns):
        record = pl.struct([expr for _, expr in columns]).struct.json_encode()
    else:
        record = _object(columns)
    return chosen.select(record.alias("record"))["record"].to_list()


def _object(fields: list[tuple[Field, pl.Expr]]) -> pl.Expr:
    parts: list[pl.Expr] = []
    for index, (field, expr) in enumerate(fields):
        parts += [pl.lit(("," if index else "{") + json.dumps(field.name, ensure_ascii=False) + ":")]
        parts += [json_text(expr, field).fill_null("null")]
    return pl.concat_str([*parts, pl.lit("}")]) if parts else pl.lit("{}")


def _quoted(expr: pl.Expr) -> pl.Expr:
    """Text as a JSON string: only what needs escaping takes the slower way."""
    special = expr.str.contains(r'["\\\x00-\x1f]')
    return pl.when(special).then(_encoded(expr)).otherwise(pl.lit('"') + expr + pl.lit('"'))


def _encoded(expr: pl.Expr) -> pl.Expr:
    encoded = pl.struct(expr.alias("v")).struct.json_encode()
    return pl.when(expr.is_not_null()).then(encoded.str.slice(5, encoded.str.len_chars() - 6))
