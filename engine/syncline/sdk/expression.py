"""JMESPath over exact documents: numbers are int and Decimal, in the data and in the expression alike.

jmespath itself takes `1.10` in an expression for a float, which no Decimal equals, and lets its functions take floats
only. Its parser and interpreter do the work here; literals and functions are made exact.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from syncline.model.errors import Invalid
from syncline.sdk.configured import with_settings


class Expression:
    """A compiled expression, which finds values in documents of `json_document.exact_document`.

    >>> from syncline.sdk.formats.json_document import exact_document
    >>> document = exact_document(b'{"items": [{"price": 1.10}, {"price": 2.25}]}')
    >>> Expression("items[?price == `1.1`] | [0].price").search(document)
    Decimal('1.10')
    >>> Expression("sum(items[].price)").search(document)
    Decimal('3.35')

    With `config`, settings may stand in it.

    >>> Expression("contains(split(config('ids')), id)", {"ids": "a, b"}).search({"id": "b"})
    True
    """

    def __init__(self, text: str, config: Mapping[str, Any] | None = None) -> None:
        import jmespath
        from jmespath.parser import ParsedResult

        self.text = text
        # A copy: jmespath keeps what it has parsed, for every other user of the same text.
        tree = copy.deepcopy(jmespath.compile(text).parsed)
        if config is not None:
            tree = with_settings(tree, config)
        _exact_literals(tree)
        self._parsed = ParsedResult(text, tree)

    def search(self, document: Any) -> Any:
        """What the expression finds; None for nothing. `Invalid` (SYN413) where it can't be applied, with its text."""
        from jmespath.exceptions import JMESPathError

        try:
            return self._parsed.search(document, _options())
        except (JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
            raise Invalid(f"{self.text}: {error}", code="SYN413") from error

    def true_of(self, document: Any) -> bool:
        """Whether what it finds counts as true: anything but null, false and what is empty (JMESPath's own rule).

        >>> Expression("length(id) > `1`").true_of({"id": "a7"})
        True
        """
        found = self.search(document)
        return found is not None and found is not False and found not in ("", [], {})


def _exact_literals(node: Any) -> None:
    """Turns the floats of an expression's literals into Decimals, in place."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "literal":
        node["value"] = _exact(node["value"])
    for child in node.get("children", ()):
        _exact_literals(child)


def _exact(value: Any) -> Any:
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {name: _exact(item) for name, item in value.items()}
        case _:
            return value


def _plain(value: Any) -> str:
    """JSON text of a value, with the digits that its numbers have."""
    import msgspec

    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


@cache
def _options() -> Any:
    from jmespath import Options
    from jmespath.functions import Functions, signature

    class Exact(Functions):
        """jmespath's functions, which take a Decimal wherever they take a number."""

        def _get_allowed_pytypes(self, types: Any) -> Any:
            allowed, inner = super()._get_allowed_pytypes(types)  # type: ignore[misc]  # the stubs leave it out
            return _with_decimal(allowed), [_with_decimal(each) for each in inner]

        @signature({"types": ["array-number"]})
        def _func_avg(self, arg: Any) -> Any:
            return Decimal(sum(arg)) / len(arg) if arg else None

        @signature({"types": []})
        def _func_to_string(self, arg: Any) -> Any:
            return arg if isinstance(arg, str) else _plain(arg)

        @signature({"types": []})
        def _func_to_number(self, arg: Any) -> Any:
            if isinstance(arg, bool) or not isinstance(arg, str):
                return arg if isinstance(arg, int | Decimal) and not isinstance(arg, bool) else None
            try:
                found = json.loads(arg, parse_float=Decimal)
            except (ValueError, RecursionError, InvalidOperation):
                return None
            return found if isinstance(found, int | Decimal) and not isinstance(found, bool) else None

        @signature({"types": []})
        def _func_type(self, arg: Any) -> Any:
            names = {str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null"}
            return names.get(type(arg), "number")

    return Options(custom_functions=Exact())


def _with_decimal(names: Any) -> Any:
    return [*names, "Decimal"] if "float" in names else names
