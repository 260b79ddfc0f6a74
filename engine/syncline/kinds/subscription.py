"""Subscription: events and a filter to a notification, a run or a webhook."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Name, SecretRef, Spec, Template
from syncline.kinds.schedule import RunRef, run_references
from syncline.model.kind import Kind, Reference


class Notify(Spec):
    """A message through an integration."""

    integration: Name
    channel: str = ""
    message: Template


class Webhook(Spec):
    """A signed POST (Standard Webhooks) to a URL."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    secret: SecretRef


class Do(Spec):
    """What happens; exactly one of `notify`, `run` and `webhook`."""

    notify: Notify | None = None
    run: tuple[RunRef, ...] = ()
    webhook: Webhook | None = None


class SubscriptionSpec(Spec):
    """Reacts to events."""

    on: Annotated[tuple[str, ...], Field(min_length=1, description="Event types: run.finish, apply.finish.")]
    filter: Annotated[Cel | None, Field(description="Only events for which it is true.")] = None
    do: Do


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
