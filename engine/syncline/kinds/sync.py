"""Sync: a source stream through a mapping to a destination stream: read and write modes, deletes, conflicts, guards."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Duration, Form, Identifier, Name, Share, Spec
from syncline.kinds.drift import DRIFT, Drift
from syncline.kinds.handling import Use
from syncline.kinds.retention import Retention
from syncline.kinds.suspend import Suspend
from syncline.model.kind import Kind, Reference

#: `helpdesk/tickets`: a stream of an integration.
Endpoint = Annotated[
    str, Field(pattern=r"^[a-z0-9][-a-z0-9]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$"), Form("integration/stream.")
]
WriteMode = Literal["append", "upsert", "replace"]

#: The column that says when a row was deleted at the source, for `deletes: soft`.
SOFT_MARK: Final = "deleted_at"

# What fields mean that a sync and an import have alike.
FROM: Final = "Stream that records are read from, such as helpdesk/tickets."
MAPPING: Final = "Mapping from the source's records to the destination's, by name."
TO: Final = "Stream that records are written to, such as warehouse/tasks: a table of a database, or a folder."
WRITE: Final = (
    "append adds rows; upsert updates rows by key and adds the new ones; replace swaps the whole table after success."
)
KEY: Final = "Target fields that identify a record, instead of the mapping's key. An upsert needs one of the two."
PROGRESS_DEADLINE: Final = (
    "Longest time without a record, or an answer of an API to go on with, and longest time that a destination may take "
    "for one batch, after which a run is ended; the next one continues where it stopped."
)
GUARDS: Final = "Bounds past which a run stops: too many rejects, lost rows or rows, too few rows, other totals."
EXISTING: Final = (
    "What the first run does with a table that is there already, has rows, and that no flow made: refuse leaves it "
    "alone and fails, adopt writes to it as it is, if it fits."
)
EVIDENCE: Final = (
    "What the audit log can prove of a run. digests: how many records, and the digest of all. records: besides, that a "
    "single record was written, without showing others (not into APIs)."
)
USE: Final = "What its records are used for, and what allows it; policy judges by it."
RETENTION: Final = "How long rows are kept at the destination; older ones are deleted. Absent: without an end."
DELETION: Final = (
    "What becomes of the table when this is no longer declared: retain leaves it with its rows; delete drops it in a "
    "database, where a flow made it and no other one writes to it."
)
SUSPEND: Final = "Keeps it from running, with a reason, until it is removed or its last day is over."


class Control(Spec):
    """Control totals that came with the data, such as in a trailer or a covering letter."""

    records: Annotated[
        int | None, Field(ge=0, description="Exactly so many records are read, rejected and skipped ones included.")
    ] = None
    sums: Annotated[
        dict[Identifier, Annotated[str, Field(pattern=r"^-?[0-9]{1,36}(\.[0-9]{1,18})?$")]],
        Field(description="The sum of a field of the mapping over all rows that are written, exactly: '1204.50'."),
    ] = {}


class Anonymity(Spec):
    """A floor of k-anonymity: each row of a run is alike with others in the fields by which people are told apart."""

    fields: Annotated[
        tuple[Identifier, ...],
        Field(min_length=1, description="Target fields that tell people apart together, such as born, zip and sex."),
    ]
    k: Annotated[int, Field(ge=2, le=10_000, description="Fewest rows of the run that have the same values in them.")]


class Guards(Spec):
    """Bounds past which a run stops: rejects, deletes, rows lost, too few or too many, control totals, anonymity."""

    max_rejects: Annotated[
        Share | None,
        Field(description="Most records that may be rejected: a share of those read, or a count. Absent: any number."),
    ] = None
    max_deletes: Annotated[
        Share | None,
        Field(
            description="Most rows that a run may delete: a share of those there, or a count. A batch with more is not "
            "committed. Absent: any number."
        ),
    ] = None
    max_shrink: Annotated[
        Share | None,
        Field(
            description="Most that a replaced table may shrink, as a share of its rows: 10%. Absent: it may not lose "
            "them all, unless minRows is 0."
        ),
    ] = None
    min_rows: Annotated[
        int | None, Field(ge=0, description="Fewest rows that a run must write; with fewer it fails at its end.")
    ] = None
    max_rows: Annotated[
        int | None, Field(ge=1, description="Most rows that a run may write; a batch with more is not committed.")
    ] = None
    anonymity: Annotated[
        Anonymity | None,
        Field(
            description="How many rows must be alike: of a table that is replaced, counted before the swap, or of an "
            "import with validate: before-commit, before its first write. Otherwise nothing is written."
        ),
    ] = None
    control: Annotated[
        Control | None,
        Field(
            description="Control totals; a run that comes to others fails at its end: before the swap of a replaced "
            "table, before the first write of an import with validate: before-commit."
        ),
    ] = None


class SyncSpec(Spec):
    """A flow of records. A run reads, maps and writes them in batches; one that was stopped goes on where it was."""

    source: Annotated[Endpoint, Field(alias="from", description=FROM)]
    mapping: Annotated[Name, Field(description=MAPPING)]
    to: Annotated[Endpoint, Field(description=TO)]
    read: Annotated[
        Literal["full", "incremental"],
        Field(description="full reads all records in every run; incremental those past the cursor of the run before."),
    ] = "full"
    write: Annotated[WriteMode, Field(description=WRITE)] = "upsert"
    key: Annotated[tuple[Identifier, ...], Field(description=KEY)] = ()
    deletes: Annotated[
        Literal["ignore", "soft", "hard"],
        Field(
            description="What tombstones (the source stream's `deleted`) do to rows of an upsert. hard deletes them; "
            "soft, in a database, sets deleted_at until the record is back. What a full read lacks: see absent."
        ),
    ] = "ignore"
    absent: Annotated[
        Literal["keep", "delete"],
        Field(
            description="What rows of an upsert become whose record a full read no longer has. delete removes them at "
            "the end of a run, within guards.maxDeletes; the database's table is the sync's own then."
        ),
    ] = "keep"
    conflicts: Annotated[
        Literal["source", "newest", "destination"],
        Field(description="Which side wins where both changed a row. This version only executes source."),
    ] = "source"
    guards: Annotated[Guards, Field(description=GUARDS)] = Guards.model_construct()
    progress_deadline: Annotated[Duration, Field(description=PROGRESS_DEADLINE)] = "10m"
    existing: Annotated[Literal["refuse", "adopt"], Field(description=EXISTING)] = "refuse"
    deletion: Annotated[Literal["retain", "delete"], Field(description=DELETION)] = "retain"
    drift: Annotated[Drift, Field(description=DRIFT)] = Drift.model_construct()
    evidence: Annotated[Literal["digests", "records"], Field(description=EVIDENCE)] = "digests"
    use: Annotated[Use, Field(description=USE)] = Use.model_construct()
    retention: Annotated[Retention | None, Field(description=RETENTION)] = None
    suspend: Annotated[Suspend | None, Field(description=SUSPEND)] = None


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
    refers={"from": ("Integration",), "mapping": ("Mapping",), "to": ("Integration",)},
    example="""\
apiVersion: syncline/v1
kind: Sync
metadata: {name: helpdesk-tasks, tenant: acme}
spec: {from: helpdesk/tickets, mapping: ticket-to-task, to: warehouse/tasks, read: incremental, write: upsert}
""",
)
