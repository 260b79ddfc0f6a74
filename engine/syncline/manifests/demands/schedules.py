"""What a Schedule demands beyond its model: one way to start, times that there are, windows that a start lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.manifests import cron
from syncline.manifests.demands.choices import exactly_one, not_one_of, repeated
from syncline.manifests.demands.zone import check_zone
from syncline.manifests.findings import Problem
from syncline.model import units
from syncline.model.trigger import TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.kinds.schedule import OnEvent, ScheduleSpec
    from syncline.kinds.window import Windows
    from syncline.model.manifest import Path

_SPEC: Final = ("spec",)


def check_schedule(spec: ScheduleSpec) -> Iterator[Problem]:
    """Everything that is wrong with a schedule that its model accepts."""
    yield from exactly_one(spec, ("cron", "every", "on"), _SPEC, "a schedule")
    if spec.cron is not None and (wrong := cron.problem(spec.cron)):
        yield Problem(
            "SYN214",
            (*_SPEC, "cron"),
            f"{spec.cron!r} is not a cron expression: {wrong}",
            expected='five fields, such as "*/15 * * * *"',
        )
    if spec.every is not None and units.duration(spec.every) < 1:
        yield Problem(
            "SYN205", (*_SPEC, "every"), f"{spec.every} is too short a time between starts", expected="1s or more"
        )
    if spec.on is not None:
        yield from _on_event(spec.on)
    zone = tuple(check_zone(spec.time_zone, (*_SPEC, "timeZone")))
    yield from zone
    yield from repeated(list(spec.run), (*_SPEC, "run"), "", "run")
    yield from check_time_windows(spec.windows, (*_SPEC, "windows"))
    if not zone and (spec.windows.allow or spec.windows.deny):
        yield from _never(spec)


def _never(spec: ScheduleSpec) -> Iterator[Problem]:
    """That a schedule by time has no start within its windows."""
    from syncline.manifests.timetable import ever_starts

    by_time = spec.on is None and (spec.cron is None or not cron.problem(spec.cron))
    if not by_time or (spec.cron is None) == (spec.every is None) or ever_starts(spec):
        return
    rule = f"every {spec.every}" if spec.every is not None else f"{spec.cron!r}"
    yield Problem("SYN338", (*_SPEC, "windows"), f"no start of {rule} lies within the windows", warning=True)


def _on_event(on: OnEvent) -> Iterator[Problem]:
    path: Path = (*_SPEC, "on")
    yield from exactly_one(on, ("event", "webhook"), path, "what starts by an event")
    if on.webhook is not None:
        for name in ("of", "filter"):
            if getattr(on, name):
                yield Problem(
                    "SYN205", (*path, name), "a webhook is of no flow, and isn't read", help=f"Leave `{name}` out."
                )
        return
    if on.event is None:
        return
    if on.event not in TRIGGERS:
        yield not_one_of(on.event, TRIGGERS, (*path, "event"), "type of event that starts runs")
    if on.event == "run.finish" and not on.of:
        yield Problem("SYN202", path, "run.finish needs the field 'of': whose runs count", expected="of: [Sync/NAME]")
    if on.event == "apply.finish" and on.of:
        yield Problem("SYN205", (*path, "of"), "an apply is of no sync or import", help="Leave `of` out.")
    yield from repeated(list(on.of), (*path, "of"), "", "flow")


def check_time_windows(windows: Windows, path: Path) -> Iterator[Problem]:
    """That windows of the day have a length, for schedules and for changes of a tenant."""
    for part in ("allow", "deny"):
        for position, window in enumerate(getattr(windows, part)):
            if window.start == window.end:
                yield Problem(
                    "SYN205",
                    (*path, part, position, "end"),
                    "the window has no length",
                    help="A whole day is from 00:00 to 24:00.",
                )
