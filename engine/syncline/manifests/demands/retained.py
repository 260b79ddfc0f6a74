"""What a flow whose rows are kept for a time only demands of its mapping and its destination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncline.kinds.mapping import MappingSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed, nearest

#: Types that tell the age of a row.
TIMES: Final = frozenset({"date", "timestamp", "datetime"})


def retained(flow: Flow) -> Iterator[Problem]:
    """Findings about rows whose age isn't told, or that can't be deleted by it."""
    wanted, mapping = flow.spec.retention, flow.mapping.spec
    if wanted is None or not isinstance(mapping, MappingSpec):
        return
    if flow.target.runtime != "sql":
        yield Problem(
            "SYN853",
            ("spec", "retention"),
            f"rows can be deleted by their age in databases, not by {flow.target.runtime}",
            help="Have that system delete them, and declare handling.retention of its integration.",
        )
    fields = {field.to: field for field in mapping.fields}
    times = [name for name, field in fields.items() if str(field.type) in TIMES and field.protect is None]
    if wanted.by in times:
        return
    field = fields.get(wanted.by)
    why = f"the mapping {flow.mapping.key.name!r} has no field {wanted.by!r}"
    if field is not None:
        what = f"{field.type}, which tells no age" if field.protect is None else "protected, and tells no age"
        why = f"{wanted.by!r} is {what}"
    yield Problem(
        "SYN853",
        ("spec", "retention", "by"),
        why,
        expected=listed(times) or "a field that is a date, a timestamp or a datetime",
        suggestion=nearest(wanted.by, times) if field is None else "",
    )
