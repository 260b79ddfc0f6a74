"""Subscription: events and a filter to a notification, a run or a webhook."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Name, SecretRef, Spec, Template
from syncline.kinds.schedule import RunRef, run_references
from syncline.model.kind import Kind, Reference


class Notify(Spec):
    """A message through an integration."""

    integration: Annotated[Name, Field(description="Integration that carries the message.")]
    channel: Annotated[str, Field(description="Where it goes inside that system, such as a channel or an address.")] = (
        ""
    )
    message: Annotated[Template, Field(description="Text of the message, a template over `event`.")]


class Webhook(Spec):
    """A signed POST (Standard Webhooks) to a URL."""

    url: Annotated[str, Field(pattern=r"^https?://", description="URL that the event is sent to.")]
    secret: Annotated[SecretRef, Field(description="Key that the request is signed with, as a reference.")]


class Do(Spec):
    """What happens; exactly one of `notify`, `run` and `webhook`."""

    notify: Annotated[Notify | None, Field(description="Sends a message through an integration.")] = None
    run: Annotated[tuple[RunRef, ...], Field(description="Starts these syncs and imports.")] = ()
    webhook: Annotated[Webhook | None, Field(description="Sends the event to a URL, signed.")] = None


class SubscriptionSpec(Spec):
    """Reacts to events. This version checks a Subscription; nothing is sent or started because of it."""

    on: Annotated[
        tuple[str, ...], Field(min_length=1, description="Types of event, such as run.finish and apply.finish.")
    ]
    filter: Annotated[
        Cel | None, Field(description="CEL condition over `event`; only events for which it is true count.")
    ] = None
    do: Annotated[
        Do,
        Field(
            description="What happens: exactly one of notify, run and webhook. This version doesn't react to events."
        ),
    ]


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, SubscriptionSpec)
    found = list(run_references(spec.do.run, "spec", "do", "run"))
    if spec.do.notify:
        found.append(Reference("Integration", spec.do.notify.integration, ("spec", "do", "notify", "integration")))
    return tuple(found)


KIND = Kind(
    name="Subscription",
    plural="subscriptions",
    spec=SubscriptionSpec,
    scope="tenant",
    order=8,
    summary="Events and a filter to a notification, a run or a webhook.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Subscription
metadata: {name: failed-runs, tenant: acme}
spec:
  on: [run.finish]
  filter: event.outcome == 'failure'
  do: {webhook: {url: "https://hooks.example.com/ops", secret: {secretRef: {provider: env, key: HOOK_SECRET}}}}
""",
)
