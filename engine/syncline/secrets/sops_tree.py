"""SOPS files as trees: YAML and JSON in document order, with the text that SOPS authenticates for each value.

SOPS hashes values as Go prints them, so a value in the clear has to be read by the rules of its YAML and JSON readers.
Names, shape and the clear text of unencrypted values are all there is here; `sops.py` decrypts.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Final, TypeAlias

from msgspec import Struct

MAX_SIZE: Final = 1_000_000
MAX_DEPTH: Final = 50


class SopsError(ValueError):
    """The file is not one that SOPS made, was changed, or is encrypted for others. Never holds a value."""


class Leaf(Struct, frozen=True):
    """A value: the text that SOPS hashes for it, and whether it is a string (only strings can be encrypted ones)."""

    text: str
    is_text: bool


Tree: TypeAlias = "dict[str, Tree] | list[Tree] | Leaf | None"


def read(data: bytes, *, is_json: bool) -> dict[str, Tree]:
    """Read a document; SopsError when it is not one mapping, or has aliases, duplicate keys or too much of anything."""
    if len(data) > MAX_SIZE:
        raise SopsError(f"it has more than {MAX_SIZE} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SopsError("it is not UTF-8 text") from None
    tree = _read_json(text) if is_json else _read_yaml(text)
    if not isinstance(tree, dict):
        raise SopsError("it is not a mapping")
    return tree


# --- JSON: every number is a float64 for SOPS ------------------------------------------------------------------------


def _read_json(text: str) -> Tree:
    def convert(value: object, depth: int = 0) -> Tree:
        match value:
            case _ if depth > MAX_DEPTH:
                raise SopsError("it is nested too deeply")
            case _Pairs():
                return _mapping([(name, convert(item, depth + 1)) for name, item in value.pairs])
            case list():
                return [convert(item, depth + 1) for item in value]
            case None:
                return None
            case bool():
                return Leaf(str(value), is_text=False)
            case float():
                return Leaf(go_float(value), is_text=False)
            case _:
                return Leaf(str(value), is_text=True)

    try:
        return convert(json.loads(text, object_pairs_hook=_Pairs, parse_int=float, parse_constant=_no_constant))
    except (json.JSONDecodeError, RecursionError):
        # The parser's message would quote the document.
        raise SopsError("it is not JSON") from None


class _Pairs:
    """A JSON object as read, so that duplicate names can be seen."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _no_constant(name: str) -> object:
    raise SopsError(f"{name} is not JSON")


def _mapping(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise SopsError("it has a key twice")
    return result


# --- YAML: scalars as go-yaml v3 resolves them -----------------------------------------------------------------------

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": "True", "True": "True", "TRUE": "True", "false": "False", "False": "False", "FALSE": "False"}
_FLOAT_NAMES = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT = re.compile(r"([-+]?)(0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*[1-9])?(Z|[-+][0-9]{2}:[0-9]{2})")


def _read_yaml(text: str) -> Tree:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
    except (yaml.YAMLError, RecursionError) as error:
        # Its place helps; its message would quote the document.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise SopsError(f"it is not one YAML document{where}") from None
    finally:
        loader.dispose()
    seen: set[int] = set()

    def convert(node: yaml.Node | None, depth: int = 0) -> Tree:
        if node is None:
            return None
        if depth > MAX_DEPTH:
            raise SopsError("it is nested too deeply")
        if id(node) in seen:
            raise SopsError("it has an alias, which SOPS does not write")
        seen.add(id(node))
        match node:
            case yaml.MappingNode():
                return _mapping([(_key(key), convert(value, depth + 1)) for key, value in node.value])
            case yaml.SequenceNode():
                return [convert(item, depth + 1) for item in node.value]
            case yaml.ScalarNode():
                plain = node.style is None or node.style == ""
                return _scalar(node.value) if plain else Leaf(node.value, is_text=True)
            case _:
                raise SopsError("it has a node of an unknown kind")

    def _key(node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise SopsError("it has a key that is not a string")
        return str(node.value)

    return convert(node)


def _scalar(text: str) -> Leaf | None:
    """Resolve a plain YAML scalar, and print it as Go would."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return Leaf(_BOOLS[text], is_text=False)
    if found := _FLOAT_NAMES.fullmatch(text):
        return Leaf("NaN" if found[3] else f"{found[1] or '+'}Inf", is_text=False)
    bare = text.replace("_", "")
    if found := _INT.fullmatch(bare):
        sign, digits = found.groups()
        base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 8 if digits[0] == "0" else 10)
        return Leaf(str(int(sign + digits, base)), is_text=False)
    if _FLOAT.fullmatch(bare):
        return Leaf(go_float(float(bare)), is_text=False)
    if _DATE.fullmatch(text):
        return Leaf(f"{text}T00:00:00Z", is_text=False)
    return Leaf(text, is_text=not _TIME.fullmatch(text))


def go_float(value: float) -> str:
    """Print a number as Go's FormatFloat(value, 'f', -1, 64): the shortest digits that read back, never an exponent."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").removesuffix(".") if "." in text else text
