"""Windows of a calendar: what a stream is read for whose records carry no date, such as a report of each day.

A window runs from one edge to the next. Days, weeks and months begin at midnight in a time zone, months with their
first day, so that windows have the length that the calendar gives them: 28 to 31 days, 23 to 25 hours. A window is read
once it is over and its data is complete, so that the position is always the edge after the last whole one.

An edge is a key of the cursor's kind: a day, or nanoseconds since 1970.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from syncline.connectors.rest.reading.partition import Values
from syncline.kinds.reading import Cursor as CursorSpec
from syncline.kinds.reading import DateWindows
from syncline.model import units
from syncline.model.errors import Invalid
from syncline.sdk.cursor import CursorKind

_SECOND = 1_000_000_000
_HOUR = 3600 * _SECOND
_EPOCH = dt.date(1970, 1, 1)
_DAYS = {"d": 1, "w": 7}


class Windows(Struct, frozen=True):
    """Windows of `count` units (`h`, `d`, `w`, `mo`) each, from the edge `origin` on; times are in seconds.

    `columns` are the fields of records that say a window's start or end. `lookback` is how many whole windows are read
    again, `delay` how long after its end a window is complete. `included`: an end that is asked for is the last day or
    second of the window, otherwise the first one after it.

    >>> months = Windows(CursorKind("date"), 0, 1, "mo", ZoneInfo("UTC"), {"month": "start"}, included=True)
    >>> low = months.aligned(months.kind.key("2024-02-10"))
    >>> months.asked(low, months.after(low))
    {'start': '2024-02-01', 'end': '2024-02-29', 'month': '2024-02-01'}
    """

    kind: CursorKind
    origin: int
    count: int
    unit: str
    zone: ZoneInfo
    columns: Mapping[str, str]
    lookback: int = 0
    delay: float = 0.0
    included: bool = False

    @classmethod
    def compile(cls, spec: CursorSpec, windows: DateWindows, start: str | None) -> Windows:
        """Compiles a declaration, whose first window begins at `start`. `Invalid` (SYN574) where it can't be."""
        match = re.fullmatch(r"(\d+)(h|d|w|mo)", windows.every)
        if match is None or spec.type not in {"date", "timestamp"} or (match[2] == "h" and spec.type == "date"):
            raise Invalid(f"windows of {windows.every} have no edges of type {spec.type}", code="SYN574")
        if start is None:
            raise Invalid(
                "cursor.windows needs cursor.start, where the first window begins",
                code="SYN574",
                help="Give a date, or config.NAME for a setting that has a value.",
            )
        try:
            zone = ZoneInfo(windows.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid(f"{windows.time_zone[:80]!a} is no time zone", code="SYN574") from error
        included = windows.end == "included" or (windows.end is None and spec.type == "date")
        delay = units.duration(windows.delay) if windows.delay else 0.0
        kind = CursorKind(spec.type, spec.format)
        found = cls(
            kind, 0, int(match[1]), match[2], zone, dict(windows.columns), windows.lookback, delay, included=included
        )
        return cls(
            kind,
            found.aligned(found._start(start)),
            found.count,
            found.unit,
            zone,
            found.columns,
            found.lookback,
            delay,
            included=included,
        )

    def aligned(self, edge: int) -> int:
        """The edge itself, or the last one before it where a window of the unit can begin."""
        if self.unit == "h":
            return edge
        day = self._day(edge)
        return self._edge(day.replace(day=1) if self.unit == "mo" else day)

    def after(self, edge: int, windows: int = 1) -> int:
        """The edge so many windows after one; before it, for a negative number."""
        if self.unit == "h":
            return edge + windows * self.count * _HOUR
        day = self._day(edge)
        if self.unit == "mo":
            months = day.year * 12 + day.month - 1 + windows * self.count
            return self._edge(dt.date(months // 12, months % 12 + 1, 1))
        return self._edge(day + dt.timedelta(days=windows * self.count * _DAYS[self.unit]))

    def first(self, base: int | None) -> int:
        """The edge that a pass begins at, after the last whole window of the one before; None: there was none."""
        if base is None:
            return self.origin
        return max(self.origin, self.after(self.aligned(base), -self.lookback))

    def last(self, edge: int, now: float) -> int:
        """The last edge, counted from one, up to which windows are complete at a Unix time; the one itself if none."""
        return self.after(edge, max(0, self._whole(edge, now - self.delay)))

    def asked(self, low: int, high: int) -> dict[str, str]:
        """What requests ask for a window with, as `start` and `end`, and its columns by their names."""
        unit = 1 if self.kind.type == "date" else _SECOND
        bounds = {"start": low, "end": high - unit if self.included else high}
        plain = CursorKind(self.kind.type)
        columns = {name: plain.text(bounds[bound]) for name, bound in self.columns.items()}
        return {bound: self._written(edge) for bound, edge in bounds.items()} | columns

    def values(self, low: int, high: int) -> tuple[Values, ...]:
        """The window as what its records were read for."""
        asked = self.asked(low, high)
        return tuple(Values.of(name, [asked[name]]) for name in self.columns)

    def _whole(self, edge: int, seconds: float) -> int:
        """How many windows after an edge are over at a Unix time."""
        if self.unit == "h":
            return (int(seconds) * _SECOND - edge) // (self.count * _HOUR)
        here, there = self._day(edge), dt.datetime.fromtimestamp(seconds, self.zone).date()
        if self.unit == "mo":
            return ((there.year - here.year) * 12 + there.month - here.month) // self.count
        return (there - here).days // (self.count * _DAYS[self.unit])

    def _start(self, text: str) -> int:
        """The key of a declared start; a date, or a time without a zone, is meant in the windows' own."""
        if self.kind.type == "timestamp":
            try:
                time = dt.datetime.fromisoformat(text)
            except ValueError:
                return _whole_number(self.kind.key(text))
            if time.tzinfo is None:
                return int(time.replace(tzinfo=self.zone).timestamp()) * _SECOND
        return _whole_number(self.kind.key(text))

    def _day(self, edge: int) -> dt.date:
        if self.kind.type == "date":
            return _EPOCH + dt.timedelta(days=edge)
        return dt.datetime.fromtimestamp(edge // _SECOND, self.zone).date()

    def _edge(self, day: dt.date) -> int:
        if self.kind.type == "date":
            return (day - _EPOCH).days
        return int(dt.datetime.combine(day, dt.time(), self.zone).timestamp()) * _SECOND

    def _written(self, edge: int) -> str:
        """An edge as a request writes it: a time that has a format is in the windows' zone."""
        form = self.kind.format
        if self.kind.type == "date" or form is None or form in {"epoch", "epoch_ms"}:
            return self.kind.text(edge)
        return dt.datetime.fromtimestamp(edge // _SECOND, self.zone).strftime(form)


def _whole_number(key: object) -> int:
    assert isinstance(key, int)  # of a date or a timestamp
    return key
