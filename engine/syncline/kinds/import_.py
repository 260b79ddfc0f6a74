"""Import: a bulk load of files: validate first, partitions, guards, rollback window."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Duration, Identifier, Name, Spec
from syncline.kinds.drift import DRIFT, Drift
from syncline.kinds.handling import Use
from syncline.kinds.retention import Retention
from syncline.kinds.suspend import Suspend
from syncline.kinds.sync import (
    DELETION,
    EVIDENCE,
    EXISTING,
    FROM,
    GUARDS,
    KEY,
    MAPPING,
    PROGRESS_DEADLINE,
    RETENTION,
    SUSPEND,
    TO,
    USE,
    WRITE,
    Endpoint,
    Guards,
    WriteMode,
    flow_references,
)
from syncline.model.kind import Kind, Reference


class Rollback(Spec):
    """For how long a run can be undone. What that needs is kept until then, encrypted, beside the rows."""

    window: Annotated[
        Duration, Field(description="Time after a run's last write in which it can be undone, such as 7d.")
    ]


class ImportSpec(Spec):
    """A bulk load, run when asked for."""

    source: Annotated[Endpoint, Field(alias="from", description=FROM)]
    mapping: Annotated[Name, Field(description=MAPPING)]
    to: Annotated[Endpoint, Field(description=TO)]
    read: Annotated[
        Literal["full", "changed"],
        Field(
            description="full reads every file in every run; changed those that are new, or have other content, since "
            "the last one. After a change of the mapping an upsert reads all of them."
        ),
    ] = "full"
    write: Annotated[WriteMode, Field(description=WRITE)] = "upsert"
    key: Annotated[tuple[Identifier, ...], Field(description=KEY)] = ()
    validate_first: Annotated[
        Literal["inline", "before-commit"],
        Field(
            alias="validate",
            description="inline checks each batch as it is loaded; before-commit reads and checks everything, with the "
            "guards, before the first write.",
        ),
    ] = "inline"
    partitions: Annotated[
        int | None,
        Field(
            ge=1,
            le=256,
            description="Parts of the files, of about 2 MiB, that are mapped at the same time, and sent over as many "
            "connections to PostgreSQL, at most four. The outcome is the same. Absent: one a core, up to 4.",
        ),
    ] = None
    guards: Annotated[Guards, Field(description=GUARDS)] = Guards.model_construct()
    progress_deadline: Annotated[Duration, Field(description=PROGRESS_DEADLINE)] = "10m"
    existing: Annotated[Literal["refuse", "adopt"], Field(description=EXISTING)] = "refuse"
    deletion: Annotated[Literal["retain", "delete"], Field(description=DELETION)] = "retain"
    drift: Annotated[Drift, Field(description=DRIFT)] = Drift.model_construct()
    evidence: Annotated[Literal["digests", "records"], Field(description=EVIDENCE)] = "digests"
    use: Annotated[Use, Field(description=USE)] = Use.model_construct()
    retention: Annotated[Retention | None, Field(description=RETENTION)] = None
    rollback: Annotated[
        Rollback | None,
        Field(
            description="For how long what a run wrote can be undone: `syncline runs rollback`. Needs a "
            "database or a folder of files as destination."
        ),
    ] = None
    suspend: Annotated[Suspend | None, Field(description=SUSPEND)] = None


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
    refers={"from": ("Integration",), "mapping": ("Mapping",), "to": ("Integration",)},
    example="""\
apiVersion: syncline/v1
kind: Import
metadata: {name: crm-customers, tenant: acme}
spec: {from: crm-export/customers, mapping: customer, to: warehouse/customers, guards: {maxRejects: 5%}}
""",
)
