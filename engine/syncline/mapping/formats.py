"""How dates and times are written: strptime codes, compiled to one strict pattern each.

The codes are those that integrations meet (see `CODES`). Text must match from its first to its last character; no white
space is skipped and no digit ignored. Months and weekdays are English. `%y` is 1969 to 2068, as POSIX has it.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from msgspec import Struct

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december")  # fmt: skip
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"

#: Code → pattern of what it reads.
CODES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "d": r"(?P<d>[0-9]{1,2})",
    "H": r"(?P<H>[0-9]{1,2})",
    "I": r"(?P<I>[0-9]{1,2})",
    "p": r"(?P<p>[AaPp][Mm])",
    "M": r"(?P<M>[0-9]{1,2})",
    "S": r"(?P<S>[0-9]{1,2})",
    "f": r"(?P<f>[0-9]{1,30})",
    "z": r"(?P<z>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)",
    "b": f"(?P<b>(?i:{'|'.join(MONTHS)}))",
    "B": f"(?P<B>(?i:{'|'.join(_LONG)}))",
    "a": "(?i:mon|tue|wed|thu|fri|sat|sun)",
    "A": f"(?i:{_DAYS})",
    "j": r"(?P<j>[0-9]{1,3})",
    "%": "%",
}

#: Codes that read digits: side by side they have fixed widths, or 1122024 would be two dates.
_NUMERIC = frozenset("YymdHIMSfj")

#: Codes that the column library reads with the same meaning once a guard has seen the exact text: as they are mostly
#: written, and with single digits.
_FAST = {
    "Y": ("[1-9][0-9]{3}",) * 2,
    "m": ("[0-9]{2}", "[0-9]{1,2}"),
    "d": ("[0-9]{2}", "[0-9]{1,2}"),
    "H": ("[0-9]{2}", "[0-9]{1,2}"),
    "M": ("[0-5][0-9]", "[0-5]?[0-9]"),
    "S": ("[0-5][0-9]", "[0-5]?[0-9]"),
    "f": ("[0-9]{1,6}",) * 2,
    "z": ("(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])",) * 2,
}

ISO = {
    "date": re.compile(r"(?P<Y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"),
    "time": re.compile(r"(?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:\.(?P<f>[0-9]{1,30}))?)?"),
    "datetime": re.compile(
        r"(?P<Y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})[Tt ]"
        r"(?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:\.(?P<f>[0-9]{1,30}))?)?"
        r"(?P<z>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
    ),
}


class BadFormat(ValueError):
    """A format that can't be read; the message says why."""


class Format(Struct, frozen=True):
    """A compiled format with the codes it has; `fast` are guards and formats for columns, the common one first."""

    text: str
    pattern: re.Pattern[str]
    codes: frozenset[str]
    fast: tuple[tuple[str, str], ...]


class Parts(Struct, frozen=True):
    """What was written. `offset` is None where none was; `date` or `time` is None where the format has none."""

    date: dt.date | None
    time: dt.time | None
    offset: dt.timezone | None


@lru_cache(maxsize=256)
def compile_format(text: str) -> Format:
    """The compiled form of strptime codes. BadFormat says which code is unknown or doubled."""
    parts = re.findall(r"%.?|[^%]", text, re.DOTALL)
    codes = [part[1:] for part in parts if part[0] == "%" and part != "%%"]
    _check(codes)
    pattern = "".join(_pattern(parts, at) for at in range(len(parts)))
    return Format(text, re.compile(pattern), frozenset(codes), _fast(text, parts))


def _check(codes: list[str]) -> None:
    for code in codes:
        if code not in CODES:
            raise BadFormat(f"%{code} is not a known code; there are {' '.join(f'%{c}' for c in CODES)}")
        if codes.count(code) > 1:
            raise BadFormat(f"%{code} stands twice")
    for one, other in (("m", "b"), ("m", "B"), ("b", "B"), ("Y", "y"), ("H", "I"), ("j", "m"), ("j", "d"), ("j", "b")):
        if one in codes and other in codes:
            raise BadFormat(f"%{one} and %{other} say the same")
    # A part whose whole is missing would be read and forgotten.
    for part, wholes in (("I", "p"), ("p", "I"), ("M", "HI"), ("S", "M"), ("f", "S"), ("z", "HI")):
        if part in codes and not any(whole in codes for whole in wholes):
            raise BadFormat(f"%{part} says nothing without %{wholes[0]}")


