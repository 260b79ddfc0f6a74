"""Expressions as column expressions: the lowering of `expression.py` to polars.

Types are resolved first (`types.py`), so that everything here is known to have a meaning. Semantics are JMESPath's,
with one addition: a number that can't be computed with exactly is a *fault*, collected beside the value, and makes the
record a reject.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, assert_never

import polars as pl
from msgspec import Struct

from syncline.mapping import lower_functions
from syncline.mapping.expression import (
    And,
    Call,
    Compare,
    Current,
    Each,
    Expression,
    Filter,
    Get,
    Index,
    Items,
    Literal,
    Not,
    Or,
    Slice,
    Text,
)
from syncline.mapping.jsontext import json_text, named_column
from syncline.mapping.types import category, common, element, listed, literal_type, record, scalar
from syncline.model.errors import Bug
from syncline.model.schema import BOOLEAN, INTEGER, NUMBER, STRING, DataType, Field, Schema
from syncline.sdk.frame import source_dtype

#: What exact arithmetic and comparison happen in: 26 digits before the point and 12 after.
ARITHMETIC = DataType("decimal", 38, 12)
_ARITHMETIC = pl.Decimal(38, 12)
_FITS = r"^[+-]?[0-9]{1,25}(?:\.[0-9]{1,12}0*)?$"


class Column(Struct, frozen=True):
    """A lowered expression: the column, and the type of its values (held as `source_dtype` says)."""

    expr: pl.Expr
    type: Field


class Lowering(Struct):
    """Lowers the expressions of one mapping. `faults` are conditions under which the last one has no exact value."""

    source: Schema
    faults: list[pl.Expr] = []

    def value(self, expression: Expression) -> Column:
        """The column of an expression's values."""
        return self._value(expression, None)

    def truth(self, expression: Expression) -> pl.Expr:
        """Whether an expression is true in JMESPath's sense; never null."""
        return self._truth(expression, None)

    def _value(self, expression: Expression, current: Column | None) -> Column:
        match expression:
            case Current():
                return current or self._record()
            case Get(of=Current(), name=name) if current is None:
                found = self.source.get(name)
                if found is None:
                    raise Bug(f"the source has no field {name}")
                return Column(named_column(name), found)
            case Get(of=of, name=name):
                base = self._value(of, current)
                inner = next(f for f in base.type.fields if f.name == name)
                return Column(base.expr.struct.field(name), inner)
            case Index(of=of, index=index):
                base = self._value(of, current)
                return Column(base.expr.list.get(index, null_on_oob=True), element(base.type))
            case Slice():
                return self._slice(expression, current)
            case Literal(value=value):
                return literal(value)
            case Compare():
                return Column(self._compare(expression, current), scalar(BOOLEAN))
            case Not():
                return Column(self._truth(expression, current), scalar(BOOLEAN))
            case And(left=left, right=right, at=at):
                one, other = self._common([self._value(left, current), self._value(right, current)], at)
                return Column(pl.when(truthy(one)).then(other.expr).otherwise(one.expr), one.type)
            case Or(left=left, right=right, at=at):
                one, other = self._common([self._value(left, current), self._value(right, current)], at)
                return Column(pl.when(truthy(one)).then(one.expr).otherwise(other.expr), one.type)
            case Each(of=of, body=body):
                base = self._value(of, current)
                if isinstance(body, Current):
                    return Column(base.expr.list.drop_nulls(), base.type)
                each = self._inside(base, body)
                return Column(base.expr.list.eval(each.expr).list.drop_nulls(), listed(each.type))
            case Filter(of=of, condition=condition):
                base = self._value(of, current)
                kept = self._condition_inside(base, condition)
                return Column(base.expr.list.eval(pl.element().filter(kept)), base.type)
            case Items(items=items, at=at):
                parts = self._common([self._value(item, current) for item in items], at)
                return Column(pl.concat_list([p.expr for p in parts]), listed(parts[0].type))
            case Call(name="join", args=(Literal(value=glue), Items(items=items))):
                # Named fields joined: no list has to be built for each record.
                exprs = [conformed(self._value(item, current), scalar(STRING)).expr for item in items]
                texts = pl.concat_str(exprs, separator=glue, ignore_nulls=True)
                return Column(pl.when(pl.any_horizontal(e.is_not_null() for e in exprs)).then(texts), scalar(STRING))
            case Call(name=name, args=args, at=at):
                columns = [self._value(arg, current) for arg in args]
                if name in {"not_null", "coalesce"}:
                    columns = self._common(columns, at)
                return self._called(name, args, columns)
            case Text(parts=parts):
                return Column(pl.concat_str([as_text(self._value(p, current)) for p in parts]), scalar(STRING))
            case _:
                assert_never(expression)

    def _record(self) -> Column:
        return Column(pl.struct([named_column(name) for name in self.source.names]), record(self.source))

    def _slice(self, expression: Slice, current: Column | None) -> Column:
        base = self._value(expression.of, current)
        length = base.expr.list.len().cast(pl.Int64)

        def bound(at: int | None, otherwise: pl.Expr) -> pl.Expr:
            if at is None:
                return otherwise
            return pl.lit(at, pl.Int64) if at >= 0 else (length + at).clip(lower_bound=0)

        start = bound(expression.start, pl.lit(0, pl.Int64))
        count = (bound(expression.stop, length) - start).clip(lower_bound=0)
        return Column(base.expr.list.slice(start, count), base.type)

    def _inside(self, base: Column, body: Expression) -> Column:
        """A body lowered over the elements of a list; its faults become faults of the list."""
        outer, self.faults = self.faults, []
        inner = self._value(body, Column(pl.element(), element(base.type)))
        self._lift(base, outer)
        return inner

    def _condition_inside(self, base: Column, condition: Expression) -> pl.Expr:
        outer, self.faults = self.faults, []
        kept = self._truth(condition, Column(pl.element(), element(base.type)))
        self._lift(base, outer)
        return kept

    def _lift(self, base: Column, outer: list[pl.Expr]) -> None:
        lifted = [base.expr.list.eval(fault).list.any().fill_null(value=False) for fault in self.faults]
        self.faults = outer + lifted

    def _called(self, name: str, args: tuple[Expression, ...], columns: list[Column]) -> Column:
        constants = [arg.value if isinstance(arg, Literal) else None for arg in args]
        first = columns[0]
        match name:
            case "to_string":
                return Column(as_text(first), scalar(STRING))
            case "ceil" | "floor":
                if first.type.type.name in {"integer", "int32"}:
                    return first
                exact = self.exact(first)
                rounded = exact.ceil() if name == "ceil" else exact.floor()
                return Column(rounded.cast(pl.Int64, strict=False), scalar(INTEGER))
            case "sum":
                inner = self._inside(first, Call("to_number", (Current(),)))
                exact = as_exact(inner).fill_null(Decimal(0))
                outer, self.faults = self.faults, []
                self.exact(inner)
                self._lift(first, outer)
                total = first.expr.list.eval(exact).list.sum()
                return Column(plain(total), scalar(NUMBER))
            case "max" | "min" if category(element(first.type)) == "number" and element(first.type).type == NUMBER:
                inner = Column(pl.element(), element(first.type))
                outer, self.faults = self.faults, []
                exact = self.exact(inner)
                self._lift(first, outer)
                values = first.expr.list.eval(exact)
                return Column(plain(values.list.max() if name == "max" else values.list.min()), scalar(NUMBER))
            case "contains" if category(first.type) == "list" and element(first.type).type != columns[1].type.type:
                inner = Column(pl.element(), element(first.type))
                wanted = as_exact(columns[1])
                return Column(first.expr.list.eval(self.exact(inner)).list.contains(wanted), scalar(BOOLEAN))
            case _:
                expr, found = lower_functions.BY_NAME[name]([(c.expr, c.type) for c in columns], constants)
                return Column(expr, found)

    def _truth(self, expression: Expression, current: Column | None) -> pl.Expr:
        match expression:
            case And(left=left, right=right):
                return self._truth(left, current) & self._truth(right, current)
            case Or(left=left, right=right):
                return self._truth(left, current) | self._truth(right, current)
            case Not(of=of):
                return ~self._truth(of, current)
            case _:
                return truthy(self._value(expression, current))

    def _compare(self, compare: Compare, current: Column | None) -> pl.Expr:
        left, right = self._value(compare.left, current), self._value(compare.right, current)
        kinds = {category(left.type), category(right.type)} - {"null"}
        if kinds == {"number"}:
            one, other = self._comparable(left, right)
        else:
            one, other = left.expr, right.expr
        match compare.operator:
            case "eq":
                return one.eq_missing(other)
            case "ne":
                return one.ne_missing(other)
            case "lt":
                return one < other
            case "lte":
                return one <= other
            case "gt":
                return one > other
            case _:
                return one >= other

    def _comparable(self, left: Column, right: Column) -> tuple[pl.Expr, pl.Expr]:
        names = {left.type.type.name, right.type.type.name} - {"null"}
        if names <= {"integer", "int32"}:
            return left.expr, right.expr
        if "float" in names:
            return as_float(left), as_float(right)
        return self.exact(left), self.exact(right)

    def exact(self, column: Column) -> pl.Expr:
        """A number as an exact decimal; a fault where that can't hold it."""
        expr = as_exact(column)
        if column.type.type.name not in {"integer", "int32", "null"}:
            self.faults.append(expr.is_null() & column.expr.is_not_null())
        return expr

    def _common(self, columns: list[Column], at: int) -> list[Column]:
        wanted = common([c.type for c in columns], at)
        assert wanted is not None
        return [conformed(c, wanted) for c in columns]


