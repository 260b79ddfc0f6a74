"""Making a plan: diff → effects → guards → steps. One screen, pure, deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from syncline.manifests.desired import Desired
from syncline.model.change import Action, Change
from syncline.model.diagnostic import Diagnostic
from syncline.model.key import ObjectKey
from syncline.model.plan import Basis, Plan, PolicyResult
from syncline.planner.compiled import Flows
from syncline.planner.diff import diff
from syncline.planner.effects import with_effects
from syncline.planner.guards import guard_findings
from syncline.planner.observed import Observed
from syncline.planner.order import steps


def changes_of(
    desired: Desired,
    observed: Observed,
    before: Flows,
    after: Flows,
    former: Desired | None = None,
    taken: Mapping[ObjectKey, str] = MappingProxyType({}),
) -> tuple[Change, ...]:
    """
    Changes with their effects; `before` and `after` are the compiled flows of what is applied and declared, `former` is
    what is applied, where something is, and `taken` what becomes this source's, with whose it was.
    """
    return with_effects(diff(desired, observed, taken), before, after, observed, former, desired)


def make_plan(
    desired: Desired,
    observed: Observed,
    changes: tuple[Change, ...],
    policy: tuple[PolicyResult, ...],
    *,
    revision: str,
    dirty: bool,
    findings: tuple[Diagnostic, ...] = (),
    allow_deletes: bool = False,
) -> Plan:
    """The plan value. Equal inputs give an equal plan, whatever the order of files."""
    guards = guard_findings(changes, desired, observed, allow_deletes=allow_deletes)
    return Plan(
        basis=Basis(revision, dirty, observed.lineage, observed.serial, desired.digest),
        changes=changes,
        steps=steps(changes, desired, observed.back_to),
        policy=policy,
        findings=(*findings, *guards),
        summary={action.name: n for action in Action if (n := sum(c.action is action for c in changes))},
    )
