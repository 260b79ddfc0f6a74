"""Field-level facts about flows, from compiled lineage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncline.manifests.flow import Flow
from syncline.mapping.compile import Compiled, FieldFlow, protection_of
from syncline.model.key import ObjectKey
from syncline.policy.rule import FlowFact


def facts_of(flow: Flow, compiled: Compiled) -> tuple[FlowFact, ...]:
    """One fact for each source field that reaches a target field, and for each constant that has a class."""
    return tuple(_fact(flow, item) for item in (*compiled.flows, *_constants(compiled)))


def _constants(compiled: Compiled) -> Iterator[FieldFlow]:
    """Target fields with a class that no source field reaches: a constant, or an expression that reads nothing."""
    reached = {item.target for item in compiled.flows}
    for index, field in enumerate(compiled.spec.fields):
        if field.data_class and field.to not in reached:
            place = compiled.manifest.place_of("spec", "fields", index)
            yield FieldFlow("", (), field.to, (field.data_class,), protection_of(field), place)


def _fact(flow: Flow, item: FieldFlow) -> FlowFact:
    return FlowFact(
        flow=flow.key,
        tenant=flow.key.tenant,
        source=item.source,
        source_integration=flow.source.integration.key.name,
        source_region=flow.source.region,
        target=item.target,
        target_integration=flow.target.integration.key.name,
        target_region=flow.target.region,
        classes=item.classes,
        protection=item.protection,
        flow_place=flow.manifest.place_of("spec", "to"),
        source_place=flow.source.integration.place,
        mapping_place=item.place,
        target_place=flow.target.integration.place_of("spec", "region"),
    )


def facts(flows: Mapping[ObjectKey, tuple[Flow, Compiled]]) -> dict[ObjectKey, tuple[FlowFact, ...]]:
    """Facts of every flow, in key order."""
    return {key: facts_of(flow, compiled) for key, (flow, compiled) in sorted(flows.items())}
