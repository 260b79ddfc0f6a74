"""Where a person is: the destinations of flows that say by which field a person is told, and what runs set aside.

A mapping declares the field under `subject`. The person's value is mapped as a run would map it, so that what is
lower-cased or hashed on its way is found as it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.batches.rejects import destroy_keys, generation_of, seal, unseal
from syncline.executor.flows.rows_left import RUNS
from syncline.mapping.columns import bind
from syncline.mapping.expression import reads
from syncline.mapping.keyed import keyed_hash
from syncline.mapping.records import Misplaced, frame_of, inferred
from syncline.model.errors import Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.model.run import PAGE
from syncline.model.spelling import stands_in
from syncline.planner.compiled import source_schema
from syncline.secrets.keys.envelope import DESTROYED

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.manifests.flow import Side
    from syncline.model.run import Reject
    from syncline.model.subject import Subject
    from syncline.planner.compiled import CompiledFlow
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.store import SealedRejects


class Place(Struct, frozen=True):
    """
    A flow that may have written a person, and the target field that tells it; or with `source`, the stream that it
    reads, whose system is asked to erase the person. `to` names it for people. `former` is what the flow is called as
    it was before it wrote elsewhere; None for how it is now.
    """

    item: CompiledFlow
    field: str
    source: bool = False
    former: ObjectKey | None = None

    @property
    def side(self) -> Side:
        """The end of the flow that it is."""
        return self.item.flow.source if self.source else self.item.flow.target

    @property
    def key(self) -> ObjectKey:
        """What it is called: the flow; of a source, its integration and stream, which several flows may read."""
        side = self.side
        name = f"{side.integration.key.name}.{side.stream}"
        return ObjectKey(self.flow.tenant, "Integration", name) if self.source else self.former or self.flow

    @property
    def flow(self) -> ObjectKey:
        """The flow whose runs wrote it, or read it."""
        return self.item.flow.key

    @property
    def lease(self) -> str:
        """What is held while something is done there."""
        return f"run/{self.key if self.source else self.flow}"

    @property
    def path(self) -> tuple[str, ...]:
        """The source field that it is taken from; `validate` sees to it that there is one, and no other."""
        field = next(f for f in self.item.compiled.fields if f.name == self.field)
        assert field.expression is not None
        (path,) = set(reads(field.expression))
        return path

    @property
    def column(self) -> str:
        """The field by which the person is told there."""
        return ".".join(self.path) if self.source else self.field

    @property
    def to(self) -> str:
        """Where it writes, or reads."""
        return self.item.flow.spec.source if self.source else self.item.flow.spec.to


def places_of(applied: Applied, tenant: str, kind: str) -> tuple[Place, ...]:
    """
    Applied flows of a tenant whose mapping tells such persons, after the streams that they read which can be asked to
    erase somebody.
    """
    found: list[Place] = []
    sources: dict[ObjectKey, Place] = {}
    for key, item in applied.flows.items():
        if key.tenant == tenant and (field := item.compiled.spec.subject.get(kind)):
            found.append(Place(item, field))
            declared = item.flow.source.of_api
            if declared is not None and declared.erase is not None:
                source = Place(item, field, source=True)
                sources.setdefault(source.key, source)
    return (*sources.values(), *found)


def nobody_told(applied: Applied, tenant: str, kind: str) -> Invalid:
    """For a kind of person that no flow of a tenant tells (SYN842)."""
    flows = applied.flows.items()
    known = {name for key, item in flows if key.tenant == tenant for name in item.compiled.spec.subject}
    return Invalid(
        f"no applied flow of tenant {tenant!r} tells a {kind!r} by any field",
        code="SYN842",
        help=f"Declared are: {', '.join(sorted(known))}."
        if known
        else "Declare under `subject` of a mapping which target field tells a person.",
    )


def subject_hash(keys: KeyRing, tenant: str, subject: Subject) -> str:
    """The person as evidence knows it: a keyed hash, which nobody can make, or guess from, without the tenant's key."""
    return keyed_hash(f"subject\0{subject.kind}\0{subject.value}", keys.tenant_hash_key(tenant))


