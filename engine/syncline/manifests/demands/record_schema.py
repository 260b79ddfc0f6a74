"""What the declared schema of records demands: required fields that it has, and parts where they mean something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from syncline.kinds.record import Property
from syncline.manifests.demands.choices import unknown_names
from syncline.manifests.findings import Problem
from syncline.model.manifest import Path


def check_schema(properties: Mapping[str, Property], required: Iterable[str], path: Path) -> Iterator[Problem]:
    """Findings about fields and the names of those that are required."""
    yield from unknown_names(required, properties, (*path, "required"), "field of the schema")
    for name, field in properties.items():
        inner = (*path, "properties", name)
        if field.properties and field.type != "object":
            yield Problem("SYN205", (*inner, "properties"), f"{name!r} is no object, but has properties")
        if field.items is not None and field.type != "array":
            yield Problem("SYN205", (*inner, "items"), f"{name!r} is no array, but has items")
        yield from check_schema(field.properties, (), inner)
