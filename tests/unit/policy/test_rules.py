"""Policy rules: what each allows and denies, by one fixture a rule, and what exceptions do."""

from __future__ import annotations

import pytest

from syncline.policy.check import diagnostics
from syncline.policy.rule import matches
from syncline.policy.rules import RULES
from tests.repository import CUSTOMERS, edited
from tests.unit.policy.decisions import decide, denied, with_policy

CARDS = ("mapping.yaml", "class: pii.email", "class: pci.pan")
ABROAD = ("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")


def test_a_flow_inside_its_regions_is_allowed() -> None:
    """Personal data that stays in the declared regions passes, and the decision says what was looked at."""
    (result,) = decide(CUSTOMERS)

    assert result.allowed
    assert result.message == "3 field flows, of class pii.email"


def test_a_flow_out_of_its_regions_is_denied_with_both_places() -> None:
    """Personal data to another region is denied; the finding names the mapping's field and the tenant's rule."""
    (result,) = [r for r in decide(edited(*ABROAD)) if not r.allowed]

    assert result.rule == "residency"
    assert result.diagnostic is not None
    assert str(result.diagnostic.place) == "mapping.yaml:9:5"
    assert [str(r.place) for r in result.diagnostic.related] == ["tenant.yaml:6:5", "files.yaml:13:38"]
    assert "crm.email → warehouse.email carries pii.email to us-east" in result.message


@pytest.mark.parametrize(("protect", "rules"), [("drop", []), ("{hash: tenant}", []), ("mask", ["residency"])])
def test_only_the_protections_that_a_rule_accepts_count(protect: str, rules: list[str]) -> None:
    """Under `unless: [drop, hash]`, hashed and dropped fields may leave; masked ones may not."""
    texts = edited("mapping.yaml", "class: pii.email", f"class: pii.email, protect: {protect}", edited(*ABROAD))

    assert denied(texts) == rules


def test_an_undeclared_region_is_no_permission() -> None:
    """An integration that doesn't say where it is can't receive data that is bound to regions."""
    assert denied(edited("files.yaml", "region: eu-west, config: {path", "config: {path")) == ["residency"]


@pytest.mark.parametrize(
    ("rule", "rules"),
    [("allow: [warehouse]", []), ("allow: [lake]", ["classes"]), ("deny: [ware*]", ["classes"]), ("deny: [lake]", [])],
)
def test_classes_reach_only_allowed_integrations(rule: str, rules: list[str]) -> None:
    """A tenant's class rule allows or denies integrations by name or pattern."""
    texts = edited("tenant.yaml", "spec:\n", f"spec:\n  classes: [{{classes: [pii.email], {rule}}}]\n")

    assert denied(texts) == rules


def test_an_integration_outside_the_tenants_regions_is_denied() -> None:
    """A tenant's list of regions binds all its integrations, with data or without."""
    assert denied(edited("tenant.yaml", "spec:\n", "spec:\n  regions: [us-*]\n")) == ["regions", "regions"]


SHARED = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: lake, labels: {team: data}}
spec: {connector: sqlite@^1, region: us-east, config: {path: lake.db}}
"""


def test_a_shared_integration_outside_the_tenants_regions_is_denied_to_its_flows() -> None:
    """The list binds what a tenant's flows use, whoever declares it; the finding is at the flow. Unused, it is fine."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  regions: [eu-*]\n", {**CUSTOMERS, "lake.yaml": SHARED})
    used = edited("import.yaml", "to: warehouse/", "to: lake/", edited("mapping.yaml", ", class: pii.email", "", texts))
    (result,) = [r for r in decide(used) if not r.allowed]

    assert denied(texts) == []
    assert (result.rule, result.object) == ("regions", "acme/Import/customers")
    assert result.diagnostic is not None
    assert str(result.diagnostic.place) == "import.yaml:4:52"


