"""Retention: destinations keep classified data no longer than the purpose that it flows for needs it."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.tenant import TenantSpec
from syncline.model import units
from syncline.model.diagnostic import Related
from syncline.policy.rule import Rule, Subjects, Violation


def check(subjects: Subjects) -> Iterator[Violation]:
    """A flow of classified data to where it is kept longer than its purpose allows, or for nobody knows how long."""
    for key, facts in subjects.facts.items():
        tenant = subjects.desired.find("", "Tenant", key.tenant)
        fact = next((fact for fact in facts if fact.classes and fact.protection != "drop"), None)
        if fact is None or tenant is None or not isinstance(tenant.spec, TenantSpec):
            continue
        purpose = tenant.spec.purposes.get(fact.terms.purpose)
        if purpose is None or purpose.retention is None:
            continue
        kept = fact.destination.retention
        if kept and kept <= units.duration(purpose.retention):
            continue
        long = f"{kept / 86_400:g} days" if kept else "an undeclared time"
        yield Violation(
            rule="retention",
            code="SYN514",
            subject=key,
            message=(
                f"{fact.target_integration} keeps {', '.join(fact.classes)} for {long}; {fact.terms.purpose} needs it "
                f"for {purpose.retention}"
            ),
            place=fact.flow_place,
            related=(
                Related(tenant.place_of("spec", "purposes", fact.terms.purpose, "retention"), "how long it is needed"),
                Related(fact.target_place, "where it is kept"),
            ),
            expected=f"handling.retention of at most {purpose.retention}",
            help="Declare spec.retention of the flow, or have the destination delete it in time and declare that in "
            "its handling.retention.",
        )


RULE = Rule("retention", "SYN514", "Classified data is kept no longer than its purpose needs it.", check)
