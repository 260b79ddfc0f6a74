"""Which fields of a stream's records are classified, and records with their values masked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncline.manifests.infer import Seen, infer
from syncline.manifests.likely import likely_class

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.model.schema import Field, Schema
    from syncline.planner.compiled import Flows

#: What a masked value is shown as; its length says nothing.
MASK: Final = "***"
_PATH: Final = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")


def classes_of(
    schema: Schema | None, flows: Flows, integration: ObjectKey, stream: str, records: Sequence[Any]
) -> dict[str, str]:
    """
    Classes by dotted path of a field: those that the schema declares, those that mappings declare for what they copy
    of the stream, and, where no schema is declared, those that the values look like.
    """
    found = dict(_declared(schema.fields, "")) if schema is not None else dict(_likely(infer(records).properties, ""))
    for item in flows.values():
        source = item.flow.source
        if (source.integration.key, source.stream) == (integration, stream):
            for flow in item.compiled.flows:
                if flow.classes and _PATH.fullmatch(flow.source):
                    found.setdefault(flow.source, ", ".join(flow.classes))
    return found


def _declared(fields: Sequence[Field], prefix: str) -> Iterator[tuple[str, str]]:
    for field in fields:
        path = prefix + field.name
        if field.data_class or field.inner_classes:
            yield path, field.data_class or ", ".join(field.inner_classes)
        else:
            yield from _declared(field.fields, f"{path}.")


def _likely(properties: Mapping[str, Seen], prefix: str) -> Iterator[tuple[str, str]]:
    for name, seen in properties.items():
        inner = seen.items if seen.items is not None else seen
        if inner.properties:
            yield from _likely(inner.properties, f"{prefix}{name}.")
        elif likely := likely_class(name, inner):
            yield prefix + name, likely


def masked(record: Any, paths: Sequence[str]) -> Any:
    """
    The record with the values at these paths masked; nulls stay, and lists are masked element by element.

    >>> masked({"id": 1, "to": [{"email": "a@example.com"}]}, ["to.email"])
    {'id': 1, 'to': [{'email': '***'}]}
    """
    for path in paths:
        record = _mask(record, path.split("."))
    return record


def _mask(value: Any, path: list[str]) -> Any:
    if value is None:
        return None
    if not path:
        return MASK
    if isinstance(value, list | tuple):
        return [_mask(item, path) for item in value]
    if not isinstance(value, dict):
        return MASK  # JSON as text, or another shape than declared: nothing of it is shown
    return {name: _mask(inner, path[1:]) if name == path[0] else inner for name, inner in value.items()}
