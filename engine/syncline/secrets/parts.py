"""Picking a part of a structured secret by a dotted path, without ever holding the whole in the open for longer."""

from __future__ import annotations

from typing import TypeAlias

from syncline.model.secret import Secret
from syncline.secrets.contract import Problem

SecretTree: TypeAlias = "dict[str, SecretTree] | list[SecretTree] | Secret | None"
"""A structured secret: every value in it is a Secret, only names and shape are in the open."""


def pick(tree: SecretTree, path: str) -> Secret | Problem:
    """Return the value at a dotted path (`a.b.0`); a Problem names the first step that leads nowhere."""
    at = ""
    for step in path.split(".") if path else ():
        match tree:
            case dict() if step in tree:
                tree = tree[step]
            case list() if step.isascii() and step.isdigit() and int(step) < len(tree):
                tree = tree[int(step)]
            case _:
                return Problem("SYN801", f"there is no {step!r} in {at or 'it'}")
        at = f"{at}.{step}" if at else step
    match tree:
        case Secret():
            return tree
        case None:
            return Problem("SYN801", f"{at or 'it'} is null")
        case _:
            return Problem("SYN801", f"{at or 'it'} has parts: name one with a path")


def parse_json(text: Secret) -> SecretTree | Problem:
    """Read a secret that is a JSON document, numbers as they are written."""
    import json

    def wrap(value: object) -> SecretTree:
        match value:
            case dict():
                return {str(name): wrap(item) for name, item in value.items()}
            case list():
                return [wrap(item) for item in value]
            case None:
                return None
            case bool():
                return Secret("true" if value else "false")
            case _:
                return Secret(str(value))

    try:
        return wrap(json.loads(text.reveal(), parse_int=str, parse_float=str))
    except (ValueError, RecursionError):
        # The parser's message quotes the document.
        return Problem("SYN803", "it is not JSON, so that no part of it can be picked")
