"""What live records look like: types, formats, nulls and nesting of their fields, gathered record by record.

A sample proves what there is, never what there isn't: a field that is never null in it may be null in the next record.
Bounded: deeper levels, and objects with very many names, count as JSON of any shape.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

#: Levels of objects and lists that are looked into, and names that one object may have.
MAX_DEPTH: Final = 8
MAX_NAMES: Final = 300
#: Texts of a field that are kept, for what they look like.
MAX_SAMPLES: Final = 20
_INT64: Final = range(-(2**63), 2**63)


@dataclass(slots=True)
class Seen:
    """
    Values of one field. `present` counts records that have it, null or not; `of` those that could have it.

    `kinds` counts JSON types; an integer that 64 bits can't hold is a `number`. `formats` counts texts that are written
    as a format; `samples` are the first few texts. `properties` are fields of objects, `items` elements of lists.
    """

    of: int = 0
    present: int = 0
    nulls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    samples: list[str] = field(default_factory=list)
    properties: dict[str, Seen] = field(default_factory=dict)
    items: Seen | None = None
    shapeless: bool = False

    @property
    def empty(self) -> int:
        """How often it is null or missing."""
        return self.of - self.present + self.nulls

    @property
    def type(self) -> str:
        """The narrowest type of the language that holds everything seen; `any` for mixtures and for nothing."""
        kinds = set(self.kinds)
        if kinds == {"integer", "number"}:
            return "number"
        return kinds.pop() if len(kinds) == 1 else "any"

    @property
    def format(self) -> str:
        """The format that every text which isn't empty is written in, or ''."""
        return next((name for name, count in self.formats.items() if count == self.texts and self.type == "string"), "")


def infer(records: Iterable[Any]) -> Seen:
    """
    Everything about records, as the fields of one object.

    >>> seen = infer([{"id": 1, "at": "2026-05-04"}, {"id": 2.5}])
    >>> seen.properties["id"].type, seen.properties["at"].format, seen.properties["at"].empty
    ('number', 'date', 1)
    """
    root = Seen()
    for record in records:
        _add(root, record, 0)
    _close(root)
    return root


def _add(seen: Seen, value: Any, depth: int) -> None:
    seen.of += 1
    seen.present += 1
    kind = _kind(value)
    if not kind:
        seen.nulls += 1
        return
    seen.kinds[kind] += 1
    if kind == "string":
        _text(seen, str(value))
    elif depth >= MAX_DEPTH:
        seen.shapeless = True
    elif kind == "object":
        _object(seen, value, depth)
    elif kind == "array":
        seen.items = seen.items or Seen()
        for item in value[:MAX_NAMES]:
            _add(seen.items, item, depth + 1)


def _object(seen: Seen, value: Mapping[str, Any], depth: int) -> None:
    for name, inner in value.items():
        known = seen.properties.get(name)
        if known is None:
            if len(seen.properties) >= MAX_NAMES:
                seen.shapeless = True
                continue
            known = seen.properties[name] = Seen()
        _add(known, inner, depth + 1)


def _close(seen: Seen) -> None:
    """Tells each field how many objects could have had it."""
    for inner in seen.properties.values():
        inner.of = max(seen.kinds["object"], inner.present)
        _close(inner)
    if seen.items is not None:
        _close(seen.items)


def _kind(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "boolean"
        case int():
            return "integer" if value in _INT64 else "number"
        case float() | Decimal():
            return "number"
        case Mapping():
            return "object"
        case list() | tuple():
            return "array"
        case _:  # text, and what columns hold of dates and times
            return "string"


# --- formats of texts ------------------------------------------------------------------------------------------------


def _text(seen: Seen, text: str) -> None:
    if len(seen.samples) < MAX_SAMPLES and text:
        seen.samples.append(text[:200])
    if not text.strip():
        return
    seen.texts += 1
    for name in formats_of(text):
        seen.formats[name] += 1


def formats_of(text: str) -> list[str]:
    """
    The formats of the language that a text is written in.

    >>> formats_of("2026-02-29"), formats_of("a@example.com"), formats_of("https://example.com/a")
    ([], ['email'], ['uri'])
    """
    return [name for name, check in _FORMATS.items() if len(text) <= 2048 and check(text)]


def _parsed(parse: Callable[[str], object], pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)

    def check(text: str) -> bool:
        if compiled.fullmatch(text) is None:
            return False
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": _parsed(dt.datetime.fromisoformat, rf"\d{{4}}-\d{{2}}-\d{{2}}[T ]{_TIME}(Z|[+-]\d{{2}}:?\d{{2}})?"),
    "date": _parsed(dt.date.fromisoformat, r"\d{4}-\d{2}-\d{2}"),
    "time": _parsed(dt.time.fromisoformat, rf"{_TIME}(Z|[+-]\d{{2}}:\d{{2}})?"),
    "uuid": _matches(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    "email": _matches(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}"),
    "uri": _matches(r"[a-z][a-z0-9+.-]{1,20}://[!-~]+"),
}
