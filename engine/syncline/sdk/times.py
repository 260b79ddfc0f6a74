"""Filters of templates over times: `{{ now | minus('7d') | date('%Y-%m-%d') }}`.

A time is a text in ISO 8601, whether it is `now`, a bound of a read or a setting; without a zone it is UTC. Filters are
given constants, looked at when a template is compiled, so that no value decides how long a text gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from syncline.model import units
from syncline.sdk.cursor import CursorKind

#: Texts and the codes of strftime that give the same on every system, in a bounded length.
_FORMAT: Final = re.compile(r"(?:[^%]|%[YymdHMSfjIpaAbBzZUWVGuw%])+")
_COUNTED: Final = ("epoch", "epoch_ms")
_ISO: Final = CursorKind("timestamp")


def date(value: object, form: str) -> str:
    """A time in another format: strftime codes, `epoch` or `epoch_ms`. What is empty stays so.

    >>> date("2026-01-05T09:00:00+01:00", "%d.%m.%Y %H:%M"), date("2026-01-05", "epoch")
    ('05.01.2026 08:00', '1767571200')
    """
    text = str(value)
    return _kind(form).text(_key(text)) if text else ""


def minus(value: object, span: str) -> str:
    """A time that is so much earlier.

    >>> minus("2026-03-01T00:30:00Z", "1d1h")
    '2026-02-27T23:30:00Z'
    """
    return _moved(value, -units.duration(span))


def plus(value: object, span: str) -> str:
    """A time that is so much later.

    >>> plus("2026-02-28", "1w")
    '2026-03-07T00:00:00Z'
    """
    return _moved(value, units.duration(span))


FILTERS: Final[Mapping[str, Callable[[object, str], str]]] = {"date": date, "minus": minus, "plus": plus}


def refusal(name: str, arguments: Sequence[object]) -> str:
    """What is wrong with the constants that a filter is given; empty for nothing.

    >>> refusal("minus", ["7 days"])
    "takes a duration in `minus`, such as '7d' or '1h30m'"
    """
    given = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], str) else ""
    if name == "date":
        if given in _COUNTED or (given and _FORMAT.fullmatch(given)):
            return ""
        return "takes a format in `date`: epoch, epoch_ms, or strftime codes such as '%Y-%m-%dT%H:%M:%SZ'"
    return "" if re.match(units.DURATION_PATTERN, given) else f"takes a duration in `{name}`, such as '7d' or '1h30m'"


def iso(seconds: float) -> str:
    """A Unix time, in whole seconds, as templates know it.

    >>> iso(1767600000.9)
    '2026-01-05T08:00:00Z'
    """
    return _ISO.text(_ISO.of_time(seconds))


def _moved(value: object, seconds: float) -> str:
    text = str(value)
    return _ISO.text(_ISO.shift(_key(text), seconds)) if text else ""


def _key(text: str) -> int:
    try:
        key = _ISO.key(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!a} is no time: ISO 8601 is expected, such as 2026-01-05T08:00:00Z") from error
    assert isinstance(key, int)
    return key


@lru_cache(maxsize=64)
def _kind(form: str) -> CursorKind:
    return CursorKind("timestamp", form)
