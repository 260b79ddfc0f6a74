"""Exceptions: until when they count, whom they reach, and who may grant them."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.policy.check import diagnostics
from tests.repository import CUSTOMERS, edited
from tests.unit.policy.decisions import decide, denied, with_policy

ABROAD = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")
OWN_RULE = "  rules:\n  - {name: no, on: manifest, kinds: [Import], deny: 'true', message: No.}\n"


def exception(rule: str, objects: str = "'*'", until: str = "2030-01-01") -> str:
    """An exception as a policy states it."""
    return f"  exceptions:\n  - {{rule: {rule}, objects: [{objects}], owner: dpo, reason: migration, until: {until}}}\n"


def warnings(texts: dict[str, str]) -> list[tuple[str, str, str]]:
    """Code, place and message of what is warned of."""
    return [(d.code, str(d.place), d.message) for d in diagnostics(decide(texts)) if d.severity == "warning"]


@pytest.mark.parametrize(("until", "rules"), [("2026-06-01", []), ("2026-05-31", ["residency"])])
def test_an_exception_counts_until_its_end(until: str, rules: list[str]) -> None:
    """An exception suspends its rule for its objects through its last day, and not a day longer."""
    granted = exception("residency", "acme/Import/*", until)

    assert denied(with_policy(granted, ABROAD, shared=True)) == rules


@pytest.mark.parametrize("rule", ["residency", "'*'", "resid*"])
def test_a_tenant_does_not_waive_what_others_decide(rule: str) -> None:
    """A tenant's own policy can't suspend a built-in rule, by any pattern; the attempt is told."""
    texts = with_policy(exception(rule), ABROAD)

    assert denied(texts) == ["residency"]
    assert [(code, place) for code, place, _ in warnings(texts)] == [("SYN508", "policy.yaml:6:5")]


def test_a_tenant_waives_its_own_rules_only() -> None:
    """A rule of a tenant's policy is suspended by that tenant; one of a shared policy of the same name isn't."""
    own = with_policy(OWN_RULE + exception("house/no"))
    both = {**own, "shared.yaml": with_policy(OWN_RULE, shared=True)["policy.yaml"]}

    assert denied(own) == []
    assert denied(both) == ["house/no"]
    assert warnings(both) == []


def test_a_shared_policy_waives_what_a_tenant_declares() -> None:
    """Whoever owns the shared policies may suspend a tenant's rules, and built-in ones for all tenants."""
    granted = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: office}\nspec:\n" + exception("'*'", "acme/*")

    assert denied({**with_policy(OWN_RULE, ABROAD), "office.yaml": granted}) == []


@pytest.mark.parametrize("rule", ["secrets", "'*'"])
def test_nobody_waives_the_rule_about_secrets(rule: str) -> None:
    """A secret in the clear is denied whatever a shared policy says."""
    texts = with_policy(exception(rule), edited("mapping.yaml", "class: pii.email", "class: secret.token"), shared=True)

    assert denied(texts) == ["secrets"]


@pytest.mark.parametrize(
    ("granted", "shared", "why"),
    [
        (exception("residency", until="2026-05-31"), True, "the exception of dpo to residency ended on 2026-05-31"),
        (exception("residencia"), True, "the exception of dpo to residencia names no rule that there is"),
        (exception("secrets"), True, "the exception of dpo to secrets has no effect: nobody may suspend it"),
        (exception("residency"), False, "the exception of dpo to residency has no effect: only a shared policy may"),
    ],
)
def test_an_exception_without_effect_is_told(granted: str, shared: bool, why: str) -> None:
    """What has ended, doesn't exist or isn't allowed gives a warning, at the exception, and denies nothing."""
    texts = with_policy(granted, CUSTOMERS, shared=shared)

    assert warnings(texts) == [("SYN508", "policy.yaml:6:5", why)]
    assert denied(texts) == []


def test_a_tenants_exception_does_not_reach_another_tenant() -> None:
    """What one tenant excepts binds another still, and its finding doesn't name the other's rules."""
    other = {f"globex-{name}": text.replace("acme", "globex") for name, text in with_policy(OWN_RULE).items()}
    for before, after in (("root: data", "root: data-2"), ("path: warehouse.db", "path: globex.db")):
        other = edited("globex-files.yaml", before, after, other)
    results = decide({**with_policy(OWN_RULE + exception("house/*")), **other})

    assert [r.object for r in results if not r.allowed] == ["globex/Import/customers"]


@pytest.mark.parametrize("lacks", ["owner: dpo", "reason: migration", "until: 2030-01-01"])
@pytest.mark.parametrize("blank", [False, True])
def test_an_exception_names_who_why_and_until_when(lacks: str, blank: bool) -> None:
    """Without an owner, a reason or an end, or with one that says nothing, it is no exception but a finding."""
    name = lacks.partition(":")[0]
    text = exception("residency").replace(f", {lacks}", f", {name}: ' '" if blank else "")
    found = load_text(with_policy(text, {}, shared=True)["policy.yaml"], "policy.yaml").diagnostics

    assert [name in d.message for d in found] == [True]
