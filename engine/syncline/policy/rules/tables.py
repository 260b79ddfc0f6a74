"""Tables: what one flow of a tenant writes, no other flow takes away or writes by other rules.

Several flows may append to one table, or upsert into it by one key, and keep its rows for one time. Where one replaces
it, or deletes what its read lacks, or they disagree, what is in the table depends on which ran last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from syncline.kinds.sync import SyncSpec
from syncline.manifests.flow import Flow
from syncline.manifests.locations import table_of
from syncline.model.diagnostic import Related
from syncline.policy.rule import Rule, Subjects, Violation


def _manner(flow: Flow) -> tuple[str, frozenset[str], str]:
    kept = flow.spec.retention
    key = frozenset(flow.target_key if flow.spec.write == "upsert" else ())
    return flow.spec.write, key, f"kept {kept.after} by {kept.by}" if kept is not None else ""


def _said(flow: Flow) -> str:
    mode, key, kept = _manner(flow)
    said = f"{mode} by {', '.join(sorted(key))}" if key else mode
    said = f"{said}, {kept}" if kept else said
    return f"{said}, deleting what is absent" if mode != "replace" and _alone(flow) else said


def _alone(flow: Flow) -> bool:
    """Whether a flow takes away what others write."""
    return flow.spec.write == "replace" or (isinstance(flow.spec, SyncSpec) and flow.spec.absent == "delete")


def check(subjects: Subjects) -> Iterator[Violation]:
    """Every flow that writes to a table which another flow of its tenant replaces, or writes in another way."""
    tables: dict[tuple[str, ...], list[Flow]] = defaultdict(list)
    for flow in subjects.flows:
        tables[table_of(flow, subjects.root)].append(flow)
    for flows in tables.values():
        for flow in flows:
            manner = _manner(flow)
            others = (f for f in flows if f is not flow and (_alone(flow) or _alone(f) or _manner(f) != manner))
            if (other := next(others, None)) is not None:
                yield Violation(
                    rule="tables",
                    code="SYN507",
                    subject=flow.key,
                    message=(
                        f"{flow.target.stream} is written by {flow.key} ({_said(flow)}) and by {other.key} "
                        f"({_said(other)})"
                    ),
                    place=flow.manifest.place_of("spec", "to"),
                    related=(Related(other.manifest.place_of("spec", "to"), f"{other.key} writes there too"),),
                    expected="one flow, or several that append or upsert by one key, with the same retention",
                    help="Write to another table, or in the same way.",
                )


RULE = Rule("tables", "SYN507", "Flows of a tenant that write one table do it in one way.", check)