def test_a_secret_in_the_clear_is_denied_whoever_allows_it() -> None:
    """Class secret needs a hash or a drop."""
    clear = edited("mapping.yaml", "class: pii.email", "class: secret.token")
    hashed = edited("mapping.yaml", "class: pii.email", "class: secret.token, protect: {hash: tenant}")

    assert denied(clear) == ["secrets"]
    assert denied(hashed) == []


def test_a_declared_condition_is_checked_on_manifests() -> None:
    """A CEL rule over manifests names the object that breaks it and the rule's own message."""
    texts = with_policy(
        "  rules:\n  - {name: team, on: manifest, kinds: [Import], require: \"'team' in object.labels\", message: Name the team.}\n"
    )
    (result,) = [r for r in decide(texts) if not r.allowed]

    assert (result.rule, result.object) == ("house/team", "acme/Import/customers")
    assert "Name the team." in result.message
    assert (
        denied(
            {**texts, "import.yaml": texts["import.yaml"].replace("tenant: acme}", "tenant: acme, labels: {team: x}}")}
        )
        == []
    )


def test_a_declared_condition_is_checked_on_flows() -> None:
    """A CEL rule over flows sees class, protection and both ends of each field."""
    rule = "  rules:\n  - {name: no-mail, on: flow, deny: \"flow['class'] == 'pii.email' && flow.protection == ''\", message: Hash it.}\n"

    assert denied(with_policy(rule)) == ["house/no-mail"]
    assert (
        denied(with_policy(rule, edited("mapping.yaml", "class: pii.email", "class: pii.email, protect: mask"))) == []
    )


def test_a_condition_that_cannot_be_evaluated_denies() -> None:
    """Policy fails closed: an unknown field in a condition is a violation, not a pass."""
    rule = (
        "  rules:\n  - {name: odd, on: manifest, kinds: [Import], deny: object.spec.nothing.here == 1, message: Odd.}\n"
    )

    assert denied(with_policy(rule)) == ["house/odd"]


def test_a_warning_is_shown_and_does_not_deny() -> None:
    """Severity warning gives a finding and lets the plan pass."""
    rule = "  rules:\n  - {name: w, on: manifest, kinds: [Import], deny: 'true', message: Hm., severity: warning}\n"
    results = decide(with_policy(rule))

    assert all(r.allowed for r in results)
    assert [d.severity for d in diagnostics(results)] == ["warning"]


def test_a_pack_binds_whoever_names_it() -> None:
    """The shipped baseline warns about imports without a team, once the tenant takes it in."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [baseline]\n")

    assert {r.rule for r in decide(texts)} >= {"baseline/owned", "baseline/bounded-rejects"}


def test_a_pack_is_not_displaced() -> None:
    """A tenant's own policy of the pack's name doesn't take the place of the pack."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [baseline]\n", edited(*CARDS))
    own = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: baseline, tenant: acme}\nspec: {title: Nothing}\n"

    assert denied(texts) == ["baseline/no-plain-card-numbers"]
    assert denied({**texts, "own.yaml": own}) == ["baseline/no-plain-card-numbers"]


def test_every_rule_has_its_own_name_and_code() -> None:
    """Rules can be told apart by name and by code."""
    assert len({r.name for r in RULES}) == len({r.code for r in RULES}) == len(RULES)


def test_patterns_match_whole_names() -> None:
    """A pattern without a star matches one name only."""
    assert matches(["pii.email"], "pii.email")
    assert not matches(["pii"], "pii.email")


def test_a_class_follows_its_source_field_to_every_target() -> None:
    """A second target made of a field whose copy is declared personal is personal too, whatever it says of itself."""
    split = "- {to: domain, from: \"split(email, '@')[1]\"}"
    texts = edited("mapping.yaml", "- {to: name, from: name}", split, edited(*ABROAD))
    hashed = edited("mapping.yaml", "class: pii.email", "class: pii.email, protect: {hash: tenant}", texts)

    (result,) = [r for r in decide(hashed) if not r.allowed]

    assert "crm.email → warehouse.domain carries pii.email" in result.message
