"""Sync: a source stream through a mapping to a destination stream: read and write modes, deletes, conflicts, guards."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Identifier, Name, Share, Spec
from syncline.model.kind import Kind, Reference

#: `helpdesk/tickets`: a stream of an integration.
Endpoint = Annotated[
    str, Field(pattern=r"^[a-z0-9][-a-z0-9]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$", description="integration/stream.")
]
WriteMode = Literal["append", "upsert", "replace"]


class Guards(Spec):
    """Bounds past which a run stops before it commits more."""

    max_rejects: Annotated[Share | None, Field(description="Rejected records, of those read.")] = None
    max_deletes: Annotated[Share | None, Field(description="Deleted rows, of those there.")] = None
    max_shrink: Annotated[Share | None, Field(description="How much smaller a replaced table may get.")] = None
    min_rows: Annotated[int | None, Field(ge=0, description="Fewer rows than this are a failure.")] = None


class Suspend(Spec):
    """Keeps it from running, with a reason."""

    reason: Annotated[str, Field(min_length=1)]
    until: Annotated[dt.date | None, Field(strict=False)] = None


class SyncSpec(Spec):
    """A flow of records that is run again and again."""

    source: Annotated[Endpoint, Field(alias="from")]
    mapping: Name
    to: Endpoint
    read: Annotated[Literal["full", "incremental"], Field(description="All records, or those past the cursor.")] = (
        "full"
    )
    write: WriteMode = "upsert"
    key: Annotated[tuple[Identifier, ...], Field(description="Instead of the mapping's key.")] = ()
    deletes: Annotated[
        Literal["ignore", "soft", "hard"], Field(description="What becomes of rows gone at the source.")
    ] = "ignore"
    conflicts: Annotated[Literal["source", "newest", "destination"], Field(description="Who wins.")] = "source"
    guards: Guards = Guards.model_construct()
    suspend: Suspend | None = None


def endpoint(text: str) -> tuple[str, str]:
    """`helpdesk/tickets` as ("helpdesk", "tickets")."""
    integration, _, stream = text.partition("/")
    return integration, stream


def flow_references(source: str, mapping: str, to: str) -> tuple[Reference, ...]:
    """What a sync and an import refer to alike."""
    from_integration, from_stream = endpoint(source)
    to_integration, to_stream = endpoint(to)
    return (
        Reference("Integration", from_integration, ("spec", "from"), part=from_stream),
        Reference("Mapping", mapping, ("spec", "mapping")),
        Reference("Integration", to_integration, ("spec", "to"), part=to_stream),
    )


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, SyncSpec)
    return flow_references(spec.source, spec.mapping, spec.to)


KIND = Kind(
    name="Sync",
    plural="syncs",
    spec=SyncSpec,
    scope="tenant",
    order=6,
    summary="A source stream through a mapping to a destination stream, run again and again.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Sync
metadata: {name: helpdesk-tasks, tenant: acme}
spec: {from: helpdesk/tickets, mapping: ticket-to-task, to: warehouse/tasks, read: incremental, write: upsert}
""",
)