def _pattern(parts: list[str], at: int) -> str:
    part = parts[at]
    if part[0] != "%":
        return re.escape(part)
    pattern = CODES[part[1:]]
    if _crowded(parts, at):
        return pattern.replace("{1,2}", "{2}").replace("{1,3}", "{3}")
    return pattern


def _crowded(parts: list[str], at: int) -> bool:
    """Whether digits stand directly beside this code."""
    beside = [parts[i] for i in (at - 1, at + 1) if 0 <= i < len(parts)]
    return any(part.isdigit() or (part[0] == "%" and part[1:] in _NUMERIC) for part in beside)


def _fast(text: str, parts: list[str]) -> tuple[tuple[str, str], ...]:
    if any(part[0] == "%" and part[1:] not in _FAST for part in parts):
        return ()
    # The column library reads hours with minutes only, and fractions after a point only.
    if ("%H" in text and "%M" not in text) or ("%f" in text and ".%f" not in text):
        return ()
    written = text.replace(".%f", "%.f").replace("%z", "%#z")
    guards = []
    for width in (0, 1):
        pieces = [
            re.escape(part) if part[0] != "%" else _FAST[part[1:]][0 if _crowded(parts, at) else width]
            for at, part in enumerate(parts)
        ]
        guards.append(f"^{''.join(pieces)}$")
    return tuple((guard, written) for guard in dict.fromkeys(guards))


def has_date(codes: frozenset[str]) -> bool:
    """Whether the codes state a whole date."""
    return bool(codes & {"Y", "y"}) and ("j" in codes or (bool(codes & {"m", "b", "B"}) and "d" in codes))


def has_time(codes: frozenset[str]) -> bool:
    """Whether the codes state a time of day."""
    return bool(codes & {"H", "I"})


#: Why a text that doesn't match states nothing.
OTHERWISE = "is not written that way"


def read(pattern: re.Pattern[str], text: str) -> Parts | str:
    """What a text states, or why it states nothing: a short reason."""
    match = pattern.fullmatch(text)
    if match is None:
        return OTHERWISE
    groups = match.groupdict()
    try:
        return Parts(_date(groups), _time(groups), _offset(groups.get("z")))
    except ValueError as error:
        return str(error)


def _date(groups: dict[str, str | None]) -> dt.date | None:
    if year := groups.get("Y"):
        full = int(year)
    elif short := groups.get("y"):
        full = int(short) + (1900 if int(short) >= 69 else 2000)
    else:
        return None
    if full == 0:
        raise ValueError("has the year 0, which there is not")
    if days := groups.get("j"):
        found = dt.date(full, 1, 1) + dt.timedelta(days=int(days) - 1)
        if found.year != full:
            raise ValueError("names a day that its year doesn't have")
        return found
    if month := groups.get("m"):
        number = int(month)
    elif name := groups.get("b") or groups.get("B"):
        number = MONTHS.index(name[:3].lower()) + 1
    else:
        return None
    try:
        return dt.date(full, number, int(groups.get("d") or ""))
    except ValueError:
        raise ValueError("names a day that isn't in the calendar") from None


def _time(groups: dict[str, str | None]) -> dt.time | None:
    if hour := groups.get("H"):
        full = int(hour)
    elif half := groups.get("I"):
        if not 1 <= int(half) <= 12:
            raise ValueError("names an hour that there is not")
        full = int(half) % 12 + (12 if (groups.get("p") or "").lower() == "pm" else 0)
    else:
        return None
    fraction = (groups.get("f") or "").rstrip("0")
    if len(fraction) > 6:
        raise ValueError("has digits below the microsecond, which would be lost")
    try:
        return dt.time(full, int(groups.get("M") or 0), int(groups.get("S") or 0), int(fraction.ljust(6, "0") or 0))
    except ValueError:
        raise ValueError("names a time of day that there is not") from None


def _offset(text: str | None) -> dt.timezone | None:
    if not text:
        return None
    if text in "Zz":
        return dt.timezone.utc  # noqa: UP017 - the type is timezone, as the others are
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError("names an offset from UTC that there is not")
    seconds = hours * 3600 + minutes * 60
    return dt.timezone(dt.timedelta(seconds=-seconds if text[0] == "-" else seconds))
