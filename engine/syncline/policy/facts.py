"""Field-level facts about flows, from compiled lineage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds.file_stream import FileStream
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.mapping import Generalize
from syncline.kinds.sync import SyncSpec
from syncline.manifests.flow import Flow, Side
from syncline.mapping.compile import WHOLE, Compiled, FieldFlow
from syncline.mapping.expression import copies, leaves_out
from syncline.mapping.protection import protection_of
from syncline.mapping.types import type_of
from syncline.model import units
from syncline.model.key import ObjectKey
from syncline.model.schema import Schema
from syncline.policy.rule import End, FlowFact, Grain, Terms

#: Of what isn't generalised.
_FINE: Final = Grain()


def facts_of(flow: Flow, compiled: Compiled, opened: Schema | None = None) -> tuple[FlowFact, ...]:
    """
    One fact for each source field that reaches a target field, and for each constant that has a class; `opened` is the
    source's schema as it turned out to be, where it is open.
    """
    source, target = flow.source, flow.target
    known = _Copied.of_mapping(compiled)
    declared = {field.name: field.classes for field in target.schema.fields} if target.schema else {}
    origin, destination, terms = _end(source), _end(target), _terms(flow, compiled)
    if flow.spec.retention is not None:  # rows are deleted by then, whatever the system does
        kept = units.duration(flow.spec.retention.after)
        destination = replace(destination, retention=min(kept, destination.retention or kept))
    flow_place = flow.manifest.place_of("spec", "to")
    target_place = target.integration.place_of("spec", "region")
    grains = _grains(compiled, opened or source.schema, texts=isinstance(source.declaration, FileStream))
    return tuple(
        FlowFact(
            flow=flow.key,
            tenant=flow.key.tenant,
            source=item.source,
            target=item.target,
            origin=origin,
            destination=destination,
            terms=terms,
            classes=tuple(sorted({*item.classes, *known.of(item.source), *declared.get(item.target, ())})),
            protection=item.protection,
            flow_place=flow_place,
            source_place=source.integration.place,
            mapping_place=item.place,
            target_place=target_place,
            grain=grains.get(item.target, _FINE),
        )
        for item in (*compiled.flows, *_constants(compiled))
    )


def _end(side: Side) -> End:
    spec = side.integration.spec
    assert isinstance(spec, IntegrationSpec)
    handling = spec.handling
    return End(
        integration=side.integration.key.name,
        connector=side.connector.key.base,
        region=side.region,
        stream=side.stream,
        party=handling.party or "",
        agreement=handling.agreement,
        encrypted=handling.encrypted,
        retention=units.duration(handling.retention) if handling.retention else 0.0,
    )


def _terms(flow: Flow, compiled: Compiled) -> Terms:
    use = flow.spec.use
    return Terms(
        purpose=use.purpose or "",
        basis=use.basis or "",
        condition=use.condition or "",
        transfer=use.transfer or "",
        opt_out=use.opt_out or "",
        honoured=bool(use.opt_out) and compiled.where is not None and leaves_out(compiled.where, use.opt_out or ""),
        write=flow.spec.write,
        deletes=flow.spec.deletes if isinstance(flow.spec, SyncSpec) else "ignore",
        k=flow.spec.guards.anonymity.k if flow.spec.guards.anonymity is not None else 0,
        absent=flow.spec.absent if isinstance(flow.spec, SyncSpec) else "keep",
    )


def _grains(compiled: Compiled, source: Schema | None, *, texts: bool) -> dict[str, Grain]:
    """
    How coarse the fields become that are generalised, by target.

    Known only of a value that is a source field's own, or a constant's: of one that an expression made, a prefix may be
    any part of what was read and a bucket any number. Of a number, the first digits aren't those that it was written
    with (02134 is 2134), so a prefix of one says nothing either. `texts`: what nobody has declared the type of may be
    taken for text until the source is open, since files of most formats have nothing else; what an API or a database
    has may be a number.
    """
    grains = {}
    for field in compiled.fields:
        if not isinstance(field.protect, Generalize) or (field.expression is not None and not copies(field.expression)):
            continue
        how = field.protect.generalize
        read = type_of(field.expression, source) if field.expression is not None else None
        constant = field.expression is None
        text = constant or (texts if read is None else read.type.name == "string")
        prefix = (how.prefix or 0) if text and field.target.type.name == "string" else 0
        grains[field.name] = Grain(how.date or "", prefix, how.bucket or 0, how.top or 0, how.bottom or 0)
    return grains


class _Copied(Struct, frozen=True):
    """
    What targets say of source fields: a class that is declared for a plain copy is the class of what was copied.

    So a second target, made of the same field by another expression, carries it too, as does one that is made of an
    object with the field in it, of the whole record, or of a part of the field. `at` has the classes by path; `within`
    those of what is in an object, by its path.
    """

    at: Mapping[str, set[str]]
    within: Mapping[str, set[str]]

    @classmethod
    def of_mapping(cls, compiled: Compiled) -> _Copied:
        sources = Counter(item.target for item in compiled.flows)
        at: dict[str, set[str]] = defaultdict(set)
        within: dict[str, set[str]] = defaultdict(set)
        for item in compiled.flows:
            if sources[item.target] != 1 or not item.classes or item.source == WHOLE:
                continue
            at[item.source].update(item.classes)
            for around in (WHOLE, *_around(item.source)):
                within[around].update(item.classes)
        return cls(at, within)

    def of(self, source: str) -> set[str]:
        """The classes of a source field, by its path."""
        found = set(self.within.get(source, ()))
        for path in (source, *_around(source)):
            found |= self.at.get(path, set())
        return found


def _around(path: str) -> Iterator[str]:
    """The objects around a field, by their paths: `a.b` and `a` of `a.b.c`."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


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
