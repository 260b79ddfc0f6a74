"""Field-level facts about flows, from compiled lineage."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.manifests.flow import Flow
from syncline.mapping.compile import Compiled
from syncline.model.key import ObjectKey
from syncline.policy.rule import FlowFact


def facts_of(flow: Flow, compiled: Compiled) -> tuple[FlowFact, ...]:
    """One fact for each source field that reaches a target field, and for each target field that has a class."""
    found = []
    for item in compiled.flows:
        data_class = item.target_class or item.source_class
        found.append(
            FlowFact(
                flow=flow.key,
                tenant=flow.key.tenant,
                source=item.source,
                source_integration=flow.source.integration.key.name,
                source_region=flow.source.region,
                target=item.target,
                target_integration=flow.target.integration.key.name,
                target_region=flow.target.region,
                data_class=data_class,
                protection=item.protection,
                flow_place=flow.manifest.place_of("spec", "to"),
                source_place=flow.source.integration.place,
                mapping_place=item.place,
                target_place=flow.target.integration.place_of("spec", "region"),
            )
        )
    return tuple(found)


def facts(flows: Mapping[ObjectKey, tuple[Flow, Compiled]]) -> dict[ObjectKey, tuple[FlowFact, ...]]:
    """Facts of every flow, in key order."""
    return {key: facts_of(flow, compiled) for key, (flow, compiled) in sorted(flows.items())}
