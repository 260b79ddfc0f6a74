"""Templates of mappings: text with `{{ expression }}` parts. Expressions are JMESPath; there is nothing else inside.

They look like the templates of requests, and are much less: no filters, no loops, no conditions.
"""

from __future__ import annotations

from syncline.mapping.expression import Expression, Literal, Text, parse
from syncline.mapping.refused import Refused


def parse_template(text: str) -> Text:
    """The parts of a template. Refused says what is wrong with it, and where."""
    parts: list[Expression] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        _plain(text, position, start, parts)
        end = _end(text, start)
        if not text[start + 2 : end].strip():
            raise Refused("{{ }} holds no expression", start, code="SYN313")
        parts.append(_expression(text, start + 2, end))
        position = end + 2
    _plain(text, position, len(text), parts)
    if all(isinstance(part, Literal) for part in parts):
        raise Refused("this template holds no {{ expression }}", 0, help="Use const for a fixed value.", code="SYN313")
    return Text(tuple(parts))


def _plain(text: str, start: int, end: int, parts: list[Expression]) -> None:
    plain = text[start:end]
    for mark in ("{%", "{#", "}}"):
        if (at := plain.find(mark)) >= 0:
            raise Refused(f"{mark} has no meaning here", start + at, help="Only {{ expression }} has.", code="SYN313")
    if plain:
        parts.append(Literal(plain, start))


def _end(text: str, start: int) -> int:
    """Where the `}}` of the part that begins at `start` is, past everything that is quoted."""
    quote, position = "", start + 2
    while position < len(text):
        character = text[position]
        if quote and character == "\\":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'`\"":
            quote = character
        elif text.startswith("}}", position):
            return position
        position += 1
    raise Refused("this {{ is not closed by }}", start, code="SYN313")


def _expression(text: str, start: int, end: int) -> Expression:
    inner = text[start:end]
    lead = len(inner) - len(inner.lstrip())
    try:
        # Padded at the left, so that every position inside the expression is one inside the template.
        return parse(" " * (start + lead) + inner.strip())
    except Refused as refused:
        help_ = refused.help
        if "|" in inner and refused.code == "SYN301":
            help_ = "Filters are written as functions: upper(name) instead of name | upper."
        raise Refused(
            refused.message, refused.at, suggestion=refused.suggestion, help=help_, code=refused.code
        ) from None
