"""Cron expressions of five fields (POSIX crontab, with names, ranges, lists and steps): whether one is well formed."""

from __future__ import annotations

import re
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name, smallest, largest, names of values.
_FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_ITEM = re.compile(r"(\*|[0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?(?:/([0-9]+))?")


def problem(text: str) -> str:
    """What is wrong with a cron expression, or ''."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        return f"it has {len(parts)} fields, not 5 (minute hour day month weekday)"
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _item(item, low, high, names):
                return f"{item!r} can't be the {name} ({low} to {high})"
    return "" if _ever(text) else "no year has such a day"


def _ever(text: str) -> bool:
    """Whether a well-formed expression has a date at all: the 31st of February has none."""
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    try:
        return next(CronSim(text, datetime(2000, 1, 1)), None) is not None  # noqa: DTZ001 - of dates, in no zone
    except CronSimError:
        return False


def _item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None:
        return False
    start, end, every = match.groups()
    if every is not None and not 1 <= int(every) <= high:
        return False
    if start == "*":
        return end is None
    values = [_number(value, low, names) for value in (start, end) if value is not None]
    return all(low <= value <= high for value in values) and values == sorted(values)


def _number(value: str, low: int, names: tuple[str, ...]) -> int:
    if value.isdigit():
        return int(value)
    return names.index(value) + low if value in names else -1
