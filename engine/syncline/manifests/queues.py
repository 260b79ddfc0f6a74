"""What a flow can't demand of a source that a queue tells what has come: it never reads everything there is."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.stream import FileStream
from syncline.kinds.sync import SyncSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow


def fed(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that reads what a queue tells of."""
    integration, stream = flow.source.integration, flow.source.declaration
    spec = integration.spec
    if not isinstance(spec, IntegrationSpec) or not isinstance(stream, FileStream) or not spec.config.get("queue"):
        return
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
