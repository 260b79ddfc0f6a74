"""What an import that can be undone demands of its destination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow

_ELSEWHERE: Final = "Write to PostgreSQL or SQLite, or leave rollback out."


def rollback(flow: Flow) -> Iterator[Problem]:
    """Findings about an import that is to be undone later, and couldn't be."""
    spec = flow.spec
    if not isinstance(spec, ImportSpec) or spec.rollback is None:
        return
    for message, help_ in _hindrances(flow, spec):
        yield Problem("SYN760", ("spec", "rollback"), f"this import can't be undone: {message}", help=help_)


def _hindrances(flow: Flow, spec: ImportSpec) -> Iterator[tuple[str, str]]:
    if spec.write == "replace":
        yield "write: replace puts a new table in place of the old one", "Use write: upsert."
    elif spec.write != "upsert":
        yield f"write: {spec.write} knows no rows by key", "Use write: upsert."
    if flow.target.runtime != "sql":
        yield f"what is written by {flow.target.runtime} can't be taken back", _ELSEWHERE
    elif (system := _other(flow)) is not None:
        yield f"this version keeps nothing that it needs in {system}", _ELSEWHERE


def _other(flow: Flow) -> str | None:
    """The name of a database that this version can't undo in."""
    integration, connector = flow.target.integration.spec, flow.target.connector.spec
    assert isinstance(integration, IntegrationSpec)
    assert isinstance(connector, ConnectorSpec)
    config = {name: prop.default for name, prop in connector.config.properties.items()} | integration.config
    if config.get("engine") == "duckdb":
        return "DuckDB"
    return "MariaDB" if str(config.get("url", "")).startswith("mariadb:") else None
