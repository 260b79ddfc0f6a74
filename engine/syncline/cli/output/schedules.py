"""Schedules and their next starts, for people and for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from syncline.cli.output.text import duration, visible
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.kinds.schedule import ScheduleSpec
    from syncline.manifests.timetable import Fire


class Shown(Struct, frozen=True):
    """A schedule by its name, and its next starts after `now`."""

    name: str
    spec: ScheduleSpec
    starts: Sequence[Fire]
    now: dt.datetime

    @property
    def rule(self) -> str:
        """When it starts, in short."""
        if self.spec.on is not None and self.spec.on.webhook is not None:
            return f"on webhooks at /hook/{self.name.replace('/Schedule/', '/')}"
        if self.spec.on is not None:
            return f"on {self.spec.on.event}" + (f" where {self.spec.on.filter}" if self.spec.on.filter else "")
        if self.spec.every is not None:
            return f"every {self.spec.every}"
        return f"{self.spec.cron} in {self.spec.time_zone}"

    @property
    def note(self) -> str:
        """Why there are no starts to show, or why they don't count; '' where they do."""
        suspend = self.spec.suspend
        if suspend is not None and suspend.holds(self.now.astimezone(dt.UTC).date()):
            return "suspended" + (f" until {suspend.until}" if suspend.until else "") + f": {suspend.reason}"
        if self.spec.on is None and not self.starts:
            return "it never starts: no start lies within its windows"
        return ""


def render_schedules(schedules: Sequence[Shown], now: dt.datetime, paint: Paint) -> str:
    """Each schedule with its runs and next starts, in its own time zone."""
    lines: list[str] = []
    for schedule in schedules:
        lines += [
            f"{paint.bold(schedule.name)}  {visible(schedule.rule)}",
            f"  starts {visible(', '.join(schedule.spec.run))}",
        ]
        if schedule.note:
            lines.append(f"  {paint.yellow(visible(schedule.note))}")
        zone = ZoneInfo(schedule.spec.time_zone)
        for fire in schedule.starts:
            local = fire.starts.astimezone(zone)
            ahead = duration(int((fire.starts - now).total_seconds()))
            lines.append(f"  {local:%a %Y-%m-%d %H:%M:%S %Z}  in {ahead}")
        lines.append("")
    return "\n".join(lines)


def to_document(schedule: Shown) -> dict[str, Any]:
    """A schedule as JSON. Times are in UTC: `at` is the declared instant, `starts` the one after jitter."""
    return {
        "schedule": schedule.name,
        "rule": schedule.rule,
        "timeZone": schedule.spec.time_zone,
        "run": list(schedule.spec.run),
        "note": schedule.note,
        "next": [{"at": rfc3339(fire.at), "starts": rfc3339(fire.starts)} for fire in schedule.starts],
    }
