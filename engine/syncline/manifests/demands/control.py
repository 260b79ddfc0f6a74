"""What control totals demand of a flow's mapping: that it has the fields, as exact numbers that are written."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.mapping import MappingSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed, nearest

_EXACT = ("integer", "int32", "decimal")


def control(flow: Flow) -> Iterator[Problem]:
    """Findings about sums that can't be told."""
    wanted = flow.spec.guards.control
    mapping = flow.mapping.spec
    if wanted is None or not isinstance(mapping, MappingSpec):
        return
    fields = {field.to: field for field in mapping.fields}
    exact = [name for name, field in fields.items() if str(field.type).startswith(_EXACT) and field.protect is None]
    for name in wanted.sums:
        if name in exact:
            continue
        field = fields.get(name)
        why = f"the mapping {flow.mapping.key.name!r} has no field {name!r}"
        if field is not None:
            why = (
                f"{name!r} is protected" if field.protect is not None else f"{name!r} is {field.type}, no exact number"
            )
        near = nearest(name, exact) if field is None else ""
        yield Problem(
            "SYN718",
            ("spec", "guards", "control", "sums", name),
            f"control.sums can't be told: {why}",
            expected=f"one of {listed(exact)}" if exact else "a mapping with a field of type integer or decimal",
            suggestion=near,
            help="Sums are of fields of the mapping, of type integer, int32 or decimal, which aren't protected.",
        )
