"""Webhooks at a system: how a Connector registers them there, and which ones an Integration wants to be registered."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Jmespath, SecretRef, Spec, StreamName
from syncline.kinds.drift import Reaction
from syncline.kinds.request import Request

#: Requests that register webhooks.
REQUESTS = ("create", "update", "delete")


class Registering(Spec):
    """
    How webhooks are registered at an API. Templates of the requests read `config`, `now`, `webhook.name`,
    `webhook.url`, `webhook.events`, `webhook.secret`, and `webhook.id`, which is known for update and delete.
    """

    stream: Annotated[StreamName, Field(description="Stream whose records are the webhooks that are registered there.")]
    id: Annotated[Jmespath, Field(description="JMESPath expression over a record that gives its id.")] = "id"
    url: Annotated[Jmespath, Field(description="JMESPath expression over a record: where it is sent to.")] = "url"
    events: Annotated[
        Jmespath | None,
        Field(description="JMESPath expression over a record: the list of its events. Absent: they aren't compared."),
    ] = None
    active: Annotated[
        Jmespath | None,
        Field(description="JMESPath condition over a record: it is sent, and not disabled. Absent: it always is."),
    ] = None
    create: Annotated[Request, Field(description="Request that registers one.")]
    update: Annotated[
        Request | None,
        Field(description="Request that changes one by its id, and enables it. Absent: it is deleted and made anew."),
    ] = None
    delete: Annotated[Request, Field(description="Request that deletes one by its id; 404 and 410: it is gone.")]


class RemoteWebhook(Spec):
    """A webhook that is to be registered at the integration's system."""

    url: Annotated[
        str, Field(pattern=r"^https?://", max_length=2048, description="Where the system is to send to: https://….")
    ]
    events: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Field(max_length=200, description="Events that it is to be sent, as the system calls them: push."),
    ] = ()
    secret: Annotated[
        SecretRef | None,
        Field(description="What the system is to sign with, or to send along. Where it is replaced, it is sent anew."),
    ] = None
    drift: Annotated[
        Reaction | None,
        Field(
            description="Reaction where somebody deleted, changed or disabled it there: report, or heal by registering "
            "it again. Absent: as the tenant says, else report."
        ),
    ] = None
