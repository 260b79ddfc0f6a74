"""Declared rules: the CEL conditions of Policy manifests, over manifests, flows and changes.

CEL is compiled once an evaluation of the rule; a condition that can't be evaluated on a subject is a violation too
(policy fails closed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from syncline.kinds.policy import PolicyRule, PolicySpec
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.desired import Desired
from syncline.model.diagnostic import Place, Related, Severity
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.policy.cel import ERRORS, Condition
from syncline.policy.rule import FlowFact, Rule, Subjects, Violation
from syncline.policy.subjects import change_values, flow_values, object_values


class _Subject(Struct, frozen=True):
    """What a condition is evaluated on; `name` is what people call it, where that isn't its key."""

    key: ObjectKey
    place: Place | None
    values: Mapping[str, Any]
    kind: str
    name: str = ""


def bound_policies(desired: Desired) -> Iterator[tuple[str | None, Manifest]]:
    """
    Policies that bind a tenant (None: every tenant), packs unfolded, each at most once a tenant.

    A shared policy of the repository binds everyone; a tenant's policy its tenant; a pack from the catalogue only who
    names it. A policy of the tenant's own by the name of a pack binds besides it: it can't take the pack's place.
    """
    seen: set[tuple[str | None, ObjectKey]] = set()

    def unfold(tenant: str | None, manifest: Manifest) -> Iterator[tuple[str | None, Manifest]]:
        if (tenant, manifest.key) in seen or not isinstance(manifest.spec, PolicySpec):
            return
        seen.add((tenant, manifest.key))
        yield tenant, manifest
        for name in manifest.spec.packs:
            pack = desired.find(manifest.key.tenant, "Policy", name)
            if pack is not None:
                yield from unfold(tenant, pack)

    for key, manifest in desired.objects.items():
        if key.kind == "Policy":
            yield from unfold(key.tenant or None, manifest)
        elif isinstance(manifest.spec, TenantSpec):
            for name in manifest.spec.policies:
                for owner in (key.name, ""):
                    if (policy := desired.find(owner, "Policy", name)) is not None:
                        yield from unfold(key.name, policy)


def _manifest_subject(manifest: Manifest) -> _Subject:
    values = {"object": object_values(manifest)}
    return _Subject(manifest.key, manifest.place, values, manifest.key.kind)


def _flow_subject(fact: FlowFact) -> _Subject:
    return _Subject(fact.flow, fact.mapping_place, {"flow": flow_values(fact)}, fact.flow.kind, fact.describe())


def _subjects(subjects: Subjects, on: str) -> Iterator[_Subject]:
    if on == "manifest":
        yield from (_manifest_subject(m) for m in subjects.desired.objects.values())
    elif on == "flow":
        yield from (_flow_subject(f) for facts in subjects.facts.values() for f in facts)
    else:
        for change in subjects.changes:
            yield _Subject(change.key, change.place, {"change": change_values(change)}, change.key.kind)


def condition_of(rule: PolicyRule) -> Condition:
    """The condition of a rule; ValueError where it isn't CEL."""
    return Condition(rule.deny if rule.deny is not None else rule.require or "")


def violates(condition: Condition, rule: PolicyRule, values: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a subject breaks a rule, and why it counts as broken where that isn't what the condition says."""
    try:
        result = condition(values)
    except ERRORS as error:
        return True, f" (the condition can't be evaluated here: {error})"
    if not isinstance(result, bool):
        return True, f" (the condition gives {type(result).__name__}, not a boolean)"
    return (result if rule.deny is not None else not result), ""


def _apply(
    policy: Manifest, index: int, rule: PolicyRule, tenant: str | None, subjects: Subjects
) -> Iterator[Violation]:
    place = policy.place_of("spec", "rules", index)
    name = f"{policy.key.name}/{rule.name}"
    try:
        condition = condition_of(rule)
    except ValueError as error:
        yield Violation(
            name, "SYN511", policy.key, f"rule {name} is not valid CEL: {error}", place, owner=policy.key.tenant
        )
        return
    for subject in _subjects(subjects, rule.on):
        if (tenant is not None and subject.key.owner != tenant) or (rule.kinds and subject.kind not in rule.kinds):
            continue
        violated, why = violates(condition, rule, subject.values)
        if violated:
            yield Violation(
                rule=name,
                code="SYN510",
                subject=subject.key,
                message=f"{subject.name or subject.key} breaks {name}: {rule.message}{why}",
                place=subject.place or place,
                related=(Related(place, f"the rule{f' ({rule.clause})' if rule.clause else ''}"),),
                severity=Severity(rule.severity),
                help=rule.help or rule.message,
                owner=policy.key.tenant,
            )


def check(subjects: Subjects) -> Iterator[Violation]:
    """Every declared rule on every subject of the tenants that it binds."""
    for tenant, policy in bound_policies(subjects.desired):
        if isinstance(policy.spec, PolicySpec):
            for index, rule in enumerate(policy.spec.rules):
                yield from _apply(policy, index, rule, tenant, subjects)


RULE = Rule("declared", "SYN510", "Rules declared in Policy manifests hold.", check)
