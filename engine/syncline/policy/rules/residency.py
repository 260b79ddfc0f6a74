"""Residency: classified data stays in the regions that its tenant declares for its class."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.tenant import Residency, TenantSpec
from syncline.model.diagnostic import Related
from syncline.model.manifest import Manifest
from syncline.policy.rule import FlowFact, Rule, Subjects, Violation, matches

#: How a protection is written in a mapping.
_WRITTEN = {
    "drop": "protect: drop",
    "mask": "protect: mask",
    "hash": "protect: {hash: tenant}",
    "tokenize": "protect: {tokenize: tenant}",
    "preserve": "protect: {preserve: digits}",
    "generalize": "protect: {generalize: …}",
}


def _accepted(unless: tuple[str, ...]) -> str:
    return " or ".join(_WRITTEN[name] for name in dict.fromkeys(("drop", *unless)))


def _violation(fact: FlowFact, tenant: Manifest, index: int, rule: Residency) -> Violation:
    regions, unless = rule.regions, rule.unless
    where = fact.target_region or "an undeclared region"
    return Violation(
        rule="residency",
        code="SYN501",
        subject=fact.flow,
        message=(
            f"{fact.describe()} carries {fact.matching(rule.classes)} to {where}; "
            f"tenant {fact.tenant} keeps it in {', '.join(regions)}"
        ),
        place=fact.mapping_place,
        related=(
            Related(tenant.place_of("spec", "residency", index), "the tenant's residency rule"),
            Related(fact.target_place, f"{fact.target_integration} is in {where}"),
        ),
        expected=f"a region matching {', '.join(regions)}",
        help=f"Protect the field ({_accepted(unless)}), or send it to an integration in an allowed region.",
    )


def check(subjects: Subjects) -> Iterator[Violation]:
    """A classified field that reaches a region outside its class's regions, unless a protection the rule accepts."""
    for key, facts in subjects.facts.items():
        tenant = subjects.desired.find("", "Tenant", key.tenant)
        if tenant is None:
            continue
        spec = tenant.spec
        if not isinstance(spec, TenantSpec):
            continue
        for index, rule in enumerate(spec.residency):
            for fact in facts:
                if not fact.matching(rule.classes):
                    continue
                if fact.protection == "drop" or fact.protection in rule.unless or fact.terms.transfer in rule.transfers:
                    continue
                if not matches(rule.regions, fact.target_region):
                    yield _violation(fact, tenant, index, rule)


RULE = Rule("residency", "SYN501", "Classified data stays in the regions its tenant declares.", check)
