"""Import: a bulk load of files: validate first, partitions, guards, rollback window."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Duration, Identifier, Name, Spec
from syncline.kinds.sync import Endpoint, Guards, Suspend, WriteMode, flow_references
from syncline.model.kind import Kind, Reference


class Rollback(Spec):
    """For how long an import can be undone."""

    window: Duration


class ImportSpec(Spec):
    """A bulk load, run when asked for."""

    source: Annotated[Endpoint, Field(alias="from")]
    mapping: Name
    to: Endpoint
    write: WriteMode = "upsert"
    key: Annotated[tuple[Identifier, ...], Field(description="Instead of the mapping's key.")] = ()
    validate_first: Annotated[
        Literal["inline", "before-commit"],
        Field(alias="validate", description="Check while loading, or everything before the first write."),
    ] = "inline"
    partitions: Annotated[int | None, Field(ge=1, le=256, description="Parts worked on at the same time.")] = None
    guards: Guards = Guards.model_construct()
    rollback: Rollback | None = None
    suspend: Suspend | None = None


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, ImportSpec)
    return flow_references(spec.source, spec.mapping, spec.to)


KIND = Kind(
    name="Import",
    plural="imports",
    spec=ImportSpec,
    scope="tenant",
    order=6,
    summary="A bulk load of files through a mapping, with guards.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Import
metadata: {name: crm-customers, tenant: acme}
spec: {from: crm-export/customers, mapping: customer, to: warehouse/customers, guards: {maxRejects: 5%}}
""",
)
