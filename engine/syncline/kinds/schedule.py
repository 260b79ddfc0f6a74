"""Schedule: cron, interval or event to syncs and imports: time zone, windows, jitter, concurrency policy."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Duration, Form, SecretRef, Spec
from syncline.kinds.suspend import Suspend
from syncline.kinds.window import Windows
from syncline.model.key import ObjectKey
from syncline.model.kind import Kind, Reference

RunRef = Annotated[str, Field(pattern=r"^(Sync|Import)/[a-z0-9][-a-z0-9]*$"), Form("Sync/NAME or Import/NAME.")]


HeaderName = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$"), Form("The name of an HTTP header.")
]


class Hmac(Spec):
    """A signature in a header: HMAC-SHA256 of the body."""

    header: Annotated[HeaderName, Field(description="Header with the signature, such as X-Hub-Signature-256.")]
    prefix: Annotated[
        str, Field(max_length=40, description="What stands before the signature there, such as sha256=.")
    ] = ""
    encoding: Annotated[Literal["hex", "base64"], Field(description="How the signature is written.")] = "hex"
    id: Annotated[
        HeaderName | None,
        Field(
            description="Header with a name of the delivery that stays when it is sent again, such as "
            "X-GitHub-Delivery: it counts once. Absent: each delivery counts."
        ),
    ] = None


class OnWebhook(Spec):
    """
    Starts when another system delivers a signed webhook at /hook/TENANT/SCHEDULE of `syncline serve --hook`. What is
    in the delivery isn't read: the runs ask the system itself.
    """

    secret: Annotated[
        SecretRef, Field(description="What deliveries are signed with, as a reference: 16 characters or more.")
    ]
    hmac: Annotated[
        Hmac | None,
        Field(description="How the system signs, where it doesn't sign as Standard Webhooks 1.0 says (webhook-*)."),
    ] = None
    pause: Annotated[
        Duration,
        Field(description="Least time from one start to the next; all that is delivered in between starts one."),
    ] = "10s"


class OnEvent(Spec):
    """
    Starts when an event of a type passes the filter, or when a webhook is delivered; exactly one of `event` and
    `webhook`.
    """

    event: Annotated[
        str | None,
        Field(description="run.finish, the end of a run, or apply.finish, an apply that changed something."),
    ] = None
    webhook: Annotated[
        OnWebhook | None, Field(description="A signed webhook of another system, which says that there is something.")
    ] = None
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
    refers={"run": ("Sync", "Import"), "on.of": ("Sync", "Import")},
    example="""\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: every-15-minutes, tenant: acme}
spec: {cron: "*/15 * * * *", timeZone: Europe/Berlin, run: [Sync/helpdesk-tasks]}
""",
)
