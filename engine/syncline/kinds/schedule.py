"""Schedule: cron, interval or event to syncs and imports: time zone, windows, jitter, concurrency policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Duration, Spec
from syncline.kinds.sync import Suspend
from syncline.model.kind import Kind, Reference

RunRef = Annotated[str, Field(pattern=r"^(Sync|Import)/[a-z0-9][-a-z0-9]*$", description="Sync/NAME or Import/NAME.")]


class Window(Spec):
    """A span of the week in which it may, or may not, start."""

    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field()] = ()
    start: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM.")]
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM, on the next day if earlier.")]


class Windows(Spec):
    """When runs may start; a denied window wins."""

    allow: tuple[Window, ...] = ()
    deny: tuple[Window, ...] = ()


class OnEvent(Spec):
    """Starts when an event of this type passes the filter."""

    event: str
    filter: Cel | None = None


class ScheduleSpec(Spec):
    """When runs start; exactly one of `cron`, `every` and `on`."""

    cron: Annotated[str | None, Field(description="Five fields: minute hour day month weekday.")] = None
    every: Annotated[Duration | None, Field(description="A fixed interval.")] = None
    on: OnEvent | None = None
    time_zone: Annotated[str, Field(description="IANA time zone.")] = "UTC"
    windows: Windows = Windows.model_construct()
    jitter: Annotated[Duration | None, Field(description="Starts up to this much later, by chance.")] = None
    concurrency: Annotated[
        Literal["allow", "forbid", "replace"], Field(description="While one still runs: start, skip, or stop it.")
    ] = "forbid"
    catch_up: Annotated[Literal["none", "last", "all"], Field(description="Starts missed while nobody watched.")] = (
        "last"
    )
    suspend: Suspend | None = None
    run: Annotated[tuple[RunRef, ...], Field(min_length=1)]


def run_references(run: tuple[str, ...], *path: str) -> tuple[Reference, ...]:
    """References of a list of Sync/NAME and Import/NAME."""
    split = [ref.split("/", 1) for ref in run]
    return tuple(Reference(kind, name, (*path, i)) for i, (kind, name) in enumerate(split))


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, ScheduleSpec)
    return run_references(spec.run, "spec", "run")


KIND = Kind(
    name="Schedule",
    plural="schedules",
    spec=ScheduleSpec,
    scope="tenant",
    order=7,
    summary="Cron, interval or event to syncs and imports.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: every-15-minutes, tenant: acme}
spec: {cron: "*/15 * * * *", timeZone: Europe/Berlin, run: [Sync/helpdesk-tasks]}
""",
)
