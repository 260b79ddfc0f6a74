"""What type an expression has over a source schema: checks names, arguments and comparisons before any data is seen.

A type is a `Field` of the model (scalar, object with `fields`, or list of them by `repeated`); None is unknown, as over
a source without a declared schema, and fits everything. The first thing wrong in an expression raises Refused with its
position in the text.
"""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from typing import Any, assert_never

from msgspec.structs import replace

from syncline.mapping import functions
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
from syncline.mapping.refused import Refused
from syncline.model.schema import BOOLEAN, INTEGER, JSON, NUMBER, STRING, DataType, Field, Schema

NULL = DataType("null")
NUMERIC = frozenset({"number", "integer", "int32", "decimal", "float"})
TEMPORAL = frozenset({"date", "time", "timestamp", "datetime"})

Type = Field | None


def scalar(data_type: DataType) -> Field:
    """A scalar type."""
    return Field("", data_type)


def listed(element: Field) -> Field:
    """The type of a list of it."""
    return replace(element, repeated=True)


def element(of: Field) -> Field:
    """The type of a list's elements."""
    return replace(of, repeated=False)


def record(schema: Schema) -> Field:
    """The type of a whole record."""
    return Field("@", JSON, fields=schema.fields)


def category(of: Field) -> str:
    """What a value counts as: string, number, boolean, list, object, null, or the name of its type."""
    if of.repeated:
        return "list"
    if of.fields:
        return "object"
    return "number" if of.type.name in NUMERIC else of.type.name


def named(of: Field) -> str:
    """A type in words, for messages."""
    match category(of):
        case "list":
            return f"a list of {named(element(of)).removeprefix('a ').removeprefix('an ')}"
        case "object":
            return "an object"
        case "string":
            return "text"
        case "json":
            return "JSON of no declared shape"
        case "null":
            return "null"
        case _:
            return f"{'an' if of.type.name[0] in 'aei' else 'a'} {of.type}"


def common(types: list[Type], at: int) -> Type:
    """The one type that all of them fit; Refused when there is none."""
    known = [t for t in types if t is not None and t.type != NULL]
    if len(known) < len([t for t in types if t is None or t.type != NULL]):
        return None
    if not known:
        return scalar(NULL)
    first = known[0]
    for other in known[1:]:
        first = _both(first, other, at)
    return first


def _both(first: Field, other: Field, at: int) -> Field:
    kind = category(first)
    if category(other) != kind:
        raise Refused(f"{named(first)} and {named(other)} have no common type", at, code="SYN304")
    if kind == "list":
        return listed(_both(element(first), element(other), at))
    if kind == "object" and other.fields != first.fields:
        raise Refused("objects of different fields have no common type", at, code="SYN304")
    if kind != "number" or other.type == first.type:
        return first
    if "float" in {first.type.name, other.type.name}:
        raise Refused(f"{named(first)} and {named(other)} have no exact common type", at, code="SYN304")
    return scalar(NUMBER)


def type_of(expression: Expression, source: Schema | None) -> Type:
    """The type of an expression over records of a schema. Refused says what is wrong with it."""
    return _Typing(source).of(expression, None if source is None else record(source))


def check_condition(expression: Expression, source: Schema | None) -> None:
    """Checks an expression of which only the truth is asked, such as `where`."""
    _Typing(source).condition(expression, None if source is None else record(source))


