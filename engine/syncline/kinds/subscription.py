"""Subscription: what happens, and a filter, to a message through an integration or to a webhook."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Duration, Name, Rate, SecretRef, Spec, Template
from syncline.kinds.suspend import Suspend
from syncline.kinds.tls import Tls
from syncline.model.kind import Kind, Reference

#: `Sync/*`, `Integration/crm`: patterns over kinds and names.
ObjectGlob = Annotated[str, Field(pattern=r"^([A-Z][A-Za-z]*|\*)/[a-z0-9*][-a-z0-9*]*$")]


class Notify(Spec):
    """A message through an integration whose connector can carry messages, such as slack, pagerduty-events or smtp."""

    integration: Annotated[Name, Field(description="Integration that carries the message.")]
    channel: Annotated[
        str,
        Field(
            max_length=1000,
            description="Where it goes inside that system: a channel, or addresses with commas between them.",
        ),
    ] = ""
    title: Annotated[
        Template | None,
        Field(description="First line, or an e-mail's subject: a template over `event`. Absent: what happened."),
    ] = None
    message: Annotated[
        Template | None,
        Field(
            description="Text, a template over `event`, `title` and `text`: what is sent when this is absent, which "
            "is since when, the cause, what to do, and which commands help."
        ),
    ] = None


class Webhook(Spec):
    """A signed POST (Standard Webhooks) to a URL."""

    url: Annotated[str, Field(pattern=r"^https?://", description="URL that the event is sent to.")]
    secret: Annotated[
        SecretRef,
        Field(
            description="Key that requests are signed with, as a reference: `whsec_` and the base64 of 24 to 64 bytes."
        ),
    ]
    previous_secret: Annotated[
        SecretRef | None,
        Field(description="Former key: requests are signed with both, while receivers change to the new one."),
    ] = None
    tls: Annotated[Tls, Field(description="What differs from TLS 1.3 with the machine's authorities.")] = Tls()


class Do(Spec):
    """What happens; exactly one of `notify` and `webhook`. Flows are started by events with a Schedule's `on`."""

    notify: Annotated[Notify | None, Field(description="Sends a message through an integration.")] = None
    webhook: Annotated[Webhook | None, Field(description="Sends the event to a URL, signed.")] = None


class SubscriptionSpec(Spec):
    """
    Tells of what happens: `syncline serve` sends it. A tenant's subscription is told of that tenant's objects, one
    without a tenant of all.
    """

    on: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="What it is told of: incident (something isn't as it should be, until it is again, in one "
            "thread), run.start, run.finish, apply.step, apply.finish.",
        ),
    ]
    objects: Annotated[
        tuple[ObjectGlob, ...],
        Field(description="Only of these, as patterns KIND/NAME: Sync/*, Integration/crm. Empty: of all."),
    ] = ()
    severity: Annotated[
        Literal["info", "warning", "error"] | None,
        Field(
            description="Least severity: error needs a person, warning may pass by itself, info is as it should be. "
            "Absent: any."
        ),
    ] = None
    filter: Annotated[
        Cel | None, Field(description="CEL condition over `event`; only events for which it is true count.")
    ] = None
    wait: Annotated[
        Duration,
        Field(
            description="How long something must be wrong before it is told, and well again before that is told: what "
            "fails of one cause is found to belong together meanwhile."
        ),
    ] = "30s"
    repeat_every: Annotated[
        Duration | None, Field(description="Time between reminders of what is still wrong; null: none are sent.")
    ] = "24h"
    limit: Annotated[
        Rate | None,
        Field(
            description="Most messages in any span of that length; of what is beyond, one digest tells. Absent: 30/h, "
            "and 600/min to a webhook."
        ),
    ] = None
    suspend: Annotated[Suspend | None, Field(description="Keeps it from telling anything, with a reason.")] = None
    do: Annotated[Do, Field(description="Who is told, and how: exactly one of notify and webhook.")]


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, SubscriptionSpec)
    notify = spec.do.notify
    return (
        ()
        if notify is None
        else (Reference("Integration", notify.integration, ("spec", "do", "notify", "integration")),)
    )


KIND = Kind(
    name="Subscription",
    plural="subscriptions",
    spec=SubscriptionSpec,
    scope="either",
    order=8,
    summary="What happens, and a filter, to messages in Slack, PagerDuty, e-mail, or to a webhook.",
    references=_references,
    refers={"do.notify.integration": ("Integration",)},
    example="""\
apiVersion: syncline/v1
kind: Subscription
metadata: {name: ops, tenant: acme}
spec:
  on: [incident]
  filter: event.kind != 'Mapping'
  do: {webhook: {url: "https://hooks.example.com/ops", secret: {secretRef: {provider: env, key: HOOK_SECRET}}}}
""",
)
