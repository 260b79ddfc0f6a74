"""Field-level facts about flows, from compiled lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from syncline.manifests.flow import Flow
from syncline.mapping.compile import Compiled, FieldFlow, protection_of
from syncline.model.key import ObjectKey
from syncline.policy.rule import FlowFact


def facts_of(flow: Flow, compiled: Compiled) -> tuple[FlowFact, ...]:
    """One fact for each source field that reaches a target field, and for each constant that has a class."""
    source, target = flow.source, flow.target
    known = _classes_of_sources(compiled)
    declared = {field.name: field.classes for field in target.schema.fields} if target.schema else {}
    flow_place = flow.manifest.place_of("spec", "to")
    target_place = target.integration.place_of("spec", "region")
    return tuple(
        FlowFact(
            flow=flow.key,
            tenant=flow.key.tenant,
            source=item.source,
            source_integration=source.integration.key.name,
            source_region=source.region,
            target=item.target,
            target_integration=target.integration.key.name,
            target_region=target.region,
            classes=tuple(sorted({*item.classes, *known.get(item.source, ()), *declared.get(item.target, ())})),
            protection=item.protection,
            flow_place=flow_place,
            source_place=source.integration.place,
            mapping_place=item.place,
            target_place=target_place,
        )
        for item in (*compiled.flows, *_constants(compiled))
    )


def _classes_of_sources(compiled: Compiled) -> dict[str, set[str]]:
    """
    What targets say of source fields: a class that is declared for a plain copy is the class of what was copied.

    So a second target, made of the same field by another expression, carries it too.
    """
    sources = Counter(item.target for item in compiled.flows)
    known: dict[str, set[str]] = {}
    for item in compiled.flows:
        if sources[item.target] == 1:
            known.setdefault(item.source, set()).update(item.classes)
    return known


def _constants(compiled: Compiled) -> Iterator[FieldFlow]:
    """Target fields with a class that no source field reaches: a constant, or an expression that reads nothing."""
    reached = {item.target for item in compiled.flows}
    for index, field in enumerate(compiled.spec.fields):
        if field.data_class and field.to not in reached:
            place = compiled.manifest.place_of("spec", "fields", index)
            yield FieldFlow("", (), field.to, (field.data_class,), protection_of(field), place)


def facts(flows: Mapping[ObjectKey, tuple[Flow, Compiled]]) -> dict[ObjectKey, tuple[FlowFact, ...]]:
    """Facts of every flow, in key order."""
    return {key: facts_of(flow, compiled) for key, (flow, compiled) in sorted(flows.items())}
