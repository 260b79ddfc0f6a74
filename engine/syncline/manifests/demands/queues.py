"""What a flow can't demand of a source that a queue tells what has come: it never reads everything there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncline.kinds.file_stream import FileStream, format_by_name
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.sync import SyncSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow


def fed(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that reads what a queue tells of."""
    integration, stream = flow.source.integration, flow.source.declaration
    if not flow.source.queue:
        return
    assert isinstance(stream, FileStream)
    by = f"the queue of {integration.key.name!r} tells of what is new, not of all there is"
    before = isinstance(flow.spec, ImportSpec) and flow.spec.validate_first != "inline"
    asked = (
        ("write", "replace", flow.spec.write == "replace", "upsert or append"),
        ("absent", "delete", isinstance(flow.spec, SyncSpec) and flow.spec.absent != "keep", "keep"),
        ("validate", "before-commit", before, "inline"),
    )
    for name, value, is_so, other in asked:
        if is_so:
            message = f"{name}: {value} can't run: {by}"
            yield Problem("SYN330", ("spec", name), message, expected=f"{name}: {other}", at_key=False)
    if stream.record_schema is None:
        yield Problem(
            "SYN331",
            ("spec", "from"),
            f"stream {flow.source.stream!r} of {integration.key.name!r} has no schema, and a queue may tell of nothing",
            help="Declare the stream's `schema` in the integration.",
        )
    if stream.format is None and None in {format_by_name(pattern) for pattern in stream.patterns}:
        yield Problem(
            "SYN331",
            ("spec", "from"),
            f"the patterns of {flow.source.stream!r} of {integration.key.name!r} don't end as a format, and a queue "
            "may tell of nothing",
            help="Declare the stream's `format` in the integration.",
        )


def shared(found: Iterable[Flow]) -> Iterator[tuple[Flow, Problem]]:
    """Findings about flows that would take each other's messages: a queue gives each to one."""
    first: dict[tuple[str, str], Flow] = {}
    for flow in found:
        if not flow.source.queue:
            continue
        assert isinstance(flow.source.declaration, FileStream)
        for pattern in flow.source.declaration.patterns:
            other = first.setdefault((flow.source.queue, pattern), flow)
            if other.key != flow.key:
                message = f"{other.key} reads {pattern!r} by the same queue, which tells one of them only"
                help_ = "Give each flow a queue of its own: S3 and SNS can tell several of one object."
                yield flow, Problem("SYN334", ("spec", "from"), message, help=help_, at_key=False)
                break