class _Typing:
    def __init__(self, source: Schema | None) -> None:
        self._open = source is None or source.open

    def of(self, expression: Expression, current: Type) -> Type:
        match expression:
            case Current():
                return current
            case Get():
                return self._get(expression, current)
            case Index(of=of):
                found = self._list(of, current)
                return None if found is None else element(found)
            case Slice(of=of):
                return self._list(of, current)
            case Literal(value=value, at=at):
                return literal_type(value, at)
            case Compare():
                return self._compare(expression, current)
            case Not(of=of):
                self.condition(of, current)
                return scalar(BOOLEAN)
            case And(left=left, right=right, at=at) | Or(left=left, right=right, at=at):
                return common([self.of(left, current), self.of(right, current)], at)
            case Each(of=of, body=body, at=at):
                found = self._list(of, current)
                inner = self.of(body, None if found is None else element(found))
                if inner is not None and inner.repeated:
                    raise Refused("a list of lists can't be turned into columns", at)
                return None if inner is None else listed(inner)
            case Filter(of=of, condition=condition):
                found = self._list(of, current)
                self.condition(condition, None if found is None else element(found))
                return found
            case Items(items=items, at=at):
                inner = common([self.of(item, current) for item in items], at)
                if inner is not None and inner.repeated:
                    raise Refused("a list of lists can't be turned into columns", at)
                return None if inner is None else listed(inner)
            case Call():
                return self._call(expression, current)
            case Text(parts=parts):
                for part in parts:
                    self._scalar(part, current)
                return scalar(STRING)
            case _:
                assert_never(expression)

    def condition(self, expression: Expression, current: Type) -> None:
        match expression:
            case And(left=left, right=right) | Or(left=left, right=right):
                self.condition(left, current)
                self.condition(right, current)
            case _:
                self.of(expression, current)

    def _get(self, expression: Get, current: Type) -> Type:
        base = self.of(expression.of, current)
        name, at = expression.name, expression.at
        if base is None:
            return None
        found = next((f for f in base.fields if f.name == name), None)
        match category(base):
            case "object" if found is not None:
                return found
            case "object" if base.name == "@" and self._open:
                return None
            case "object":
                close = get_close_matches(name, [f.name for f in base.fields], 1)
                where = "the source" if base.name == "@" else base.name
                raise Refused(
                    f"{where} has no field {name!r}",
                    at,
                    suggestion=close[0] if close else "",
                    help="" if close else f"It has {_listing([f.name for f in base.fields])}.",
                    code="SYN303",
                )
            case "list":
                raise Refused(
                    f"{base.name or 'this'} is a list, so that {name!r} has to be asked of its elements",
                    at,
                    help=f"Write {base.name}[].{name} for all of them, or {base.name}[0].{name} for the first.",
                    code="SYN304",
                )
            case "json":
                raise Refused(
                    f"{base.name} is JSON of no declared shape, so that {name!r} can't be found in it",
                    at,
                    help=f"Declare the properties of {base.name} in the schema of the stream.",
                    code="SYN303",
                )
            case _:
                raise Refused(f"{base.name or 'this'} is {named(base)} and has no fields", at, code="SYN303")

    def _list(self, expression: Expression, current: Type) -> Type:
        found = self.of(expression, current)
        if found is not None and not found.repeated:
            raise Refused(f"{found.name or 'this'} is {named(found)}, not a list", expression.at, code="SYN304")
        return found

    def _scalar(self, expression: Expression, current: Type) -> None:
        found = self.of(expression, current)
        if found is not None and category(found) in {"list", "object", "json", "binary"}:
            raise Refused(
                f"{found.name or 'this'} is {named(found)}, which has no place in a text",
                expression.at,
                help="join() makes one text of a list, to_string() its JSON.",
                code="SYN304",
            )

    def _compare(self, expression: Compare, current: Type) -> Type:
        left, right = self.of(expression.left, current), self.of(expression.right, current)
        ordered = expression.operator not in {"eq", "ne"}
        for side, found in ((expression.left, left), (expression.right, right)):
            if found is None:
                continue
            if ordered and category(found) != "number":
                raise Refused(
                    f"{found.name or 'this'} is {named(found)}, and JMESPath orders numbers only",
                    side.at,
                    help="Use to_number() on text that states a number.",
                    code="SYN304",
                )
            if category(found) in {"list", "object", "json", "binary"}:
                raise Refused(f"{named(found)} can't be compared", side.at, code="SYN304")
        if left is not None and right is not None and category(left) != category(right):
            if "null" in {category(left), category(right)}:
                return scalar(BOOLEAN)
            raise Refused(
                f"{named(left)} never equals {named(right)}",
                expression.right.at,
                help="Quote text as 'text' and numbers as `1`; to_number() and to_string() convert.",
                code="SYN304",
            )
        return scalar(BOOLEAN)

    def _call(self, call: Call, current: Type) -> Type:
        function = functions.BY_NAME.get(call.name)
        if function is None:
            close = get_close_matches(call.name, functions.BY_NAME, 1)
            raise Refused(
                f"there is no function {call.name!r}",
                call.at,
                suggestion=close[0] if close else "",
                help="" if close else f"There are {_listing(sorted(functions.BY_NAME))}.",
                code="SYN305",
            )
        params = list(function.params)
        least = len([p for p in params if not p.optional])
        many = params[-1].many
        if len(call.args) < least or (len(call.args) > len(params) and not many):
            raise Refused(
                f"{call.name} takes {_arity(least, len(params), many=many)}, not {len(call.args)}",
                call.at,
                help=f"It is called as {function.signature}.",
                code="SYN305",
            )
        params += [params[-1]] * (len(call.args) - len(params))
        types: list[Type] = []
        for param, arg in zip(params, call.args, strict=False):
            found = self.of(arg, current)
            if found is not None and not any(_accepts(a, found) for a in param.accepts):
                raise Refused(
                    f"{call.name} needs {' or '.join(_ACCEPTED[a] for a in param.accepts)} as its {param.name}, "
                    f"and {found.name or 'this'} is {named(found)}",
                    arg.at,
                    help=f"It is called as {function.signature}.",
                    code="SYN305",
                )
            if param.constant:
                _check_constant(param, arg, call.name)
            types.append(found)
        return _result(function, types, call)


