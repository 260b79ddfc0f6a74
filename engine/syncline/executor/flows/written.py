"""Where a flow writes, and how people are told there: what a request about a person goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.locations import location_of, settings_of, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.kinds.mapping import MappedField
    from syncline.manifests.flow import Flow
    from syncline.planner.compiled import CompiledFlow


def where(flow: Flow, root: Path) -> tuple[object, ...]:
    """The table that a flow writes to; where no manifest says its place, with every setting that may lead to it."""
    integration, connector = flow.target.integration.spec, flow.target.connector.spec
    assert isinstance(integration, IntegrationSpec)
    assert isinstance(connector, ConnectorSpec)
    if location_of(integration, connector, root) is not None:
        return table_of(flow, root)
    url = connector.http.url if connector.http is not None else ""
    return (*table_of(flow, root), url, integration.endpoints, integration.region, settings_of(integration, connector))


def telling(item: CompiledFlow, kind: str) -> MappedField | None:
    """The field that tells such persons, as it is declared."""
    spec = item.compiled.spec
    return next((field for field in spec.fields if field.to == spec.subject.get(kind)), None)


def is_elsewhere(before: CompiledFlow, now: CompiledFlow, root: Path) -> bool:
    """Whether people are looked for in another table than before, or by another field or value of it."""
    return where(before.flow, root) != where(now.flow, root) or any(
        telling(before, kind) != telling(now, kind) for kind in before.compiled.spec.subject
    )
