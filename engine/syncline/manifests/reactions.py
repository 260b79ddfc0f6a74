"""What a flow that declares a reaction to drift demands of how it writes."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow


def reactions(flow: Flow) -> Iterator[Problem]:
    """Findings about a flow that is to heal by itself, and never could."""
    drift = flow.spec.drift
    for part in ("tables", "rows"):
        if getattr(drift, part) != "heal":
            continue
        if flow.spec.write == "append":
            why, help_ = "reading again would append every row once more", "Use write: upsert or replace, or report."
        elif flow.target.runtime == "rest":
            why, help_ = "an API has no tables that could be looked at", "Leave it out."
        else:
            continue
        yield Problem("SYN750", ("spec", "drift", part), f"{part}: heal can't be done: {why}", help=help_, at_key=False)
