"""JSON as commands print it: readable, and safe, since every character that a terminal would obey is escaped."""

from __future__ import annotations

import json
import re
from typing import Any

from syncline.cli.output.text import UNSAFE


def _escape(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\n" else json.dumps(match[0])[1:-1]


def to_json(data: Any, *, indent: int | None = 2) -> str:
    """The data and a newline. Control characters stand only inside strings, where an escape means the same."""
    return UNSAFE.sub(_escape, json.dumps(data, ensure_ascii=False, indent=indent)) + "\n"
