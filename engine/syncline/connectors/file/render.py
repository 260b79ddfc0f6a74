"""Frames as bytes of a file format, exactly.

Parquet keeps types. The text formats write times in ISO 8601 with microseconds (timestamps in UTC, with `Z`), binary as
base64, and numbers with their digits: in JSON Lines a decimal is a JSON number with all of them, which readers that
parse numbers as doubles will round; `json` values stand as the JSON they are. CSV writes null as nothing and empty text
as `""`, and by default puts an apostrophe before text that a spreadsheet would run as a formula.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby

import polars as pl

from syncline.model.schema import Field, Schema
from syncline.sdk.destination import Refusal

FORMATS = ("parquet", "jsonl", "csv")
#: What makes a cell a formula when it comes first: the operators, their full-width forms, and white space before them.
FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001 - they are meant


def render(frame: pl.DataFrame, schema: Schema, form: str, *, neutralise: bool) -> bytes:
    """The bytes of a part."""
    match form:
        case "parquet":
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="zstd", statistics=True)
            return buffer.getvalue()
        case "jsonl":
            return _jsonl(frame, schema)
        case _:
            return _csv(frame, schema, neutralise=neutralise)


def refusals(frame: pl.DataFrame, schema: Schema, form: str) -> list[Refusal]:
    """Values that the format can't hold: JSON has no NaN and no infinity."""
    if form != "jsonl":
        return []
    found = []
    for name in (f.name for f in schema.fields if f.type.name == "float"):
        rows = frame.select((~pl.col(name).is_finite()).fill_null(value=False).arg_true()).to_series()
        found += [Refusal(row, name, f"JSON has no {frame[name][row]}") for row in rows]
    return sorted(found, key=lambda refusal: refusal.row)


def _text(field: Field) -> pl.Expr:
    """A column as the text formats have it, where polars' own text isn't exact or isn't the standard's."""
    column = pl.col(field.name)
    match field.type.name:
        case "timestamp":
            return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
        case "datetime":
            return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
        case "time":
            return column.dt.to_string("%H:%M:%S%.6f")
        case "date":
            return column.dt.to_string("%Y-%m-%d")
        case "binary":
            return column.bin.encode("base64")
        case "decimal":
            return column.cast(pl.String)
        case _:
            return column


def _csv(frame: pl.DataFrame, schema: Schema, *, neutralise: bool) -> bytes:
    cells = []
    for field in schema.fields:
        cell = _text(field)
        # JSON can't be a formula: what begins with a sign is a number in it.
        if neutralise and field.type.name == "string":
            cell = pl.when(cell.str.contains(FORMULA)).then("'" + cell).otherwise(cell)
        cells.append(cell.alias(field.name))
    return frame.select(cells).write_csv(quote_style="necessary").encode()


def _jsonl(frame: pl.DataFrame, schema: Schema) -> bytes:
    pieces: list[pl.Expr] = []
    for exact, fields in groupby(schema.fields, key=lambda f: f.type.name in {"decimal", "json"}):
        run = list(fields)
        pieces += [_raw(field) for field in run] if exact else [_encoded(run)]
    lines = frame.select(pl.concat_str([pl.lit("{"), *_joined(pieces), pl.lit("}\n")]).alias("line"))
    return "".join(lines["line"]).encode()


def _encoded(fields: Sequence[Field]) -> pl.Expr:
    """Fields whose JSON polars writes exactly, without the braces around them."""
    return pl.struct([_text(f).alias(f.name) for f in fields]).struct.json_encode().str.head(-1).str.slice(1)


def _raw(field: Field) -> pl.Expr:
    """A field whose text is its JSON. Line ends can only stand between tokens there, and a record is one line."""
    import msgspec

    text = _text(field)
    if field.type.name == "json":
        text = text.str.replace_all(r"[\r\n]", " ")
    return pl.concat_str(pl.lit(msgspec.json.encode(field.name).decode() + ":"), text.fill_null("null"))


def _joined(pieces: Sequence[pl.Expr]) -> list[pl.Expr]:
    joined = [pieces[0]]
    for piece in pieces[1:]:
        joined += [pl.lit(","), piece]
    return joined
