"""The functions that a mapping's expressions may call: one closed table.

The first group is JMESPath's own (https://jmespath.org/specification.html#built-in-functions) where columns can hold
the result; the second is what integrations need besides. The lowering of each stands in `lower_functions.py` under the
same name. A null argument gives null, unless the summary says otherwise.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: What an argument may be. `strings` and `numbers` are lists; `scalar` is text, number, boolean, date or time.
Accepts = Literal["string", "number", "boolean", "integer", "list", "strings", "numbers", "scalar", "any"]
#: What the result is: a type, or `same` as the first argument, `element` of it, or the `common` type of all arguments.
Result = Literal["string", "number", "integer", "boolean", "strings", "same", "element", "common"]


#: Largest constant integer that an argument may be: no text of a record is longer.
MOST = 65_535


class Param(Struct, frozen=True):
    """A parameter: `constant` ones must be literals; the last one may be optional, or take any number of arguments.

    A constant integer lies between `least` and `MOST`; a constant text has exactly `characters`, where that isn't 0.
    """

    name: str
    accepts: tuple[Accepts, ...]
    constant: bool = False
    optional: bool = False
    many: bool = False
    least: int = 0
    characters: int = 0


class Function(Struct, frozen=True):
    name: str
    params: tuple[Param, ...]
    result: Result
    summary: str
    example: str = ""

    @property
    def signature(self) -> str:
        """How it is called: `substring(text, start, [length])`."""
        parts = [f"[{p.name}]" if p.optional else f"{p.name}, …" if p.many else p.name for p in self.params]
        return f"{self.name}({', '.join(parts)})"


def _text(name: str = "text") -> Param:
    return Param(name, ("string",))


def _fixed(name: str, *, optional: bool = False, characters: int = 0) -> Param:
    return Param(name, ("string",), constant=True, optional=optional, characters=characters)


def _count(name: str, *, optional: bool = False, least: int = 0) -> Param:
    return Param(name, ("integer",), constant=True, optional=optional, least=least)


_NUMBER = Param("number", ("number",))

FUNCTIONS: tuple[Function, ...] = (
    # JMESPath
    Function("abs", (_NUMBER,), "same", "The number without its sign.", "abs(delta)"),
    Function("ceil", (_NUMBER,), "integer", "The next integer, upwards.", "ceil(hours)"),
    Function("floor", (_NUMBER,), "integer", "The next integer, downwards.", "floor(hours)"),
    Function(
        "contains",
        (Param("subject", ("string", "strings", "numbers")), Param("search", ("string", "number"))),
        "boolean",
        "Whether a text holds another, or a list an element.",
        "contains(tags, 'vip')",
    ),
    Function(
        "starts_with", (_text(), _text("prefix")), "boolean", "Whether a text begins so.", "starts_with(sku, 'A-')"
    ),
    Function("ends_with", (_text(), _text("suffix")), "boolean", "Whether a text ends so.", "ends_with(mail, '.eu')"),
    Function(
        "join",
        (_fixed("glue"), Param("texts", ("strings",))),
        "string",
        "The texts of a list in one, with glue between; nulls are left out; null when nothing is left.",
        "join(' ', [first, last])",
    ),
    Function("length", (Param("subject", ("string", "list")),), "integer", "Characters of a text, elements of a list."),
    Function("max", (Param("list", ("numbers", "strings")),), "element", "The largest element.", "max(scores)"),
    Function("min", (Param("list", ("numbers", "strings")),), "element", "The smallest element.", "min(scores)"),
    Function("sum", (Param("list", ("numbers",)),), "number", "The exact sum of a list.", "sum(lines[].amount)"),
    Function(
        "not_null",
        (Param("values", ("any",), many=True),),
        "common",
        "The first argument that is not null.",
        "not_null(mobile, phone)",
    ),
    Function("reverse", (Param("list", ("list",)),), "same", "The list backwards.", "reverse(split(path, '/'))[0]"),
    Function(
        "to_number",
        (Param("value", ("string", "number")),),
        "number",
        "The number that a text states, with all its digits; null when it states none.",
        "to_number(amount) > `0`",
    ),
    Function("to_string", (Param("value", ("any",)),), "string", "The value as text; lists and objects as JSON."),
    # Ours
    Function("coalesce", (Param("values", ("any",), many=True),), "common", "The same as not_null."),
    Function(
        "concat",
        (Param("texts", ("string",), many=True),),
        "string",
        "The texts in one; null when one of them is.",
        "concat(country, '-', id)",
    ),
    Function("lower", (_text(),), "string", "The text in lower case.", "lower(email)"),
    Function("upper", (_text(),), "string", "The text in upper case.", "upper(country)"),
    Function(
        "trim",
        (_text(), _fixed("characters", optional=True)),
        "string",
        "The text without white space (or those characters) at both ends.",
        "trim(name)",
    ),
    Function(
        "replace",
        (_text(), _fixed("old"), _fixed("new")),
        "string",
        "The text with every `old` (taken literally) replaced.",
        "replace(amount, ',', '.')",
    ),
    Function("split", (_text(), _fixed("separator")), "strings", "The parts of a text.", "split(name, ' ')[0]"),
    Function(
        "substring",
        (_text(), _count("start", least=-MOST), _count("length", optional=True)),
        "string",
        "Characters from `start` (from 0; negative: from the end).",
        "substring(iban, `0`, `2`)",
    ),
    Function(
        "pad_left",
        (_text(), _count("length"), _fixed("fill", characters=1)),
        "string",
        "Filled at the left to that length.",
    ),
    Function(
        "pad_right",
        (_text(), _count("length"), _fixed("fill", characters=1)),
        "string",
        "Filled at the right to that length.",
    ),
    Function(
        "empty_to_null",
        (_text(),),
        "string",
        "Null instead of a text of nothing but white space.",
        "empty_to_null(zip)",
    ),
)

BY_NAME = {function.name: function for function in FUNCTIONS}
