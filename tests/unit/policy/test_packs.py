"""The shipped packs: every rule cites its clause and is proved to allow and to deny, by its own tests."""

from __future__ import annotations

import pytest

from syncline.kinds.policy import PolicyRule, PolicySpec
from syncline.manifests.catalog import catalog
from syncline.manifests.load import load_text
from syncline.model.change import Action, Change
from syncline.policy.conditions import check_conditions
from syncline.policy.subjects import EXAMPLES, change_values, flow_values, laid_over, object_values
from syncline.policy.tests import try_policy
from tests.repository import CUSTOMERS, desired, edited
from tests.unit.policy.decisions import decide, denied, subjects, with_policy

PACKS = {key.name: manifest for key, manifest in catalog().items() if key.kind == "Policy"}


def rules() -> list[tuple[str, PolicyRule]]:
    """Every rule of every pack."""
    found = []
    for name, pack in PACKS.items():
        assert isinstance(pack.spec, PolicySpec)
        found += [(name, rule) for rule in pack.spec.rules]
    return found


def test_these_packs_are_shipped() -> None:
    """The packs that a tenant can name."""
    assert set(PACKS) == {"baseline", "gdpr", "ccpa", "hipaa", "soc2", "iso27001"}


@pytest.mark.parametrize(("pack", "rule"), rules(), ids=lambda value: getattr(value, "name", value))
def test_every_rule_is_proved_both_ways_and_says_what_to_do(pack: str, rule: PolicyRule) -> None:
    """A rule has a test of what it allows and of what it denies, and cites a clause and a remedy."""
    assert rule.tests.allow
    assert rule.tests.deny
    assert rule.clause, f"{pack}/{rule.name}"
    assert rule.help, f"{pack}/{rule.name}"


@pytest.mark.parametrize("pack", PACKS)
def test_every_test_of_a_pack_passes(pack: str) -> None:
    """What the packs' tests say is what their rules do."""
    tried = list(try_policy(PACKS[pack]))

    assert tried
    assert [(case.name, case.problem) for case in tried if case.problem] == []


def policy(tests: str, deny: str = "flow.target.region != 'eu-west'") -> list[str]:
    """Findings of a policy with one rule and these tests."""
    rule = f'  rules:\n  - {{name: r, on: flow, deny: "{deny}", message: M., tests: {tests}}}\n'
    return [d.message for d in check_conditions(desired(with_policy(rule)))]


def test_a_test_that_a_rule_contradicts_is_a_finding() -> None:
    """Both kinds of wrong expectation are found, and right ones aren't."""
    assert policy("{allow: [{}], deny: [{target: {region: us}}]}") == []
    assert policy("{deny: [{}]}") == ["test deny 1 of rule r: the rule finds no violation"]
    assert policy("{allow: [{}, {target: {region: us}}]}") == ["test allow 2 of rule r: the rule finds a violation"]


def test_tests_of_a_rule_on_changes_are_tried() -> None:
    """As those of other rules are: on a change of which only what matters is written."""

    def found(tests: str) -> list[str]:
        rule = (
            f"  rules:\n  - {{name: r, on: change, deny: \"change.action == 'delete'\", message: M., tests: {tests}}}\n"
        )
        return [d.message for d in check_conditions(desired(with_policy(rule)))]

    assert found("{allow: [{}, {action: create}], deny: [{action: delete}]}") == []
    assert found("{deny: [{action: update}]}") == ["test deny 1 of rule r: the rule finds no violation"]
    assert found("{deny: [{labels: {}}]}")[0].startswith("test deny 1 of rule r: labels is nothing that it has")


def test_a_test_with_a_name_that_no_subject_has_is_a_finding() -> None:
    """A typing error in a test can't make it pass."""
    (found,) = policy("{deny: [{target: {regoin: us-east}}]}")

    assert found.startswith("test deny 1 of rule r: target.regoin is nothing that it has; there is integration, ")


def test_a_condition_that_cannot_be_evaluated_passes_no_test() -> None:
    """A rule that denies because it can't be evaluated doesn't count as one that finds a violation."""
    (found,) = policy("{deny: [{}]}", "flow.nothing.here == 'x'")

    assert "can't be evaluated" in found


def test_a_finding_stands_at_the_test() -> None:
    """The finding of a test names its line."""
    text = """\
  rules:
  - name: r
    on: flow
    deny: 'false'
    message: M.
    tests:
      deny:
      - {classes: [pii.email]}
"""
    (found,) = check_conditions(desired(with_policy(text)))

    assert (found.code, str(found.place)) == ("SYN690", "policy.yaml:12:9")


def test_examples_have_exactly_what_real_subjects_have() -> None:
    """What tests are laid over has the names of real flows, manifests and changes, in the same order."""
    found = subjects(CUSTOMERS)
    fact = next(iter(found.facts.values()))[0]
    real = flow_values(fact)

    assert list(EXAMPLES["flow"]) == list(real)
    assert list(EXAMPLES["flow"]["target"]) == list(real["target"])
    assert list(EXAMPLES["manifest"]) == list(object_values(next(iter(found.desired.objects.values()))))
    assert {k: type(v) for k, v in EXAMPLES["flow"].items()} == {k: type(v) for k, v in real.items()}
    change = change_values(Change(Action.update, fact.flow, "the declaration changed"))
    assert {k: type(v) for k, v in EXAMPLES["change"].items()} == {k: type(v) for k, v in change.items()}
    assert list(EXAMPLES["change"]) == list(change)