def literal(value: Any) -> Column:
    """A literal as a column of one value."""
    found = literal_type(value)
    match value:
        case Decimal():
            return Column(pl.lit(format(value, "f")), found)
        case int() if found.type == NUMBER:
            return Column(pl.lit(str(value)), found)
        case list():
            texts = [str(v) if found.type == NUMBER and v is not None else v for v in value]
            return Column(pl.lit(pl.Series([texts], dtype=_held(found))).first(), found)
        case None:
            return Column(pl.lit(None), found)
        case _:
            return Column(pl.lit(value, dtype=_held(found)), found)


def _held(of: Field) -> pl.DataType:
    if of.type.name == "null":
        return pl.Null()
    return source_dtype(of)


def conformed(column: Column, wanted: Field) -> Column:
    """The same values, held as a common type wants them."""
    if column.type.type == wanted.type or column.type.fields:
        return column
    if column.type.type.name == "null":
        return Column(column.expr.cast(_held(wanted)), wanted)
    if wanted.type == NUMBER:
        inner = scalar(column.type.type)
        if column.type.repeated:
            texts = column.expr.list.eval(as_text(Column(pl.element(), inner)))
            return Column(texts, wanted)
        return Column(as_text(column), wanted)
    return column


def truthy(column: Column) -> pl.Expr:
    """JMESPath's truth: everything but null, false, empty text, empty list and empty object."""
    match category(column.type):
        case "boolean":
            return column.expr.fill_null(value=False)
        case "string":
            return (column.expr != "").fill_null(value=False)
        case "list":
            return (column.expr.list.len() > 0).fill_null(value=False)
        case "json":
            return column.expr.is_not_null() & ~column.expr.is_in(["null", "false", '""', "[]", "{}"])
        case _:
            return column.expr.is_not_null()


