"""What a floor of k-anonymity demands of a flow: that all is looked at first, and that its fields are written."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.import_ import ImportSpec
from syncline.kinds.mapping import MappingSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow
from syncline.manifests.text import listed, nearest


def anonymity(flow: Flow) -> Iterator[Problem]:
    """Findings about a floor that can't be held."""
    wanted, mapping = flow.spec.guards.anonymity, flow.mapping.spec
    if wanted is None or not isinstance(mapping, MappingSpec):
        return
    path = ("spec", "guards", "anonymity")
    if not (_looks_first(flow) or _replaces_table(flow)):
        yield Problem(
            "SYN517",
            path,
            "how many rows are alike is known only once all are there, and this writes some before the others",
            expected="write: replace into a database, or an Import with validate: before-commit",
        )
    written = [field.to for field in mapping.fields if field.protect != "drop"]
    for position, name in enumerate(wanted.fields):
        if name not in written:
            yield Problem(
                "SYN517",
                (*path, "fields", position),
                f"the mapping {flow.mapping.key.name!r} writes no field {name!r}",
                expected=f"one of {listed(written)}",
                suggestion=nearest(name, written),
            )


def _looks_first(flow: Flow) -> bool:
    return isinstance(flow.spec, ImportSpec) and flow.spec.validate_first == "before-commit"


def _replaces_table(flow: Flow) -> bool:
    """Whether all rows are gathered beside the table, and counted there before they take its place."""
    return flow.spec.write == "replace" and flow.target.runtime == "sql"
