"""What may be written at a place: fields of the kind's models, values that they allow, names of what is declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from syncline.editor.cursor import Slot
from syncline.editor.references import names_at
from syncline.kinds import KIND_BY_NAME
from syncline.manifests import fields
from syncline.manifests.desired import Desired
from syncline.manifests.envelope import API_VERSION, Envelope, Metadata
from syncline.model.manifest import Path


class Choice(Struct, frozen=True):
    """One thing that may be written; `detail` is what it is in a few words, `text` what it means."""

    label: str
    detail: str = ""
    text: str = ""
    required: bool = False


def choices(slot: Slot, declared: Iterable[Desired]) -> tuple[Choice, ...]:
    """What may be written in a slot, fields in the models' order; nothing where anything may be."""
    declared = tuple(declared)
    return tuple(_fields(slot) if slot.of_key else _values(slot, declared))


def _fields(slot: Slot) -> Iterator[Choice]:
    models = [model for annotation in _annotations(slot.kind, slot.path) for model in fields.models(annotation)]
    there = slot.siblings
    if isinstance(branch := there.get("type"), str):  # of variants, the one that is meant
        models = [model for model in models if branch in fields.literals_of(model, "type")] or models
    seen: set[str] = set()
    for model in models:
        for name, info in fields.by_alias(model).items():
            if name not in there and name not in seen:
                seen.add(name)
                text = info.description or fields.form(info)
                yield Choice(name, fields.describe(info.annotation), text, info.is_required())


def _values(slot: Slot, declared: tuple[Desired, ...]) -> Iterator[Choice]:
    if slot.path == ("apiVersion",):
        yield Choice(API_VERSION)
    elif slot.path == ("kind",):
        yield from (Choice(kind.name, "kind", kind.summary) for kind in KIND_BY_NAME.values())
    else:
        annotations = _annotations(slot.kind, slot.path)
        words = dict.fromkeys(value for annotation in annotations for value in fields.literals(annotation))
        if any(alternative is bool for annotation in annotations for alternative in fields.alternatives(annotation)):
            words |= dict.fromkeys(("true", "false"))
        yield from map(Choice, words)
        yield from (Choice(name, "declared") for name in names_at(slot, declared))


def _annotations(kind: str, path: Path) -> list[Any]:
    """What may stand at a path of a document of a kind."""
    match path:
        case ():
            return [Envelope]
        case ("metadata", *rest):
            return fields.at(Metadata, tuple(rest))
        case ("spec", *rest) if kind in KIND_BY_NAME:
            return fields.at(KIND_BY_NAME[kind].spec, tuple(rest))
        case _:
            return []
