"""Small pieces of YAML to paste into a manifest, written as manifests are: flow style where it fits on a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_][\w./-]*")
_BREAKS: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
#: Words that some readers of YAML take for something else.
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def to_yaml(data: Mapping[str, Any], *, indent: int = 0, width: int = 110) -> str:
    """
    A mapping as YAML, each entry on a line of its own, or below it where it is longer than `width`.

    >>> print(to_yaml({"id": {"type": "integer", "nullable": False}, "to-do": {"type": "string"}}), end="")
    id: {type: integer, nullable: false}
    to-do: {type: string}
    """
    return "".join(f"{line}\n" for line in _lines(data, indent, width))


def _lines(data: Mapping[str, Any], indent: int, width: int) -> Iterator[str]:
    for name, value in data.items():
        line = f"{' ' * indent}{_scalar(name)}: {_flow(value)}"
        if len(line) <= width or not _parts(value):
            yield line
        else:
            yield f"{' ' * indent}{_scalar(name)}:"
            yield from _lines(value, indent + 2, width) if isinstance(value, Mapping) else _items(value, indent, width)


def _items(data: Sequence[Any], indent: int, width: int) -> Iterator[str]:
    for value in data:
        line = f"{' ' * indent}- {_flow(value)}"
        if len(line) <= width or not _parts(value):
            yield line
        else:
            inner = indent + 2
            parts = _lines(value, inner, width) if isinstance(value, Mapping) else _items(value, inner, width)
            yield f"{' ' * indent}- {next(parts).lstrip()}"
            yield from parts


def _parts(value: Any) -> bool:
    """Whether a value can be written on several lines."""
    return isinstance(value, Mapping | list | tuple) and bool(value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    if plain:
        return value
    # JSON escapes control characters as YAML's double quotes read them, but not what YAML takes for line breaks.
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
