"""The JMESPath parser of the `jmespath` package, noting on every node where it begins.

The package's own tree has no positions, and reads numbers in literals as floats; both are mended here, and nesting is
bounded. The grammar stays the package's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser

from syncline.mapping.refused import Refused

#: Deeper nesting than this has no honest use, and bounds the recursion of everything that walks an expression.
MAX_DEPTH = 64

_QUOTED = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)

Node = dict[str, Any]


class PositionedParser(Parser):
    """Parses one text. Every node gets `at`, its offset; numbers with a fraction are Decimal."""

    # What is used of the package's parser, which its stubs leave out.
    _advance: Callable[[], None]
    _current_token: Callable[[], str]
    _lookahead_token: Callable[[int], Node]
    _error_nud_token: Callable[[Node], NoReturn]
    _error_led_token: Callable[[Node], NoReturn]
    _do_parse: Callable[[str], Any]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._depth = 0

    def tree(self) -> Node:
        """The tree of the text; JMESPathError and Refused say what is wrong with it."""
        try:
            tree: Node = self._do_parse(self._text).parsed
        except JMESPathError:
            raise
        except (ValueError, PendingDeprecationWarning):
            raise _bare("", max(self._text.find("`"), 0)) from None
        return tree

    def _expression(self, binding_power: int = 0) -> Node:
        depth = self._depth
        start = self._lookahead_token(0)
        at = start["start"]
        self._deepen(at)
        self._advance()
        prefix: Callable[[Node], Node] = getattr(self, f"_token_nud_{start['type']}", self._error_nud_token)
        left = prefix(start)
        left.setdefault("at", at)
        while binding_power < self.BINDING_POWER[self._current_token()]:
            token = self._lookahead_token(0)
            infix: Callable[[Node], Node] | None = getattr(self, f"_token_led_{token['type']}", None)
            if infix is None:
                self._error_led_token(token)
            self._advance()
            left = infix(left)
            left.setdefault("at", at if token["type"] != "lbracket" else token["start"])
            for child in left["children"]:
                if isinstance(child, dict):
                    child.setdefault("at", left["at"])
            # `a.b.c` and `a || b || c` become as deep as they are long.
            self._deepen(token["start"])
        self._depth = depth
        return left

    def _deepen(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refused(f"nested deeper than {MAX_DEPTH} levels", at, code="SYN301")

    def _token_nud_literal(self, token: Node) -> Node:
        value = token["value"]
        quoted = _QUOTED.match(self._text, token["start"])
        if quoted:
            try:
                value = json.loads(quoted[1].replace("\\`", "`"), parse_float=Decimal)
            except ValueError:
                # The package takes this for text, as an old draft did.
                raise _bare(quoted[1], token["start"]) from None
        return {"type": "literal", "value": value, "children": []}


def _bare(text: str, at: int) -> Refused:
    return Refused(
        "what stands in backticks is not JSON",
        at,
        suggestion=f"'{text}'" if text and "'" not in text else "",
        help="Text is quoted as 'text', numbers as `1`.",
        code="SYN301",
    )
