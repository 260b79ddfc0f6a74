"""Which rules there are, whom they bind, and what each says of a flow: for people who ask why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from syncline.kinds.policy import PolicyRule, PolicySpec
from syncline.manifests.text import nearest
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.policy.check import Verdicts, check, objects_of
from syncline.policy.rules import RULES, declared
from syncline.policy.rules.declared import bound_policies

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.model.manifest import Manifest
    from syncline.model.plan import PolicyResult
    from syncline.policy.rule import FlowFact, Rule, Subjects

#: What a rule says of an object: it holds, warns, would deny but for an exception, or denies.
Verdict = Literal["holds", "warned", "excepted", "denied"]


class Known(Struct, frozen=True):
    """
    A rule by the name that exceptions call it. `declared` and `policy` are None of a built-in one; `tenants` are whom
    it binds: None stands for everyone.
    """

    name: str
    code: str
    summary: str
    policy: Manifest | None = None
    declared: PolicyRule | None = None
    tenants: tuple[str | None, ...] = (None,)

    @property
    def clause(self) -> str:
        """The clause that it serves; '' where it cites none."""
        return self.declared.clause if self.declared is not None else ""

    def binds(self, tenant: str) -> bool:
        """Whether it binds a tenant."""
        return None in self.tenants or tenant in self.tenants

    def without(self, tenants: frozenset[str]) -> Known:
        """The rule as those may see it who don't see some tenants."""
        return replace(self, tenants=tuple(one for one in self.tenants if one not in tenants)) if tenants else self


class Ruling(Struct, frozen=True):
    """What a rule says of a flow, and of what the flow stands on: the decisions that led to the verdict."""

    rule: Known
    verdict: Verdict
    results: tuple[PolicyResult, ...] = ()


class FlowExplained(Struct, frozen=True):
    """A flow, the facts of its fields, and what each rule that bears on it says, in the order of rules."""

    flow: Flow
    facts: tuple[FlowFact, ...]
    rulings: tuple[Ruling, ...]


def known_rules(subjects: Subjects, shipped: Mapping[ObjectKey, Manifest]) -> tuple[Known, ...]:
    """Every rule: built-in ones, those of declared policies, and those of packs, which bind nobody until named."""
    return (*map(_built_in, (rule for rule in RULES if rule is not declared.RULE)), *_declared(subjects, shipped))


def _built_in(rule: Rule) -> Known:
    return Known(rule.name, rule.code, rule.summary)


def _declared(subjects: Subjects, shipped: Mapping[ObjectKey, Manifest]) -> Iterator[Known]:
    policies = {key: manifest for key, manifest in shipped.items() if key.kind == "Policy"}
    policies |= {manifest.key: manifest for manifest in subjects.desired.of_kind("Policy")}
    bound: dict[ObjectKey, dict[str | None, None]] = {}
    for tenant, manifest in bound_policies(subjects.desired):
        bound.setdefault(manifest.key, {})[tenant] = None
    for key, manifest in sorted(policies.items()):
        assert isinstance(manifest.spec, PolicySpec)
        for rule in manifest.spec.rules:
            name, tenants = f"{key.name}/{rule.name}", tuple(bound.get(key, {}))
            yield Known(name, declared.RULE.code, rule.message, manifest, rule, tenants)


def find_rule(name: str, rules: tuple[Known, ...]) -> tuple[Known, ...]:
    """The rules of a name: several where policies of different owners have one; `Invalid` (SYN650) for none."""
    found = tuple(rule for rule in rules if rule.name == name)
    if found:
        return found
    near = nearest(name, [rule.name for rule in rules])
    hint = f"; did you mean {near}?" if near else ""
    raise Invalid(
        f"there is no rule {name!r}{hint}",
        code="SYN650",
        help="Rules are called as exceptions call them: residency, gdpr/transfers; flows acme/Sync/orders.",
    )


def explain_flow(subjects: Subjects, flow: Flow, rules: tuple[Known, ...]) -> FlowExplained:
    """What every rule that bears on a flow says of it, by the very decisions that plans and runs are made by."""
    results = Verdicts(check(subjects)).of_flow(flow)
    kinds = {key.kind for key in objects_of(flow)}
    rulings = []
    for rule in rules:
        mine = tuple(result for result in results if result.rule == rule.name)
        if mine or (rule.binds(flow.key.tenant) and _bears(rule, flow.key.kind, kinds)):
            rulings.append(Ruling(rule, _verdict(mine), mine))
    return FlowExplained(flow, tuple(subjects.facts.get(flow.key, ())), tuple(rulings))


def decisions_of(subjects: Subjects, rule: Known) -> tuple[PolicyResult, ...]:
    """What a rule decides about everything that is declared, but for what passes."""
    return tuple(result for result in check(subjects) if result.rule == rule.name)


def _bears(rule: Known, kind: str, kinds: set[str]) -> bool:
    if rule.declared is None:
        return True
    about = set(rule.declared.kinds)
    match rule.declared.on:
        case "flow":
            return not about or kind in about
        case "manifest":
            return not about or bool(about & kinds)
        case "change":
            return False


def _verdict(results: tuple[PolicyResult, ...]) -> Verdict:
    verdicts = {result.verdict for result in results}
    if "denied" in verdicts:
        return "denied"
    if "excepted" in verdicts:
        return "excepted"
    return "warned" if "warned" in verdicts else "holds"
