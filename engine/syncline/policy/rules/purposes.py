"""Purposes: classified data flows for a purpose that its tenant declares, and no more of it than that needs."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.handling import Purpose
from syncline.kinds.tenant import TenantSpec
from syncline.model.diagnostic import Related
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.policy.rule import FlowFact, Rule, Subjects, Violation, matches


def check(subjects: Subjects) -> Iterator[Violation]:
    """A classified field that flows for no declared purpose, or that its purpose doesn't need."""
    for key, facts in subjects.facts.items():
        tenant = subjects.desired.find("", "Tenant", key.tenant)
        if tenant is None or not isinstance(tenant.spec, TenantSpec) or not tenant.spec.purposes:
            continue
        classified = [fact for fact in facts if fact.classes and fact.protection != "drop"]
        if not classified:
            continue
        name = classified[0].terms.purpose
        purpose = tenant.spec.purposes.get(name)
        if purpose is None:
            yield _undeclared(key, name, classified[0], tenant, tenant.spec)
        else:
            yield from (_too_much(fact, why, tenant) for fact in classified if (why := _beyond(fact, purpose)))


def _beyond(fact: FlowFact, purpose: Purpose) -> str:
    """What of a field its purpose doesn't need; '' where it needs it."""
    more = [name for name in fact.classes if not matches(purpose.classes, name)]
    if more:
        return f"data of class {', '.join(more)}"
    return "" if not purpose.fields or matches(purpose.fields, fact.target) else f"the field {fact.target}"


def _undeclared(key: ObjectKey, name: str, fact: FlowFact, tenant: Manifest, spec: TenantSpec) -> Violation:
    what = f"the purpose {name}, which tenant {key.tenant} doesn't declare" if name else "no purpose"
    return Violation(
        rule="purposes",
        code="SYN513",
        subject=key,
        message=f"{key.kind} {key.name} carries {', '.join(fact.classes)} for {what}",
        place=fact.flow_place,
        related=(Related(tenant.place_of("spec", "purposes"), "the tenant's purposes"),),
        expected=f"use.purpose: one of {', '.join(spec.purposes)}",
        help="Say what the records are used for, in spec.use.purpose.",
    )


def _too_much(fact: FlowFact, why: str, tenant: Manifest) -> Violation:
    purpose = fact.terms.purpose
    return Violation(
        rule="purposes",
        code="SYN513",
        subject=fact.flow,
        message=f"{fact.describe()} carries {', '.join(fact.classes)} for {purpose}, which doesn't need {why}",
        place=fact.mapping_place,
        related=(Related(tenant.place_of("spec", "purposes", purpose), "what the purpose needs"),),
        expected="nothing beyond what the purpose needs",
        help="Drop the field: protect: drop. Or have the tenant's owner say that the purpose needs it.",
    )


RULE = Rule("purposes", "SYN513", "Classified data flows for a declared purpose, and no more than it needs.", check)
