"""Schedule: cron, interval or event to syncs and imports: time zone, windows, jitter, concurrency policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Duration, Form, Spec
from syncline.kinds.suspend import Suspend
from syncline.model.key import ObjectKey
from syncline.model.kind import Kind, Reference

RunRef = Annotated[str, Field(pattern=r"^(Sync|Import)/[a-z0-9][-a-z0-9]*$"), Form("Sync/NAME or Import/NAME.")]


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
            pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
            description="Time at which it ends, as HH:MM; on the next day if it is before `start`.",
        ),
    ]


class Windows(Spec):
    """When runs may start; a denied window wins."""

    allow: Annotated[tuple[Window, ...], Field(description="Spans in which runs may start; empty: at any time.")] = ()
    deny: Annotated[
        tuple[Window, ...], Field(description="Spans in which no run starts, even inside an allowed one.")
    ] = ()


class OnEvent(Spec):
    """Starts when an event of this type passes the filter."""

    event: Annotated[
        str, Field(description="run.finish, the end of a run, or apply.finish, an apply that changed something.")
    ]
    of: Annotated[
        tuple[RunRef, ...], Field(description="Syncs and imports whose runs count; for run.finish, which needs them.")
    ] = ()
    filter: Annotated[
        Cel | None, Field(description="CEL condition over `event`; only events for which it is true count.")
    ] = None


class ScheduleSpec(Spec):
    """
    When runs start; exactly one of `cron`, `every` and `on`. `syncline schedules` shows the next starts, and
    `syncline serve` starts the runs.
    """

    cron: Annotated[
        str | None, Field(description='Times in five fields, minute hour day month weekday: "*/15 * * * *".')
    ] = None
    every: Annotated[
        Duration | None, Field(description="Fixed time between starts, such as 15m; counted from the Unix epoch.")
    ] = None
    on: Annotated[
        OnEvent | None,
        Field(description="Event that starts the runs. Several that come while they are under way start them once."),
    ] = None
    time_zone: Annotated[
        str, Field(description="IANA time zone that cron and windows are read in, such as Europe/Berlin.")
    ] = "UTC"
    windows: Annotated[Windows, Field(description="Spans of the week in which runs may, or may not, start.")] = (
        Windows.model_construct()
    )
    jitter: Annotated[
        Duration | None,
        Field(description="Most that a start is put off, such as 30s: by a time drawn from its name and instant."),
    ] = None
    concurrency: Annotated[
        Literal["allow", "forbid", "replace"],
        Field(
            description="While a run of the flow is still going: forbid passes the start over, allow has it follow "
            "that run, replace ends that run at its next commit and then starts. Two runs of a flow never overlap."
        ),
    ] = "forbid"
    catch_up: Annotated[
        Literal["none", "last", "all"],
        Field(
            description="Starts that were missed while nothing watched: none, only the last, or all are made up for."
        ),
    ] = "last"
    suspend: Annotated[Suspend | None, Field(description="Keeps the schedule from starting runs, with a reason.")] = (
        None
    )
    run: Annotated[
        tuple[RunRef, ...],
        Field(min_length=1, description="What starts, each once: by `syncline serve`."),
    ]


def run_references(run: tuple[str, ...], *path: str) -> tuple[Reference, ...]:
    """References of a list of Sync/NAME and Import/NAME."""
    split = [ref.split("/", 1) for ref in run]
    return tuple(Reference(kind, name, (*path, i)) for i, (kind, name) in enumerate(split))


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, ScheduleSpec)
    found = run_references(spec.run, "spec", "run")
    return found if spec.on is None else (*found, *run_references(spec.on.of, "spec", "on", "of"))


def flows_of(tenant: str, names: Iterable[str]) -> tuple[ObjectKey, ...]:
    """The flows that `Sync/NAME` and `Import/NAME` mean, in a schedule of this tenant."""
    return tuple(ObjectKey(tenant, *name.split("/", 1)) for name in names)


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
