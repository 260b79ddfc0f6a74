"""What tests of the planner share: states in which a repository is applied, and plans from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.manifests.load import from_document, to_document
from syncline.manifests.resolve import resolve
from syncline.planner.compiled import compile_flows
from syncline.planner.make import changes_of, make_plan
from syncline.planner.observed import Observed
from syncline.state.store import AppliedObject
from tests.repository import desired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.model.tally import Tally


def applied(
    texts: Mapping[str, str],
    *,
    read: Mapping[ObjectKey, int] | None = None,
    tallies: Mapping[ObjectKey, Tally] | None = None,
) -> Observed:
    """The state after applying the texts, in which the flows that `read` names have read so many records, and runs did
    what `tallies` say.
    """
    objects = {
        key: AppliedObject(key, m.digest, to_document(m), str(m.place), "rev", "plan", 1, "2026-01-01T00:00:00Z")
        for key, m in desired(texts).objects.items()
    }
    return Observed("lineage", 5, objects, frozenset(read or ()), read or {}, tally=(tallies or {}).get)


def planned(after: Mapping[str, str], state: Observed, *, allow_deletes: bool = False) -> Plan:
    """The plan from a state to the texts, as `workflow.plan` makes it."""
    wanted = desired(after)
    before = resolve([from_document(o.document) for o in state.objects.values()]).desired
    changes = changes_of(wanted, state, compile_flows(before), compile_flows(wanted))
    return make_plan(wanted, state, changes, (), revision="abc", dirty=False, allow_deletes=allow_deletes)


def codes(plan: Plan) -> list[str]:
    """Codes of a plan's findings."""
    return [d.code for d in plan.findings]


def said(plan: Plan, kinds: Iterable[str] = ()) -> list[str]:
    """`object: kind: message` of all effects, or of those of some kinds."""
    wanted = set(kinds)
    return [
        f"{c.key}: {e.kind}: {e.message}"
        for c in plan.changes
        for e in c.effects
        if not wanted or str(e.kind) in wanted
    ]
