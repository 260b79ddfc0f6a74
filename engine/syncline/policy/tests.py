"""The tests of rules: subjects that a rule must allow or find a violation of, judged as the evaluator judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from syncline.kinds.policy import PolicyRule, PolicySpec
from syncline.model.diagnostic import Diagnostic
from syncline.model.manifest import Manifest, Path
from syncline.policy.cel import Condition
from syncline.policy.rules.declared import condition_of, violates
from syncline.policy.subjects import NAMES, laid_over

#: The most tests of a policy that are tried.
MANY: Final = 10_000


class Tried(Struct, frozen=True):
    """
    One test of a rule: what it expects, and what is wrong with it or with the rule; '' where it passes.

    `number` counts the tests of that expectation from 1.
    """

    policy: Manifest
    rule: str
    expected: Literal["allow", "deny"]
    number: int
    path: Path
    problem: str

    @property
    def name(self) -> str:
        """`gdpr/transfers deny 1`."""
        return f"{self.policy.key.name}/{self.rule} {self.expected} {self.number}"

    @property
    def finding(self) -> Diagnostic:
        """What `validate` says of one that fails."""
        return Diagnostic(
            code="SYN690",
            message=f"test {self.expected} {self.number} of rule {self.rule}: {self.problem}",
            place=self.policy.place_of(*self.path),
            subject=str(self.policy.key),
            help="Correct the rule, or the test if the rule is right.",
        )


def try_policy(policy: Manifest) -> Iterator[Tried]:
    """Every test of every rule of a policy, in order. A rule that isn't CEL is a finding of its own: it isn't tried."""
    spec = policy.spec
    assert isinstance(spec, PolicySpec)
    left = MANY
    for index, rule in enumerate(spec.rules):
        cases = [*(("allow", case) for case in rule.tests.allow), *(("deny", case) for case in rule.tests.deny)]
        try:
            condition = condition_of(rule) if cases else None
        except ValueError:
            continue
        counts = {"allow": 0, "deny": 0}
        for expected, case in cases[:left]:
            counts[expected] += 1
            number = counts[expected]
            path = ("spec", "rules", index, "tests", expected, number - 1)
            assert condition is not None
            problem = _problem(rule, condition, expected, case)
            yield Tried(policy, rule.name, "allow" if expected == "allow" else "deny", number, path, problem)
        left -= len(cases[:left])


def _problem(rule: PolicyRule, condition: Condition, expected: str, case: Mapping[str, Any]) -> str:
    try:
        subject = laid_over(rule.on, case)
    except ValueError as error:
        return str(error)
    if rule.kinds and subject["kind"] not in rule.kinds:
        return f"the rule isn't about {subject['kind']}, but {', '.join(rule.kinds)}"
    violated, why = violates(condition, rule, {NAMES[rule.on]: subject})
    if why:  # it denies then, but not for the reason that the test is about
        return why.strip(" ()")
    if violated == (expected == "deny"):
        return ""
    return "the rule finds a violation" if violated else "the rule finds no violation"
