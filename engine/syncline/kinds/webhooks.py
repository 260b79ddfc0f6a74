"""Webhooks that an Integration wants to be registered at its system."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import SecretRef, Spec
from syncline.kinds.drift import Reaction


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
