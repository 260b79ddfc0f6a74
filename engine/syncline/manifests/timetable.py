"""When a schedule starts its runs: instants computed from what is declared, so that there is no store that could drift.

Cron is read as Debian's cron reads it when clocks change: what is set for a fixed time in the hour that is skipped
starts right after it, in the hour that comes twice it starts once; what runs every few minutes goes on by elapsed time.
Intervals count from the Unix epoch, so that every process and every restart agrees on them. Jitter is drawn from the
schedule's name and the instant, for the same reason. Spans outside of the windows are leapt over, so that the next
start is found as soon where windows are seldom open.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from msgspec import Struct

from syncline.kinds.window import denied, within
from syncline.model import units

if TYPE_CHECKING:
    from syncline.kinds.schedule import ScheduleSpec
    from syncline.kinds.suspend import Suspend

#: For how long a start within the windows is looked for, days of the month and of the week meet again within 40 years,
#: and how many instants outside of them are looked at: those of 7 years, of one a day.
_SEARCHED, _PASSED_OVER = dt.timedelta(days=40 * 366), 2_500
#: Most missed starts that are made up for, the latest ones.
MAX_MISSED = 1_000
_DAY, _MINUTE, _INSTANT = dt.timedelta(days=1), dt.timedelta(minutes=1), dt.timedelta(microseconds=1)
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


class Fire(Struct, frozen=True, order=True):
    """A start. `at` is the instant that is declared, its identity; `starts` is when it begins: later by its jitter.

    Both are in UTC.
    """

    at: dt.datetime
    starts: dt.datetime


class Timetable:
    """The starts of one schedule by cron or interval; one by events has none.

    >>> from syncline.kinds.schedule import ScheduleSpec
    >>> spec = ScheduleSpec.model_validate(
    ...     {"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "run": ("Sync/tickets",)})
    >>> since = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC)  # on the 29th, there is no 2:30 in Berlin
    >>> [f"{fire.at:%d %H:%M}" for fire in islice(Timetable("acme/Schedule/nightly", spec).after(since), 2)]
    ['29 01:00', '30 00:30']
    """

    def __init__(self, name: str, spec: ScheduleSpec) -> None:
        self._name = name
        self._spec = spec
        self._zone = ZoneInfo(spec.time_zone)
        self._every = dt.timedelta(seconds=units.duration(spec.every)) if spec.every is not None else None
        self._jitter = units.duration(spec.jitter) if spec.jitter is not None else 0.0

    def after(self, instant: dt.datetime, until: dt.datetime | None = None) -> Iterator[Fire]:
        """
        Starts after an instant, until another one or without end; none if there never is one within the windows, or
        while suspended.
        """
        suspend = self._spec.suspend
        if suspend is not None:
            if suspend.until is None:
                return
            end = dt.datetime.combine(suspend.until, dt.time.min, dt.UTC) + dt.timedelta(days=1)
            instant = max(instant, end - _INSTANT)
        instants, end, passed_over = self._instants(instant), until or instant + _SEARCHED, 0
        while (at := next(instants, None)) is not None and at <= end:
            if self._open(at):
                yield Fire(at, self.put_off(at))
                end, passed_over = until or at + _SEARCHED, 0
                continue
            opens, passed_over = self._opening(at), passed_over + 1
            if opens is None or passed_over > _PASSED_OVER:
                return
            if opens - _INSTANT > at:
                instants = self._instants(opens - _INSTANT)

    def due(self, since: dt.datetime, watched: dt.datetime, now: dt.datetime) -> list[Fire]:
        """
        What is to be started now, in order: all after `since`, the last instant that was dealt with.

        A start that waits for its jitter holds up those after it, so that none is passed over. Starts before `watched`,
        when watching began, were missed: the schedule's `catchUp` says which of them count.
        Of those to be made up for, only the last `MAX_MISSED` are.
        """
        missed: list[Fire] = []
        current: list[Fire] = []
        for fire in self.after(since, now):
            if fire.starts > now:
                break
            (missed if fire.at < watched else current).append(fire)
        match self._spec.catch_up:
            case "none":
                missed = []
            case "last":
                missed = missed[-1:]
            case "all":
                missed = missed[-MAX_MISSED:]
        return missed + current

    def _open(self, at: dt.datetime) -> bool:
        """
        Whether windows are open. What was set for an hour that is skipped starts right after it, so that a window in
        that hour is open then.
        """
        windows, local = self._spec.windows, at.astimezone(self._zone)
        if within(windows, local):
            return True
        skipped = _offset(local) - _offset((at - _INSTANT).astimezone(self._zone))
        minutes = range(1, int(skipped / _MINUTE) + 1)
        return not denied(windows, local) and any(within(windows, local - n * _MINUTE) for n in minutes)

    def _opening(self, at: dt.datetime) -> dt.datetime | None:
        """When windows that are closed may open next; None where they never do."""
        today = at.astimezone(self._zone).date()
        for day in range(9):
            # The day before and the one after as well: a change of the clocks may swap what lies around midnight.
            near = (today + offset * _DAY for offset in range(day - 1, day + 2))
            edges = [
                dt.datetime.combine(date, time, self._zone) for date in near for time in self._edges[date.weekday()]
            ]
            # A time that comes twice has two instants; one that is skipped has one before and one after the gap.
            found = [edge.replace(fold=fold).astimezone(dt.UTC) for edge in edges for fold in (0, 1)]
            if later := [instant for instant in found if instant > at]:
                return min(later)
        return None

    @cached_property
    def _edges(self) -> tuple[tuple[dt.time, ...], ...]:
        """For each day of the week, the times at which windows may open."""
        windows = self._spec.windows
        ends = {"00:00", *(window.start for window in windows.allow), *(window.end for window in windows.deny)}
        times = [dt.time.fromisoformat(end) for end in sorted(ends - {"24:00"})]
        week = [dt.date(2024, 1, day) for day in range(1, 8)]  # the 1st is a Monday
        return tuple(tuple(t for t in times if within(windows, dt.datetime.combine(day, t))) for day in week)

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        try:
            if self._every is not None:
                at = self._multiple(after)
                while True:
                    at += self._every
                    yield at
            if self._spec.cron is not None:
                last = after.astimezone(dt.UTC)
                for local in CronSim(self._spec.cron, after.astimezone(self._zone)):
                    at = local.astimezone(dt.UTC)
                    if at > last:  # never twice, whatever the clocks do
                        last = at
                        yield at
        except (CronSimError, OverflowError):  # a day that no month has; one after the year 9999
            return

    def _multiple(self, instant: dt.datetime) -> dt.datetime:
        assert self._every is not None
        return _EPOCH + ((instant - _EPOCH) // self._every) * self._every

    def put_off(self, at: dt.datetime) -> dt.datetime:
        """The instant and its jitter, drawn from the schedule's name; without it where it would leave the windows."""
        if not self._jitter:
            return at
        drawn = hashlib.sha256(f"{self._name} {at.isoformat()}".encode()).digest()
        starts = at + dt.timedelta(seconds=self._jitter * int.from_bytes(drawn[:6], "big") / 2**48)
        return starts if within(self._spec.windows, starts.astimezone(self._zone)) else at


def _offset(local: dt.datetime) -> dt.timedelta:
    return local.utcoffset() or dt.timedelta()


def ever_starts(spec: ScheduleSpec) -> bool:
    """Whether a schedule by time has a start within its windows at all; a suspension doesn't count."""
    always = spec.model_copy(update={"suspend": None})
    return next(Timetable("", always).after(_EPOCH), None) is not None


def suspended(suspend: Suspend | None, now: dt.datetime) -> bool:
    """Whether it is kept from starting anything now: until the end of a day in UTC, or until that is removed."""
    return suspend is not None and suspend.holds(now.astimezone(dt.UTC).date())


def next_starts(name: str, spec: ScheduleSpec, after: dt.datetime, count: int) -> list[Fire]:
    """The next starts of a schedule, at most `count`; none for one by events.

    >>> from syncline.kinds.schedule import ScheduleSpec
    >>> spec = ScheduleSpec.model_validate({"every": "6h", "run": ("Sync/tickets",)})
    >>> [f"{fire.at:%H:%M}" for fire in next_starts("", spec, dt.datetime(2026, 11, 26, 7, tzinfo=dt.UTC), 2)]
    ['12:00', '18:00']
    """
    return list(islice(Timetable(name, spec).after(after), count))