def values_at(place: Place, texts: Sequence[str], keys: KeyRing) -> list[str | int | None]:
    """What the flow would write of each of these source values; None where it would never write such a one."""
    item = place.item
    schema = source_schema(item.flow.source)
    found: list[str | int | None] = [None] * len(texts)
    for spelled in ([*texts], [_number(text) for text in texts]):
        records = [_record(place.path, value) for value in spelled]
        shape = schema or inferred(records, item.compiled.reads)
        try:
            frame = frame_of(records, shape)
        except Misplaced:
            continue  # the source has numbers there
        columns = bind(item.compiled, shape, keys.tenant_hash_key(place.key.tenant)).of_fields((place.field,))
        mapped = columns.apply(frame)
        rows = mapped.rows.to_list() if mapped.rows is not None else range(len(texts))
        for row, value in zip(rows, mapped.frame[place.field].to_list(), strict=True):
            found[row] = value
        break
    return found


def value_at(place: Place, subject: Subject, keys: KeyRing) -> str | int | None:
    """The person's value as the flow writes it; None where the flow would never write such a value."""
    return values_at(place, [subject.value], keys)[0]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None


def _record(path: tuple[str, ...], value: str | int | None) -> dict[str, Any]:
    record: Any = value
    for name in reversed(path):
        record = {name: record}
    return dict(record)


def rejects_about(engine: Engine, place: Place, subject: Subject) -> Iterator[Reject]:
    """What a flow's runs set aside that is about the person."""
    if place.source:
        return
    person, store = value_at(place, subject, engine.facilities.keys), engine.facilities.store
    for run in store.runs(place.flow, RUNS):
        for sealed in store.rejects(run.id):
            yield from _divided(engine, place, subject, person, sealed)[0]


def erase_rejects(engine: Engine, place: Place, subject: Subject) -> None:
    """
    Takes the person's records out of what runs of a flow set aside.

    What is left of such a run is sealed with a new key, and the former ones are destroyed: also where that was begun
    before and not ended.
    """
    if place.source:
        return
    store, keys = engine.facilities.store, engine.facilities.keys
    person = value_at(place, subject, keys)
    for run in store.runs(place.flow, RUNS):
        generations: set[int] = set()
        found = False
        for sealed in store.rejects(run.id):
            generations.add(generation_of(sealed))
            found = found or bool(_divided(engine, place, subject, person, sealed)[0])
        if not generations:
            continue
        newest = max(generations) + found
        if found or len(generations) > 1:
            for sealed in list(store.rejects(run.id)):
                if generation_of(sealed) < newest:
                    left = _divided(engine, place, subject, person, sealed)[1]
                    again = seal(keys, place.flow, sealed.run, sealed.sequence, left, newest)
                    store.put_rejects(replace(again, retried=sealed.retried))
        destroy_keys(keys, place.flow, run.id, newest)


def _divided(
    engine: Engine, place: Place, subject: Subject, person: str | int | None, sealed: SealedRejects
) -> tuple[list[Reject], list[Reject]]:
    """
    The rejects of a batch that are about the person, who is written as `person`, and the others; none of a batch whose
    key is destroyed.
    """
    try:
        rejects = unseal(engine.facilities.keys, place.flow, sealed)
    except Stalled as error:
        if error.code != DESTROYED:
            raise
        return [], []  # a pass that was killed leaves the batch, which nobody can read
    texts = [_field_of(reject, place.path) for reject in rejects]
    written = values_at(place, [text or "" for text in texts], engine.facilities.keys)
    about: list[Reject] = []
    others: list[Reject] = []
    for reject, text, value in zip(rejects, texts, written, strict=True):
        same = text == subject.value or (value is not None and value == person)
        (about if (same if text else names(reject, subject.value)) else others).append(reject)
    return about, others


def _field_of(reject: Reject, path: tuple[str, ...]) -> str:
    """The text of a field of a record that was set aside; '' where it has none, or can't be read."""
    try:
        found = json.loads(reject.record, parse_int=str, parse_float=str) if reject.rule != PAGE else None
    except (ValueError, RecursionError):
        return ""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def names(reject: Reject, value: str) -> bool:
    """Whether the value stands in a record: where the field isn't known, anything of it may be the person."""
    text = reject.record
    if reject.rule == PAGE:
        with suppress(ValueError, AttributeError):
            text = "\n".join(map(str, json.loads(text).values()))
    return stands_in(f"{text}\n{reject.message}", value)
