"""Classes: which integrations of a tenant may receive data of a class."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.tenant import ClassRule, TenantSpec
from syncline.model.diagnostic import Related
from syncline.policy.rule import FlowFact, Rule, Subjects, Violation, matches


def _forbidden(fact: FlowFact, rule: ClassRule) -> bool:
    if not fact.matching(rule.classes):
        return False
    if fact.protection == "drop" or fact.protection in rule.unless:
        return False
    if matches(rule.deny, fact.target_integration):
        return True
    return bool(rule.allow) and not matches(rule.allow, fact.target_integration)


def check(subjects: Subjects) -> Iterator[Violation]:
    """A classified field that reaches an integration which the tenant forbids for its class."""
    for key, facts in subjects.facts.items():
        tenant = subjects.desired.find("", "Tenant", key.tenant)
        if tenant is None or not isinstance(tenant.spec, TenantSpec):
            continue
        for index, rule in enumerate(tenant.spec.classes):
            for fact in facts:
                if _forbidden(fact, rule):
                    yield Violation(
                        rule="classes",
                        code="SYN502",
                        subject=key,
                        message=(
                            f"{fact.describe()} carries {fact.matching(rule.classes)} to {fact.target_integration}, "
                            f"which tenant {fact.tenant} forbids for it"
                        ),
                        place=fact.mapping_place,
                        related=(
                            Related(tenant.place_of("spec", "classes", index), "the tenant's rule for the class"),
                            Related(fact.flow_place, f"{key.kind} {key.name} writes there"),
                        ),
                        expected=f"one of {', '.join(rule.allow)}" if rule.allow else "another integration",
                        help="Protect or drop the field, or choose another destination.",
                    )


RULE = Rule("classes", "SYN502", "Classified data reaches only the integrations its tenant allows.", check)
