"""The evaluator: every rule over the same subjects, exceptions applied once, results in one order.

It is pure: the same subjects give the same results, at the pull request, at apply and at the start of a run.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.policy import PolicyException, PolicySpec
from syncline.model.diagnostic import Diagnostic, Severity
from syncline.model.plan import PolicyResult
from syncline.policy.rule import Subjects, Violation, matches
from syncline.policy.rules import RULES
from syncline.policy.rules.declared import bound_policies


def _exceptions(subjects: Subjects) -> Iterator[tuple[str | None, PolicyException]]:
    for tenant, policy in bound_policies(subjects):
        if isinstance(policy.spec, PolicySpec):
            yield from ((tenant, exception) for exception in policy.spec.exceptions)


def _excepted(violation: Violation, subjects: Subjects, tenant: str | None, exception: PolicyException) -> bool:
    return (
        exception.until >= subjects.today
        and matches([exception.rule], violation.rule)
        and matches(exception.objects, str(violation.subject))
        and (tenant is None or violation.subject.tenant == tenant)
    )


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


def check(subjects: Subjects) -> tuple[PolicyResult, ...]:
    """
    Decisions: one for each violation (allowed when an exception or only a warning), and one for each flow that passed.

    Sorted by object, rule and message; equal subjects give equal results.
    """
    exceptions = tuple(_exceptions(subjects))
    results = []
    for rule in RULES:
        for violation in rule.check(subjects):
            waived = next((e for t, e in exceptions if _excepted(violation, subjects, t, e)), None)
            if waived is not None:
                note = f"{violation.message} — allowed until {waived.until} by {waived.owner}: {waived.reason}"
                results.append(PolicyResult(violation.rule, str(violation.subject), allowed=True, message=note))
            else:
                allowed = violation.severity is not Severity.error
                found = _diagnostic(violation)
                results.append(PolicyResult(violation.rule, str(violation.subject), allowed, violation.message, found))
    broken = {r.object for r in results if not r.allowed}
    for key, facts in subjects.facts.items():
        if str(key) not in broken:
            classified = sorted({name for f in facts for name in f.classes})
            what = f"{len(facts)} field flows" + (f", of class {', '.join(classified)}" if classified else "")
            results.append(PolicyResult("flows", str(key), allowed=True, message=what))
    return tuple(sorted(results, key=lambda r: (r.object, r.rule, r.message)))


def diagnostics(results: tuple[PolicyResult, ...]) -> tuple[Diagnostic, ...]:
    """The findings of decisions that deny or warn."""
    return tuple(r.diagnostic for r in results if r.diagnostic is not None)
