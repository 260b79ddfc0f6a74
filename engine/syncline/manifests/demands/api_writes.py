"""What is declared about writing to an API, and what a flow that does so demands of the stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from syncline.kinds.erase import Erase
from syncline.kinds.mapping import MappingSpec
from syncline.kinds.record import misfit
from syncline.kinds.request import METHODS
from syncline.kinds.rest_stream import RestStream
from syncline.kinds.write import VERBS, Writes, doubtful, unable
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed
from syncline.model.manifest import Path
from syncline.model.schema import DataType


def declared_writes(spec: Writes, path: Path) -> Iterator[Problem]:
    """Findings about what a connector declares under `write` of a stream."""
    requests = {verb: request for verb in VERBS if (request := getattr(spec, verb)) is not None}
    for verb, request in requests.items():
        batch = getattr(request, "batch", None)
        if batch is not None and (batch.match is None) is not (batch.key is None):
            missing, given = ("match", "key") if batch.match is None else ("key", "match")
            message = f"results are told apart by 'match' and 'key' together, and there is only {given!r}"
            yield Problem("SYN202", (*path, verb, "batch", missing), message)
        if batch is not None and request.multipart is not None:
            message = "a form with files is sent for one record at a time, so it can't have 'batch'"
            yield Problem("SYN263", (*path, verb, "batch"), message, at_key=True)
    if not any(verb in requests for verb in ("create", "update", "upsert", "delete")):
        yield Problem("SYN202", path, "a stream that is written to needs one of create, update, upsert and delete")
    if spec.conflicts == "reject" and spec.read is None:
        message = "conflicts: reject needs the field 'read', to tell another's change from our own earlier attempt"
        yield Problem("SYN202", (*path, "read"), message)
    if "update" in requests and "create" in requests and not knows_ids(spec, "update"):
        message = "what is created can't be updated later: no expression gives the id that it got"
        yield Problem("SYN202", (*path, "id"), message, expected="id: body.id")


def declared_erase(spec: Erase, path: Path) -> Iterator[Problem]:
    """Findings about what a connector declares under `erase` of a stream."""
    if spec.delete is None and spec.request is None:
        yield Problem("SYN202", path, "erasing a person needs the field 'delete' or 'request'")
    if spec.find is not None and spec.delete is None:
        yield Problem("SYN202", (*path, "delete"), "what is found is deleted by the field 'delete'")
    for name in ("delete", "request"):
        if getattr(getattr(spec, name), "batch", None) is not None:
            yield Problem("SYN205", (*path, name, "batch"), "a person is erased by one request at a time", at_key=True)


def knows_ids(spec: Writes, verb: Literal["update", "delete"]) -> bool:
    """Whether a request finds what was written: by the id in an answer, by a search, or by the record itself."""
    request = getattr(spec, verb)
    made = [given for given in (spec.create, spec.upsert) if given is not None]
    own = any((given.batch.id if given.batch is not None else given.id or spec.id) is not None for given in made)
    path = next((text for method in METHODS if (text := getattr(request, method)) is not None), "")
    needs = "id" in re.findall(r"[{|~(]\s*(id)\b", path)
    return own or spec.find is not None or not needs


def written(flow: Flow, stream: RestStream, spec: Writes) -> Iterator[Problem]:
    """Findings about a flow that writes to a stream by its requests."""
    yield from _mode(flow, spec)
    yield from _columns(flow, stream)


def _mode(flow: Flow, spec: Writes) -> Iterator[Problem]:
    mode = flow.spec.write
    if why := unable(spec, mode):
        able = [known for known in ("upsert", "append") if not unable(spec, known)]
        yield Problem(
            "SYN520",
            ("spec", "write"),
            f"the stream {flow.target.stream!r} can't be written so: {why}",
            expected=listed(able) or "another stream",
            suggestion=able[0] if able else "",
        )
    elif doubtful(spec, mode):
        yield Problem(
            "SYN524",
            ("spec", "to"),
            f"a record of {flow.target.stream!r} may be created twice, where a run is killed or an answer lost",
            help="Send idempotency_key with write.create, or declare write.find in the connector.",
            warning=True,
        )


def _columns(flow: Flow, stream: RestStream) -> Iterator[Problem]:
    if stream.record_schema is None or not isinstance(flow.mapping.spec, MappingSpec):
        return
    known = stream.record_schema.properties
    for field in flow.mapping.spec.fields:
        if field.protect == "drop":
            continue
        prop = known.get(field.to)
        if prop is None:
            yield Problem(
                "SYN521",
                ("spec", "to"),
                f"the stream {flow.target.stream!r} has no field {field.to!r}, which the mapping "
                f"{flow.mapping.key.name!r} makes",
                expected=listed(known),
                suggestion="",
                help="Map to a field of the stream, or add this one to the stream's schema.",
            )
        elif why := misfit(DataType.parse(field.type), prop):
            yield Problem(
                "SYN521",
                ("spec", "to"),
                f"the field {field.to!r} of the stream {flow.target.stream!r} {why}, as the mapping "
                f"{flow.mapping.key.name!r} makes it",
                help="Change the type in the mapping, or in the stream's schema.",
            )
