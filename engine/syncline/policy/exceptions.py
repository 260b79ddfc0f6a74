"""Exceptions: which violations a policy may suspend, and which exceptions can't have an effect.

Who declares a rule decides who may suspend it: a tenant's policy suspends rules of that tenant's own policies; built-in
rules, shared policies and packs only a shared policy does. The rule `secrets` holds for everyone.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from syncline.kinds.policy import PolicyException, PolicySpec
from syncline.model.diagnostic import Severity
from syncline.model.manifest import Manifest
from syncline.policy.rule import Subjects, Violation, matches
from syncline.policy.rules import RULES, declared, secrets
from syncline.policy.rules.declared import bound_policies

#: The rule that no exception suspends.
ABSOLUTE = secrets.RULE.name


class Granted(Struct, frozen=True):
    """An exception where it is declared: `tenant` is whom it reaches (None: everyone), `position` where it stands."""

    tenant: str | None
    policy: Manifest
    position: int
    exception: PolicyException

    def may_suspend(self, rule: str, owner: str) -> bool:
        """Whether its policy may suspend a rule of that name, declared by that tenant ('' for built-in and shared)."""
        owned = self.policy.key.tenant in {"", owner}
        return owned and rule != ABSOLUTE and matches([self.exception.rule], rule)

    def waives(self, violation: Violation, subjects: Subjects) -> bool:
        """Whether it suspends a rule for an object, today."""
        return (
            self.exception.until >= subjects.today
            and self.may_suspend(violation.rule, violation.owner)
            and any(matches(self.exception.objects, str(k)) for k in (violation.subject, violation.subject.unversioned))
            and (self.tenant is None or violation.subject.tenant == self.tenant)
        )


def exceptions(subjects: Subjects) -> tuple[Granted, ...]:
    """Every exception, for whom its policy binds."""
    return tuple(
        Granted(tenant, policy, position, exception)
        for tenant, policy in bound_policies(subjects.desired)
        if isinstance(policy.spec, PolicySpec)
        for position, exception in enumerate(policy.spec.exceptions)
    )


def without_effect(granted: tuple[Granted, ...], subjects: Subjects) -> Iterator[Violation]:
    """A warning for each exception that has ended, or suspends no rule that there is."""
    rules = set(_rules(subjects))
    told: set[tuple[object, int]] = set()
    for item in granted:
        place = (item.policy.key, item.position)
        why = _why(item, rules, subjects)
        if why and place not in told:
            told.add(place)
            yield Violation(
                rule="exceptions",
                code="SYN508",
                subject=item.policy.key,
                message=f"the exception of {item.exception.owner} to {item.exception.rule} {why}",
                place=item.policy.place_of("spec", "exceptions", item.position),
                help="Remove it, correct it, or have the owner of the shared policies grant it.",
                severity=Severity.warning,
            )


def _rules(subjects: Subjects) -> Iterator[tuple[str, str]]:
    """Names of all rules with the tenant that declares them, '' for built-in and shared ones."""
    yield from ((rule.name, "") for rule in RULES if rule is not declared.RULE)
    for _, policy in bound_policies(subjects.desired):
        if isinstance(policy.spec, PolicySpec):
            yield from ((f"{policy.key.name}/{rule.name}", policy.key.tenant) for rule in policy.spec.rules)


def _why(item: Granted, rules: set[tuple[str, str]], subjects: Subjects) -> str:
    if item.exception.until < subjects.today:
        return f"ended on {item.exception.until}"
    if any(item.may_suspend(rule, owner) for rule, owner in rules):
        return ""
    visible = {rule for rule, owner in rules if owner in {"", item.policy.key.tenant}}
    named = {rule for rule in visible if matches([item.exception.rule], rule)}
    if not named:
        return "names no rule that there is"
    return "has no effect: nobody may suspend it" if named == {ABSOLUTE} else "has no effect: only a shared policy may"