def _check_constant(param: functions.Param, arg: Expression, name: str) -> None:
    if not isinstance(arg, Literal):
        raise Refused(f"{param.name} of {name} must be written as a literal", arg.at, code="SYN305")
    value = arg.value
    if value is None:
        raise Refused(f"{param.name} of {name} can't be null", arg.at, code="SYN305")
    if isinstance(value, int) and not param.least <= value <= functions.MOST:
        bounds = f"{param.least} to {functions.MOST}"
        raise Refused(f"{param.name} of {name} is {value}, and has to be {bounds}", arg.at, code="SYN305")
    if isinstance(value, str) and param.characters and len(value) != param.characters:
        raise Refused(f"{param.name} of {name} has to be one character", arg.at, code="SYN305")


def _result(function: functions.Function, types: list[Type], call: Call) -> Type:
    first = types[0]
    match function.result:
        case "string":
            return scalar(STRING)
        case "number":
            return scalar(NUMBER)
        case "integer":
            return scalar(INTEGER)
        case "boolean":
            return scalar(BOOLEAN)
        case "strings":
            return listed(scalar(STRING))
        case "same":
            return first
        case "element":
            return None if first is None else element(first)
        case "common":
            return common(types, call.at)


def literal_type(value: Any, at: int = 0) -> Field:
    """The type of a literal."""
    match value:
        case None:
            return scalar(NULL)
        case bool():
            return scalar(BOOLEAN)
        case int():
            return scalar(INTEGER if -(2**63) <= value < 2**63 else NUMBER)
        case Decimal():
            return scalar(NUMBER)
        case str():
            return scalar(STRING)
        case list():
            inner = common([literal_type(item, at) for item in value], at)
            if inner is not None and not inner.repeated:
                return listed(inner)
        case _:
            pass
    raise Refused("this literal has no use in a mapping", at)


_ACCEPTED: dict[functions.Accepts, str] = {
    "string": "text",
    "number": "a number",
    "boolean": "a boolean",
    "integer": "an integer",
    "list": "a list",
    "strings": "a list of texts",
    "numbers": "a list of numbers",
    "scalar": "a single value",
    "any": "a value",
}


def _accepts(accepts: functions.Accepts, found: Field) -> bool:
    kind = category(found)
    if kind == "null":
        return True
    match accepts:
        case "any":
            return True
        case "scalar":
            return kind not in {"list", "object"}
        case "integer":
            return found.type.name in {"integer", "int32"} and not found.repeated
        case "list":
            return kind == "list"
        case "strings":
            return kind == "list" and category(element(found)) in {"string", "null"}
        case "numbers":
            return kind == "list" and category(element(found)) in {"number", "null"}
        case _:
            return kind == accepts


def _arity(least: int, most: int, *, many: bool) -> str:
    count = f"at least {least}" if many else str(least) if least == most else f"{least} or {most}"
    return f"{count} argument{'' if count == '1' else 's'}"


def _listing(names: list[str]) -> str:
    shown = names[:12]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
