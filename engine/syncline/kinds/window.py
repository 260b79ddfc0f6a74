"""Windows: spans of the week in which something may, or may not, start."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from syncline.kinds.base import Spec

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(Spec):
    """A span of the week in which it may, or may not, start."""

    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        Field(description="Days on which it begins; empty: every day."),
    ] = ()
    start: Annotated[
        str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Time at which it begins, as HH:MM in `timeZone`.")
    ]
    end: Annotated[
        str,
        Field(
            pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$",
            description="Time at which it ends, as HH:MM, or 24:00; on the next day if it is before `start`.",
        ),
    ]


class Windows(Spec):
    """When runs may start; a denied window wins."""

    allow: Annotated[tuple[Window, ...], Field(description="Spans in which runs may start; empty: at any time.")] = ()
    deny: Annotated[
        tuple[Window, ...], Field(description="Spans in which no run starts, even inside an allowed one.")
    ] = ()


def within(windows: Windows, local: dt.datetime) -> bool:
    """Whether a run may start at a local time: in an allowed window, if there are any, and in no denied one."""
    return (not windows.allow or _in_any(windows.allow, local)) and not denied(windows, local)


def denied(windows: Windows, local: dt.datetime) -> bool:
    """Whether a local time lies in a denied window."""
    return _in_any(windows.deny, local)


def _in_any(windows: Sequence[Window], local: dt.datetime) -> bool:
    return any(_in(window, local) for window in windows)


def _in(window: Window, local: dt.datetime) -> bool:
    time, today, yesterday = f"{local:%H:%M}", _DAYS[local.weekday()], _DAYS[local.weekday() - 1]
    begins_today = not window.days or today in window.days
    if window.start < window.end:
        return begins_today and window.start <= time < window.end
    over_midnight = not window.days or yesterday in window.days
    return (begins_today and time >= window.start) or (over_midnight and time < window.end)
