"""What a sync that deletes rows demands of its source, its destination and its mapping."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.mapping import MappingSpec
from syncline.kinds.sync import SOFT_MARK, SyncSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow


def deletes(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that is to delete rows, and can't."""
    spec = flow.spec
    if not isinstance(spec, SyncSpec) or spec.deletes == "ignore":
        return
    for message, help_ in _hindrances(flow, spec):
        yield Problem(
            "SYN525", ("spec", "deletes"), f"deletes: {spec.deletes} can't run: {message}", help=help_, at_key=False
        )
    mapping = flow.mapping.spec
    assert isinstance(mapping, MappingSpec)
    if spec.deletes == "soft" and any(field.to.lower() == SOFT_MARK for field in mapping.fields):
        yield Problem(
            "SYN526",
            ("spec", "deletes"),
            f"the mapping {flow.mapping.key.name!r} makes {SOFT_MARK!r}, which deletes: soft keeps for itself",
            help="Give the mapping's field another name, or use deletes: hard.",
            at_key=False,
        )


def absent(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that is to delete what a read lacks, and can't, or has no bound to it."""
    spec = flow.spec
    if not isinstance(spec, SyncSpec) or spec.absent == "keep":
        return
    for message, help_ in _not_whole(flow, spec):
        yield Problem("SYN530", ("spec", "absent"), f"absent: delete can't run: {message}", help=help_, at_key=False)
    if spec.guards.max_deletes is None:
        yield Problem(
            "SYN531",
            ("spec", "absent"),
            "absent: delete needs guards.maxDeletes, the most rows that a run may delete",
            expected="guards: {maxDeletes: 5%}, or a count",
            at_key=False,
        )


def retirement(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow whose table is to be dropped with it, and can't, or isn't its own."""
    spec, runtime = flow.spec, flow.target.runtime
    if spec.deletion == "retain":
        return
    hindrance = ""
    if runtime != "sql":
        hindrance = f"this version drops tables of databases, and nothing by {runtime}"
    elif spec.existing == "adopt":
        hindrance = "existing: adopt takes over a table that may have rows of others"
    if hindrance:
        yield Problem(
            "SYN781",
            ("spec", "deletion"),
            f"deletion: delete can't run: {hindrance}",
            expected="deletion: retain",
            at_key=False,
        )


def _not_whole(flow: Flow, spec: SyncSpec) -> Iterator[tuple[str, str]]:
    if spec.read != "full":
        yield f"read: {spec.read} doesn't read everything, so what it lacks isn't gone", "Use read: full."
    if spec.write == "replace":
        yield "write: replace drops what is gone by itself", "Leave absent out."
    elif spec.write != "upsert":
        yield f"write: {spec.write} knows no rows by key", "Use write: upsert."
    if spec.deletes == "soft":
        yield "deletes: soft keeps the rows that are marked, and it would remove them", "Use deletes: hard or ignore."
    if flow.target.runtime != "sql":
        yield f"what a destination by {flow.target.runtime} has isn't known as a whole", "Write to a database."


def _hindrances(flow: Flow, spec: SyncSpec) -> Iterator[tuple[str, str]]:
    stream = flow.source.of_api
    if spec.write == "replace":
        yield "write: replace drops what is gone by itself", "Leave deletes out."
    elif spec.write != "upsert":
        yield f"write: {spec.write} knows no rows by key", "Use write: upsert."
    if stream is None or stream.deleted is None:
        yield (
            f"nothing says which records of {flow.source.stream!r} were deleted",
            "Declare `deleted` for the stream in its connector; else use absent: delete to drop what a read lacks.",
        )
    if flow.target.runtime == "rest":
        yield from _api(flow, spec)
    elif flow.target.runtime != "sql":
        yield f"this version deletes in databases and APIs, not by {flow.target.runtime}", "Use deletes: ignore."


def _api(flow: Flow, spec: SyncSpec) -> Iterator[tuple[str, str]]:
    from syncline.manifests.demands.api_writes import knows_ids

    stream = flow.target.of_api
    write = stream.write if stream is not None else None
    if spec.deletes == "soft":
        yield "an API has no column to mark", "Use deletes: hard."
    elif write is not None and write.delete is None:
        yield f"the stream {flow.target.stream!r} declares no request that deletes", "Declare write.delete."
    elif write is not None and not knows_ids(write, "delete"):
        yield "write.delete reads the id of a record, and nothing gives it", "Declare write.id, or write.find."
    if (bound := spec.guards.max_deletes) is not None and str(bound).endswith("%"):
        yield "how many records an API has isn't known, so maxDeletes can't be a share", "Write maxDeletes as a count."
