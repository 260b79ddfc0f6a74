"""What a flow demands of the system that it writes to, as that is declared."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed, nearest


def writes(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow's destination, where its system can't be written to, or not so."""
    if flow.target.runtime == "smtp":
        yield Problem(
            "SYN234",
            ("spec", "to"),
            f"{flow.target.integration.key.name!r} carries messages of subscriptions, and takes no records",
            help="Write to an integration of another connector.",
        )
    spec = flow.target.integration.spec
    if flow.target.runtime == "file" and isinstance(spec, IntegrationSpec) and "://" in str(spec.config.get("root")):
        yield Problem(
            "SYN561",
            ("spec", "to"),
            f"files of {flow.target.integration.key.name!r} are on a server, and are only read from there",
            help="Write to a folder with the connector file, or to a database.",
        )
    if flow.target.runtime != "rest":
        return
    stream = flow.target.of_api
    if stream is None or stream.write is None:
        yield _unwritable(flow)
        return
    from syncline.manifests.demands.api_writes import written

    yield from written(flow, stream, stream.write)


def _unwritable(flow: Flow) -> Problem:
    target = flow.target
    names = [name for name in target.streams if getattr(_stream(flow, name), "write", None) is not None]
    what = "declares no `write`" if target.declaration is not None else "isn't declared"
    close = nearest(target.stream, names)
    return Problem(
        "SYN520",
        ("spec", "to"),
        f"the stream {target.stream!r} of {target.integration.key.name!r} {what}, so it can't be written to",
        expected=listed(names) or "a stream whose connector declares `write`",
        suggestion=f"{target.integration.key.name}/{close}" if close else "",
    )


def _stream(flow: Flow, name: str) -> object:
    streams: dict[str, object] = getattr(flow.target.connector.spec, "streams", {})
    return streams.get(name)
