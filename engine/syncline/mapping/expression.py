"""JMESPath as a closed set of values: what a mapping may ask of a record.

The `jmespath` package parses (https://jmespath.org/specification.html); its tree is translated into the frozen classes
below, which are all that the type checker (`types.py`) and the lowering to columns (`lower.py`) know. What has no
meaning for columns (building objects, values of unknown keys, expression references) is refused here, with its
position. Nothing here evaluates anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jmespath.exceptions import JMESPathError
from msgspec import Struct

from syncline.mapping.parser import PositionedParser
from syncline.mapping.refused import Refused

#: No list of a record is longer.
MAX_INDEX = 1_000_000_000


class Current(Struct, frozen=True):
    """`@`: the record, or inside a projection its element."""

    at: int = 0


class Get(Struct, frozen=True):
    """`of.name`."""

    of: Expression
    name: str
    at: int = 0


class Index(Struct, frozen=True):
    """`of[0]`; negative indices count from the end."""

    of: Expression
    index: int
    at: int = 0


class Slice(Struct, frozen=True):
    """`of[start:stop]`."""

    of: Expression
    start: int | None
    stop: int | None
    at: int = 0


class Literal(Struct, frozen=True):
    """A JSON value; numbers with a fraction or exponent are Decimal."""

    value: Any
    at: int = 0


class Compare(Struct, frozen=True):
    """`left operator right`; the operator is one of eq, ne, lt, lte, gt, gte."""

    operator: str
    left: Expression
    right: Expression
    at: int = 0


class And(Struct, frozen=True):
    left: Expression
    right: Expression
    at: int = 0


class Or(Struct, frozen=True):
    """`left || right`: the left one unless it is null, false or empty."""

    left: Expression
    right: Expression
    at: int = 0


class Not(Struct, frozen=True):
    of: Expression
    at: int = 0


class Each(Struct, frozen=True):
    """`of[*].body`: the body for every element, without nulls."""

    of: Expression
    body: Expression
    at: int = 0


class Filter(Struct, frozen=True):
    """`of[?condition]`: the elements for which it is true."""

    of: Expression
    condition: Expression
    at: int = 0


class Items(Struct, frozen=True):
    """`[a, b]`: a list of values of one type."""

    items: tuple[Expression, ...]
    at: int = 0


class Call(Struct, frozen=True):
    """`name(args)`: a function of `functions.py`."""

    name: str
    args: tuple[Expression, ...]
    at: int = 0


class Text(Struct, frozen=True):
    """A template: its parts joined; null when one of them is null."""

    parts: tuple[Expression, ...]
    at: int = 0


Expression = (
    Current | Get | Index | Slice | Literal | Compare | And | Or | Not | Each | Filter | Items | Call | Text
)  # fmt: skip


@lru_cache(maxsize=4_096)  # thousands of mappings have many in common, and share them
def parse(text: str) -> Expression:
    """The expression that a text states. Refused says what is wrong, and where."""
    try:
        tree = PositionedParser(text).tree()
    except JMESPathError as error:
        raise _unreadable(error, text) from None
    return _translate(tree, Current())


#: A text that can be meant as the name of a field: it has nothing that only an expression has.
_NAME = re.compile(r"[^\"'`|&<>=!{}\[\]()?,*@$\\]+")


def _unreadable(error: JMESPathError, text: str) -> Refused:
    at = getattr(error, "lex_position", None) or getattr(error, "lexer_position", None) or 0
    token = getattr(error, "token_value", "")
    if at >= len(text) or getattr(error, "token_type", "") == "eof":
        return Refused("not a JMESPath expression: it ends too early", max(len(text) - 1, 0), code="SYN301")
    what = f"{token!r} is not expected here" if token else "this is not expected here"
    name = text.strip()
    # Headers of files are seldom identifiers, and who reads one for the first time writes it as it stands.
    help_ = f"If that is the name of a field, quote it: from: '\"{name}\"'" if _NAME.fullmatch(name) else ""
    return Refused(f"not a JMESPath expression: {what}", at, help=help_, code="SYN301")


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression."""
    match expression:
        case Current() | Literal():
            return ()
        case Get(of=of) | Index(of=of) | Slice(of=of) | Not(of=of):
            return (of,)
        case Compare(left=left, right=right) | And(left=left, right=right) | Or(left=left, right=right):
            return (left, right)
        case Each(of=of, body=body):
            return (of, body)
        case Filter(of=of, condition=condition):
            return (of, condition)
        case Items(items=parts) | Call(args=parts) | Text(parts=parts):
            return parts