def test_the_class_of_a_laid_over_flow_is_its_first() -> None:
    """As of a real one: `class` is the first of `classes`."""
    assert laid_over("flow", {"classes": ["pii.name", "pii.email"]})["class"] == "pii.email"


def test_a_flow_that_declares_everything_satisfies_the_gdpr_pack() -> None:
    """The pack denies a bare flow of personal data, and nothing once use, handling and purposes are declared."""
    bare = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [gdpr]\n")
    handled = "region: eu-west, handling: {party: own, encrypted: true, retention: 365d}, config: {path"
    full = edited("files.yaml", "region: eu-west, config: {path", handled, bare)
    purposes = "spec:\n  purposes: {crm: {classes: [pii.email], retention: 365d}}\n"
    full = edited("tenant.yaml", "spec:\n", purposes, full)
    full = edited("import.yaml", "write: upsert", "write: upsert, use: {purpose: crm, basis: contract}", full)

    assert set(denied(bare)) == {"gdpr/lawful-basis", "gdpr/purpose", "gdpr/storage-limitation", "gdpr/encryption"}
    assert denied(full) == []
    assert [r.rule for r in decide(full) if r.diagnostic is not None] == []


def test_the_shipped_packs_are_valid_manifests_of_the_tree_too() -> None:
    """A pack may be copied into a repository and changed there."""
    from syncline.manifests.catalog import folder

    for path in folder("policies").glob("*.yaml"):
        assert not load_text(path.read_text(), path.name).diagnostics


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ("type: date, class: pii.birth_date, protect: {generalize: {date: year, bottom: 1937}}", []),
        ("type: date, class: phi.admission_date, protect: {generalize: {date: year}}", []),
        ("type: date, class: phi.admission_date, protect: {generalize: {date: month}}", ["hipaa/safe-harbor-dates"]),
        ("type: date, class: pii.birth_date, protect: {generalize: {date: year}}", ["hipaa/safe-harbor-ages"]),
        ("type: date, class: pii.birth_date", ["hipaa/safe-harbor-dates", "hipaa/safe-harbor-ages"]),
        ("class: pii.zip, protect: {generalize: {prefix: 3}}", []),
        ("class: pii.zip, protect: {generalize: {prefix: 5}}", ["hipaa/safe-harbor-places"]),
        ("type: integer, class: pii.age, protect: {generalize: {bucket: 10, top: 90}}", []),
        ("type: integer, class: pii.age, protect: {generalize: {bucket: 10, top: 100}}", ["hipaa/safe-harbor-ages"]),
        ("type: integer, class: pii.age, protect: {generalize: {bucket: 10}}", ["hipaa/safe-harbor-ages"]),
        (
            "type: date, class: pii.birth_date, protect: {generalize: {date: year, bottom: 1}}",
            ["hipaa/safe-harbor-ages"],
        ),
        ("type: integer, class: pii.zip, protect: {generalize: {prefix: 3}}", ["hipaa/safe-harbor-places"]),
        ("class: phi.city", ["hipaa/safe-harbor"]),
        ("type: date, class: phi.visit_date", ["hipaa/safe-harbor-dates"]),
    ],
)
def test_the_safe_harbor_looks_at_how_coarse_a_field_becomes(field: str, rules: list[str]) -> None:
    """Of a real mapping: the year of a date, three digits of a ZIP code, ages over 89 as one; finer ones are denied."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [hipaa]\n")
    texts = edited("import.yaml", "write: upsert", "write: upsert, use: {purpose: de-identified}", texts)
    mail = "{to: email, from: email, class: pii.email, check: {format: email}}"
    texts = edited("mapping.yaml", mail, f"{{to: x, from: email, {field}}}", texts)

    assert {name for name in denied(texts) if name.startswith("hipaa/safe-harbor")} == set(rules)


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        ("from: 'substring(email, `2`)', class: pii.zip, protect: {generalize: {prefix: 3}}", "places"),
        ('template: "{{ substring(email, `2`) }}-", class: pii.zip, protect: {generalize: {prefix: 3}}', "places"),
        (
            "from: 'id - `50`', type: integer, class: pii.age, protect: {generalize: {bucket: 2, top: 90}}",
            "ages",
        ),
    ],
)
def test_what_an_expression_makes_has_no_grain(made: str, rule: str) -> None:
    """A prefix of what was cut or a bucket of what was moved shows any digit of the source: it satisfies no rule."""
    texts = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [hipaa]\n")
    texts = edited("import.yaml", "write: upsert", "write: upsert, use: {purpose: de-identified}", texts)
    mail = "{to: email, from: email, class: pii.email, check: {format: email}}"
    texts = edited("mapping.yaml", mail, f"{{to: x, {made}}}", texts)

    assert f"hipaa/safe-harbor-{rule}" in denied(texts)
