"""When a schedule starts its runs: instants computed from what is declared, so that there is no store that could drift.

Cron is read as Debian's cron reads it when clocks change: what is set for a fixed time in the hour that is skipped
starts right after it, in the hour that comes twice it starts once; what runs every few minutes goes on by elapsed time.
Intervals count from the Unix epoch, so that every process and every restart agrees on them. Jitter is drawn from the
schedule's name and the instant, for the same reason.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from syncline.kinds.window import within
from syncline.model import units

if TYPE_CHECKING:
    from syncline.kinds.schedule import ScheduleSpec
    from syncline.kinds.suspend import Suspend

#: Instants outside of windows that are passed over in search of one inside: two months of minutes.
_PASSED_OVER = 90_000
#: Most missed starts that are made up for, the latest ones.
MAX_MISSED = 1_000
_MINUTE, _INSTANT = dt.timedelta(minutes=1), dt.timedelta(microseconds=1)
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True, order=True)
class Fire:
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

    def after(self, instant: dt.datetime) -> Iterator[Fire]:
        """Starts after an instant, without end; none if there never is one within the windows, or while suspended."""
        suspend = self._spec.suspend
        if suspend is not None:
            if suspend.until is None:
                return
            end = dt.datetime.combine(suspend.until, dt.time.min, dt.UTC) + dt.timedelta(days=1)
            instant = max(instant, end - _INSTANT)
        passed_over = 0
        for at in self._instants(instant):
            if within(self._spec.windows, at.astimezone(self._zone)):
                passed_over = 0
                yield Fire(at, self.put_off(at))
            elif (passed_over := passed_over + 1) > _PASSED_OVER:
                return

    def due(self, since: dt.datetime, watched: dt.datetime, now: dt.datetime) -> list[Fire]:
        """
        What is to be started now, in order: all after `since`, the last instant that was dealt with.

        A start that waits for its jitter holds up those after it, so that none is passed over. Starts before `watched`,
        when watching began, were missed: the schedule's `catchUp` says which of them count.
        Of those to be made up for, only the last `MAX_MISSED` are.
        """
        missed: list[Fire] = []
        current: list[Fire] = []
        for fire in self.after(since):
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

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        if self._every is not None:
            at = self._multiple(after) + self._every
            while True:
                yield at
                ahead = at + self._every
                # Windows begin and end at full minutes: of a short interval outside of them, one a minute is looked at.
                minute = at.replace(second=0, microsecond=0) + _MINUTE
                outside = ahead < minute and not within(self._spec.windows, at.astimezone(self._zone))
                at = self._multiple(minute - _INSTANT) + self._every if outside else ahead
        elif self._spec.cron is not None:
            last = after.astimezone(dt.UTC)
            try:
                for local in CronSim(self._spec.cron, after.astimezone(self._zone)):
                    at = local.astimezone(dt.UTC)
                    if at > last:  # never twice, whatever the clocks do
                        last = at
                        yield at
            except CronSimError:  # a day that no month has
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