def as_exact(column: Column) -> pl.Expr:
    """A number as decimal(38,12); null where that would round or overflow."""
    match column.type.type.name:
        case "integer" | "int32" | "decimal":
            cast = column.expr.cast(_ARITHMETIC, strict=False)
            if column.type.type.scale > ARITHMETIC.scale:
                same = cast.cast(pl.Decimal(38, column.type.type.scale), strict=False) == column.expr
                return pl.when(same).then(cast)
            return cast
        case "null":
            return column.expr.cast(_ARITHMETIC)
        case "float":
            text = column.expr.cast(pl.String)
        case _:
            text = column.expr
    return pl.when(text.str.contains(_FITS)).then(text.cast(_ARITHMETIC, strict=False))


def as_float(column: Column) -> pl.Expr:
    """A number as a double, for comparison with one."""
    return column.expr.cast(pl.Float64, strict=False)


def plain(expr: pl.Expr) -> pl.Expr:
    """A decimal as the text of its digits, without zeros at its end."""
    return expr.cast(pl.String).str.strip_chars_end("0").str.strip_suffix(".")


def as_text(column: Column) -> pl.Expr:
    """The canonical text of a value, as `exact.to_text` defines it."""
    kind = column.type.type.name
    match category(column.type):
        case "list" | "object":
            return json_text(column.expr, column.type)
        case "string" | "json":
            return column.expr
        case "boolean":
            return pl.when(column.expr).then(pl.lit("true")).when(~column.expr).then(pl.lit("false"))
        case "null":
            return column.expr.cast(pl.String)
        case "datetime" | "timestamp":
            suffix = "Z" if kind == "timestamp" else ""
            seconds = column.expr.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f").str.replace(r"\.000000$", "")
            return seconds + pl.lit(suffix) if suffix else seconds
        case "time":
            return column.expr.dt.to_string("%H:%M:%S%.6f").str.replace(r"\.000000$", "")
        case "binary":
            return column.expr.bin.encode("hex")
        case _:
            return column.expr.cast(pl.String)
