"""How webhooks are registered at an HTTP API."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Jmespath, Spec, StreamName
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