def reads(expression: Expression, base: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the source fields that an expression reads, outermost first; `()` is the whole record."""
    match expression:
        case Each(of=of, body=inner) | Filter(of=of, condition=inner):
            path = _path(of, base)
            yield from reads(inner, path if path is not None else base)
            if path is None or isinstance(expression, Filter) or not any(True for _ in reads(inner, path)):
                yield from reads(of, base)
        case _:
            path = _path(expression, base)
            if path is not None:
                yield path
            else:
                for child in children(expression):
                    yield from reads(child, base)


def _path(expression: Expression, base: tuple[str, ...]) -> tuple[str, ...] | None:
    match expression:
        case Current():
            return base
        case Get(of=of, name=name):
            path = _path(of, base)
            return None if path is None else (*path, name)
        case Index(of=of) | Slice(of=of) | Filter(of=of):
            return _path(of, base)
        case Each(of=of, body=body):
            path = _path(of, base)
            return None if path is None else _path(body, path)
        case _:
            return None


def copies(expression: Expression) -> bool:
    """
    Whether an expression is one field of the record and nothing else, so that its value is the field's.

    >>> copies(parse("address.zip")), copies(parse("substring(zip, `2`)"))
    (True, False)
    """
    return isinstance(expression, Get) and (isinstance(expression.of, Current) or copies(expression.of))


def leaves_out(condition: Expression, field: str) -> bool:
    """
    Whether a condition is never true of a record whose boolean `field` is true, by how it is written: `!field` or
    `field == `false``, alone or with others by `&&`. Other forms may leave it out as well; this can't be told of them.
    """
    match condition:
        case And(left=left, right=right):
            return leaves_out(left, field) or leaves_out(right, field)
        case Not(of=of):
            return _path(of, ()) == tuple(field.split("."))
        case Compare(operator="eq", left=left, right=Literal(value=False)):
            return _path(left, ()) == tuple(field.split("."))
        case _:
            return False


_REFUSED = {
    "multi_select_dict": ("building an object", "Write one target field for each of its values."),
    "value_projection": ("values of unknown keys (*)", "Name the fields that are wanted."),
    "expref": ("an expression reference (&)", "Functions that take one are not available."),
}


def _translate(node: dict[str, Any], base: Expression) -> Expression:
    at = node.get("at", getattr(base, "at", 0))
    parts = node["children"]
    match node["type"]:
        case "field":
            return Get(base, node["value"], at)
        case "current" | "identity":
            return base
        case "literal":
            if isinstance(node["value"], dict):
                raise Refused("an object as a literal has no use in a mapping", at)
            return Literal(node["value"], at)
        case "subexpression" | "pipe":
            for part in parts:
                base = _translate(part, base)
            return base
        case "index_expression":
            for part in parts:
                base = _indexed(part, base, at) if part["type"] in {"index", "slice"} else _translate(part, base)
            return base
        case "index" | "slice":
            return _indexed(node, base, at)
        case "projection":
            return Each(_translate(parts[0], base), _translate(parts[1], Current(at)), at)
        case "filter_projection":
            found = Filter(_translate(parts[0], base), _translate(parts[2], Current(at)), at)
            body = _translate(parts[1], Current(at))
            return found if isinstance(body, Current) else Each(found, body, at)
        case "flatten":
            return _translate(parts[0], base)
        case "comparator":
            return Compare(node["value"], _translate(parts[0], base), _translate(parts[1], base), at)
        case "and_expression":
            return And(_translate(parts[0], base), _translate(parts[1], base), at)
        case "or_expression":
            return Or(_translate(parts[0], base), _translate(parts[1], base), at)
        case "not_expression":
            return Not(_translate(parts[0], base), at)
        case "multi_select_list":
            return Items(tuple(_translate(part, base) for part in parts), at)
        case "function_expression":
            return Call(node["value"], tuple(_translate(part, base) for part in parts), at)
        case refused:
            what, help_ = _REFUSED.get(refused, (refused.replace("_", " "), ""))
            raise Refused(f"{what} can't be turned into columns", at, help=help_)


def _indexed(node: dict[str, Any], base: Expression, at: int) -> Expression:
    numbers = [node["value"]] if node["type"] == "index" else node["children"]
    if any(abs(number or 0) > MAX_INDEX for number in numbers):
        raise Refused(f"an index beyond {MAX_INDEX:,} has no use", at)
    if node["type"] == "index":
        return Index(base, node["value"], at)
    start, stop, step = node["children"]
    if step not in {None, 1}:
        raise Refused(f"a slice with step {step} can't be turned into columns", at, help="Only steps of 1 are.")
    return Slice(base, start, stop, at)
