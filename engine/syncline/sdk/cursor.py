"""Cursors of incremental reads: values that grow, compared by their type and never as text that only looks like it.

A key is what a cursor's text compares by: nanoseconds since 1970 for `timestamp` (a time without zone is taken as UTC),
days for `date`, the number for `integer`, `epoch` (seconds) and `epoch_ms`, the text for `string` (by code points).
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Literal

from msgspec import Struct

from syncline.model.errors import Invalid

CursorType = Literal["timestamp", "date", "integer", "epoch", "epoch_ms", "string"]
Key = int | Decimal | str

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FRACTION = re.compile(r"[.,](\d+)")
_SECOND = 1_000_000_000
#: Nanoseconds of a unit that a time is counted in.
_UNITS = {"epoch": _SECOND, "epoch_ms": _SECOND // 1000}


class CursorKind(Struct, frozen=True):
    """A type of cursor, and how it is written in a request: `format` is for strftime, in UTC, or `epoch`, `epoch_ms` of
    a timestamp, rounded down; None means ISO 8601.

    `formats` are how records write a timestamp or date, in strptime codes, `epoch` or `epoch_ms`, tried in order.

    >>> kind = CursorKind("timestamp")
    >>> kind.key("2026-01-05T09:00:00+01:00") == kind.key("2026-01-05T08:00:00Z")
    True
    >>> kind.text(kind.shift(kind.key("2026-01-05T08:00:00Z"), -60))
    '2026-01-05T07:59:00Z'
    >>> CursorKind("integer").key("10") > CursorKind("integer").key("9")
    True
    >>> days = CursorKind("timestamp", formats=("%d.%m.%Y %H:%M", "epoch"))
    >>> days.key("05.01.2026 08:00") == days.key("1767600000")
    True
    >>> CursorKind("timestamp", format="epoch_ms").written("2026-01-05T08:00:00.0019Z")
    '1767600000001'
    """

    type: CursorType
    format: str | None = None
    formats: tuple[str, ...] = ()

    def key(self, text: str) -> Key:
        """What a text compares by; ValueError when it isn't of the type."""
        match self.type:
            case "timestamp" | "date" if self.formats:
                time = _formatted(text, self.formats)
                return time if self.type == "timestamp" else time // (86400 * _SECOND)
            case "timestamp":
                return _nanoseconds(text)
            case "date":
                return dt.date.fromisoformat(text[:10]).toordinal() - dt.date(1970, 1, 1).toordinal()
            case "integer" | "epoch" | "epoch_ms":
                try:
                    number = Decimal(text)
                except InvalidOperation as error:
                    raise ValueError(f"{text[:40]!a} is no number") from error
                if not number.is_finite() or (self.type == "integer" and number != number.to_integral_value()):
                    raise ValueError(f"{text[:40]!a} is no {'integer' if number.is_finite() else 'number'}")
                return number
            case "string":
                return text

    def of_time(self, seconds: float) -> Key:
        """The key of a Unix time, rounded down to whole seconds. `Invalid` for types that aren't times."""
        whole = int(seconds)
        match self.type:
            case "timestamp":
                return whole * _SECOND
            case "date":
                return whole // 86400
            case "epoch":
                return Decimal(whole)
            case "epoch_ms":
                return Decimal(whole * 1000)
            case _:
                raise self._no_time()

    def shift(self, key: Key, seconds: float) -> Key:
        """A key that much later (or earlier); days round towards the earlier one, so that nothing is left out."""
        match self.type, key:
            case "timestamp", int():
                return key + round(seconds * _SECOND)
            case "date", int():
                return key + int(seconds // 86400)
            case "epoch", Decimal():
                return key + _whole(Decimal(str(seconds)))
            case "epoch_ms", Decimal():
                return key + _whole(Decimal(str(seconds)) * 1000)
            case _:
                raise self._no_time()

    def middle(self, low: Key, high: Key) -> Key | None:
        """A key halfway between two times, in whole seconds or days; None where there is none.

        >>> kind = CursorKind("date")
        >>> kind.text(kind.middle(kind.key("2026-01-01"), kind.key("2026-01-08")))
        '2026-01-04'
        """
        unit = {"timestamp": _SECOND, "epoch_ms": 1000}.get(self.type, 1)
        match self.type, low, high:
            case ("timestamp" | "date", int(), int()) | ("epoch" | "epoch_ms", Decimal(), Decimal()):
                # Both are integers or both are decimals, which the type says.
                half = low + (high - low) // 2 // unit * unit  # type: ignore[operator]
            case _:
                raise self._no_time()
        return half if low < half < high else None  # type: ignore[operator]  # likewise

    def ending(self, low: Key, end: Key, until: Key) -> Key:
        """
        Where a span from `low` ends that should end at `end`: at a time after `low` that a request can say, or `until`.

        Where days are all that it can say, the next span would begin with the day in whose middle this one ended: what
        the API gives of it again is before that, and what it left out here would be lost.

        >>> days = CursorKind("timestamp", format="%Y-%m-%d")
        >>> low, end, until = map(days.key, ("2026-01-05", "2026-01-06T12:00:00Z", "2026-02-01"))
        >>> CursorKind("timestamp").text(days.ending(low, end, until))
        '2026-01-06T00:00:00Z'
        """
        while end < until:  # type: ignore[operator]  # keys are of one type
            said = self._said(end)
            if low < said:  # type: ignore[operator]
                return said
            end += max(end - low, 1)  # type: ignore[operator]
        return until

    def _said(self, key: Key) -> Key:
        """What a request says of a key: no later time than it, as a format may leave hours or fractions out."""
        if not self.format or self.type not in {"timestamp", "date"} or not isinstance(key, int):
            return key
        day = 1 if self.type == "date" else 86400 * _SECOND
        try:
            said = _formatted(self.text(key), (self.format,)) // (86400 * _SECOND // day)
        except ValueError:
            return key
        # What names no year is no time that could be compared with another.
        return said if 0 <= key - said <= 366 * day else key

    def text(self, key: Key) -> str:
        """A key as a request writes it."""
        match self.type, key:
            case "timestamp", int():
                if self.format in _UNITS:
                    return str(key // _UNITS[self.format])
                whole, fraction = divmod(key, _SECOND)
                time = _EPOCH + dt.timedelta(seconds=whole)
                if self.format:
                    return (time + dt.timedelta(microseconds=fraction // 1000)).strftime(self.format)
                digits = f"{fraction:09d}".rstrip("0")
                return f"{time:%Y-%m-%dT%H:%M:%S}" + (f".{digits}" if digits else "") + "Z"
            case "date", int():
                day = dt.date(1970, 1, 1) + dt.timedelta(days=key)
                return day.strftime(self.format) if self.format else day.isoformat()
            case _:
                return format(key, "f") if isinstance(key, Decimal) else str(key)

    def written(self, text: str) -> str:
        """A cursor's own text as a request writes it: unchanged, unless the declaration has a format for it.

        Where records have formats of their own and requests none, it is in ISO 8601, as the bounds that are computed.
        """
        if not (self.format or self.formats) or self.type not in {"timestamp", "date"}:
            return text
        try:
            return self.text(self.key(text))
        except ValueError:
            # A bound that was computed is in ISO 8601, whatever the records' own formats are.
            return self.text(CursorKind(self.type).key(text))

    def _no_time(self) -> Invalid:
        return Invalid(
            f"a cursor of type {self.type} is no time: it can have neither window, lookback nor an end bound",
            code="SYN433",
        )


def _whole(number: Decimal) -> Decimal:
    """
    The same number, without a point where it is whole, which no API's integer has.

    >>> _whole(Decimal("1.001") * 1000), _whole(Decimal("0.5"))
    (Decimal('1001'), Decimal('0.5'))
    """
    return number.to_integral_value() if number == number.to_integral_value() else number


def _formatted(text: str, formats: tuple[str, ...]) -> int:
    """Nanoseconds since 1970 of a time in the first format that fits."""
    for form in formats:
        try:
            if form in _UNITS:
                return int(Decimal(text) * _UNITS[form])
            time = dt.datetime.strptime(text, form)  # noqa: DTZ007 - without a zone it is UTC, as everywhere
        except (ValueError, InvalidOperation, OverflowError):
            continue
        since = (time if time.tzinfo else time.replace(tzinfo=dt.UTC)) - _EPOCH
        return (since.days * 86400 + since.seconds) * _SECOND + since.microseconds * 1000
    # A bound that was computed, as positions hold it.
    return _nanoseconds(text)


def _nanoseconds(text: str) -> int:
    fraction = 0
    if ("." in text or "," in text) and (match := _FRACTION.search(text)):
        digits = match[1]
        if len(digits) > 9 and digits[9:].strip("0"):
            raise ValueError(f"{text[:40]!a} has more than nine digits of a second")
        fraction = int(digits[:9].ljust(9, "0"))
        text = text[: match.start()] + text[match.end() :]
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    since = time - _EPOCH
    return (since.days * 86400 + since.seconds) * _SECOND + fraction
