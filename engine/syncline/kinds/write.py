"""How records are written to a stream of an HTTP API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Spec
from syncline.kinds.request import Request


class Writes(Spec):
    """Requests that create, update or delete a record. This version doesn't write to APIs."""

    create: Annotated[Request | None, Field(description="Request that creates a record.")] = None
    update: Annotated[Request | None, Field(description="Request that changes a record that is there.")] = None
    upsert: Annotated[Request | None, Field(description="Request that creates a record, or changes it if there.")] = (
        None
    )
    delete: Annotated[Request | None, Field(description="Request that deletes a record.")] = None
