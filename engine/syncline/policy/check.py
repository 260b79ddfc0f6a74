"""The evaluator: every rule over the same subjects, exceptions applied once, results in one order.

It is pure: the same subjects give the same results, at the pull request, at apply and at the start of a run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import Flow, Side
from syncline.model.diagnostic import Diagnostic, Severity
from syncline.model.key import ObjectKey
from syncline.model.plan import FLOWS, PolicyResult
from syncline.policy.exceptions import exceptions, without_effect
from syncline.policy.rule import Subjects, Violation
from syncline.policy.rules import RULES


def _diagnostic(violation: Violation) -> Diagnostic:
    return Diagnostic(
        code=violation.code,
        message=violation.message,
        place=violation.place,
        severity=violation.severity,
        expected=violation.expected,
        help=violation.help,
        subject=str(violation.subject),
        related=violation.related,
    )


def _result(violation: Violation) -> PolicyResult:
    allowed = violation.severity is not Severity.error
    return PolicyResult(violation.rule, str(violation.subject), allowed, violation.message, _diagnostic(violation))


def check(subjects: Subjects) -> tuple[PolicyResult, ...]:
    """
    Decisions: one for each violation (allowed when an exception or only a warning), and one for each flow that passed.

    Sorted by object, rule and message; equal subjects give equal results.
    """
    granted = exceptions(subjects)
    results = [_result(violation) for violation in without_effect(granted, subjects)]
    for rule in RULES:
        for violation in rule.check(subjects):
            waiver = next((g.exception for g in granted if g.waives(violation, subjects)), None)
            if waiver is not None:
                note = f"{violation.message} — allowed until {waiver.until} by {waiver.owner}: {waiver.reason}"
                results.append(PolicyResult(violation.rule, str(violation.subject), allowed=True, message=note))
            else:
                results.append(_result(violation))
    broken = {r.object for r in results if not r.allowed}
    for key, facts in subjects.facts.items():
        if str(key) not in broken:
            classified = sorted({name for f in facts for name in f.classes})
            what = f"{len(facts)} field flows" + (f", of class {', '.join(classified)}" if classified else "")
            results.append(PolicyResult(FLOWS, str(key), allowed=True, message=what))
    return tuple(sorted(results, key=_in_order))


class Verdicts:
    """Decisions of `check` by what they are about, so that those about one flow are found without looking at all."""

    def __init__(self, results: Iterable[PolicyResult]) -> None:
        self._about: dict[str, list[PolicyResult]] = defaultdict(list)
        self._policies: dict[str, list[PolicyResult]] = defaultdict(list)  # by tenant; '' has the shared ones
        for result in results:
            match result.object.split("/", 2):
                case ["Policy", *_]:
                    self._policies[""].append(result)
                case [tenant, "Policy", _]:
                    self._policies[tenant].append(result)
                case _:
                    self._about[result.object].append(result)

    def of_flow(self, flow: Flow) -> tuple[PolicyResult, ...]:
        """
        Those that bear on a flow: about it, its tenant, its mapping, what it reads and writes with, and policies.

        Policies are those of its tenant and the shared ones, which deny everything when they can't be evaluated.
        """
        return self._concerning(objects_of(flow), flow.key.tenant)

    def of_side(self, side: Side, tenant: str) -> tuple[PolicyResult, ...]:
        """Those that bear on an integration that a tenant uses by itself, without a flow."""
        return self._concerning({ObjectKey.of_tenant(tenant), *_objects_of(side)}, tenant)

    def _concerning(self, keys: AbstractSet[ObjectKey], tenant: str) -> tuple[PolicyResult, ...]:
        found = [result for key in keys for result in self._about.get(str(key), ())]
        found += [result for owner in {"", tenant} for result in self._policies.get(owner, ())]
        return tuple(sorted(found, key=_in_order))


def objects_of(flow: Flow) -> set[ObjectKey]:
    """A flow and what it stands on: its tenant, its mapping, and what it reads and writes with."""
    ends = (key for side in (flow.source, flow.target) for key in _objects_of(side))
    return {flow.key, flow.mapping.key, ObjectKey.of_tenant(flow.key.tenant), *ends}


def _objects_of(side: Side) -> set[ObjectKey]:
    found = {side.integration.key, side.connector.key}
    auth = side.integration.spec.auth if isinstance(side.integration.spec, IntegrationSpec) else None
    if auth:  # its own, or a shared one of that name
        found |= {ObjectKey(owner, "AuthConfig", auth) for owner in ("", side.integration.key.tenant)}
    return found


def _in_order(result: PolicyResult) -> tuple[str, str, str]:
    return result.object, result.rule, result.message


def diagnostics(results: tuple[PolicyResult, ...]) -> tuple[Diagnostic, ...]:
    """The findings of decisions that deny or warn."""
    return tuple(r.diagnostic for r in results if r.diagnostic is not None)
