"""Tests of `syncline policy`: rules tried by their tests, and flows explained by the decisions of the evaluator."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def governed(repository):
    """The example repository, whose tenant takes the GDPR pack in."""
    tenant = repository / "tenants" / "acme.yaml"
    tenant.write_text(tenant.read_text().replace("spec:\n", "spec:\n  policies: [gdpr]\n"))
    return repository


def test_all_packs_and_policies_are_tried(repository, shell):
    """Without a name, the shipped packs and the declared policies are tried, and all pass."""
    ended = shell("policy", "test", "-o", "json")
    tried = json.loads(ended.out)

    assert ended.code == 0
    assert {case["policy"] for case in tried} >= {"Policy/gdpr", "Policy/hipaa", "Policy/ccpa", "Policy/soc2"}
    assert all(case["passed"] for case in tried)


def test_a_failing_test_is_named_with_its_place(repository, shell):
    """A rule that doesn't do what its test says ends with 1, here and in validate."""
    path = repository / "policies" / "house-rules.yaml"
    path.write_text(path.read_text() + "    tests: {allow: [{}]}\n")
    ended = shell("policy", "test", "house-rules")

    assert ended.code == 1
    assert ended.out == (
        "✗ Policy/house-rules: 1 of 1 test fail\n"
        "    house-rules/team-label allow 1: the rule finds a violation (policies/house-rules.yaml:13:21)\n"
    )
    assert "SYN690" in shell("validate").out


def test_a_flow_is_explained_by_every_rule_that_bears_on_it(governed, shell):
    """The facts of its fields, each rule's verdict, the clause, the place and the help."""
    ended = shell("policy", "explain", "Import/customers")

    assert ended.code == 0
    assert "full_name    name     pii.name" in ended.out
    assert "✗ gdpr/purpose (GDPR Art. 5(1)(b)): denied" in ended.out
    assert "    ✗ crm-export.email → warehouse.email breaks gdpr/purpose: " in ended.out
    assert "! gdpr/recipients (GDPR Art. 30(1)(d)): warned" in ended.out
    assert "    gdpr/transfers\n" in ended.out
    assert "ccpa/" not in ended.out


def test_an_exception_shows_as_one(governed, shell):
    """What would be denied but for an exception is neither denied nor said to hold."""
    (governed / "exception.yaml").write_text(
        "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: office}\nspec:\n  exceptions:\n"
        "  - {rule: gdpr/purpose, objects: ['*'], owner: dpo, reason: a move, until: 2099-01-01}\n"
    )
    found = json.loads(shell("policy", "explain", "acme/Import/customers", "-o", "json").out)
    verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}

    assert verdicts["gdpr/purpose"] == "excepted"
    assert verdicts["gdpr/lawful-basis"] == "denied"
    assert verdicts["gdpr/recipients"] == "warned"
    assert verdicts["residency"] == "holds"


def test_a_rule_is_explained_with_what_breaks_it(governed, shell):
    """A rule of a pack: clause, condition, what it looks at, whom it binds, and each violation."""
    (rule,) = json.loads(shell("policy", "explain", "gdpr/purpose", "-o", "json").out)
    text = shell("policy", "explain", "gdpr/purpose").out

    assert (rule["clause"], rule["binds"]) == ("GDPR Art. 5(1)(b)", ["acme"])
    assert [d["verdict"] for d in rule["decisions"]] == ["denied", "denied"]
    assert text.count("✗") == 2
    assert "looks at each flow, such as:" in text


def test_a_pack_that_nobody_names_binds_nobody(repository, shell):
    """What isn't taken in decides nothing, and can be looked at all the same."""
    assert "binds nobody: no tenant names its policy" in shell("policy", "explain", "hipaa/safe-harbor").out
    assert "binds everyone" in shell("policy", "explain", "residency").out


@pytest.mark.parametrize(
    ("name", "said"),
    [("gdpr/purposes", "gdpr/purpose"), ("residence", "residency"), ("Import/customer", "Import/customers")],
)
def test_a_wrong_name_is_answered_with_a_near_one(repository, shell, name, said):
    """A typing error in a rule or a flow is told with what was meant."""
    ended = shell("policy", "explain", name)

    assert ended.code == 1
    assert f"did you mean {said}" in ended.err or f"did you mean acme/{said}" in ended.err
