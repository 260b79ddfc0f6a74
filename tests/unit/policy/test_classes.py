"""Classes of data: what a field is made of binds it, and only a protection sets it free."""

from __future__ import annotations

import pytest

from tests.repository import CUSTOMERS, edited
from tests.unit.policy.decisions import decide, denied, with_policy

ABROAD = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")
CONTACT = (
    "{customers: {files: 'customers*.jsonl', key: [id], schema: {properties: {id: {type: integer}, name: {type: string}, "
    "email: {type: string, x-class: pii.email}, contact: {type: object, properties: "
    "{note: {type: string, x-class: internal}, mail: {type: string, x-class: pii.email}}}}}}}"
)


def mapped(field: str) -> dict[str, str]:
    """The flow abroad, whose last field is another one, from a source that classifies its fields."""
    texts = edited("files.yaml", '{customers: {files: "customers*.csv", key: [id]}}', CONTACT, ABROAD)
    return edited("mapping.yaml", "{to: email, from: email, class: pii.email, check: {format: email}}", field, texts)


@pytest.mark.parametrize(
    "field",
    [
        "{to: x, from: email, class: public}",
        "{to: x, from: upper(email), class: public}",
        "{to: x, template: '{{ id }} {{ email }}', class: public}",
        "{to: x, template: '{{ contact.note }} {{ email }}'}",
        "{to: x, from: contact, type: json}",
        "{to: x, from: '@', type: json, class: public}",
        "{to: x, from: email, lookup: {a@b.de: A}, class: public}",
        "{to: x, const: a@example.com, class: pii.email}",
    ],
)
def test_a_class_is_not_laundered(field: str) -> None:
    """Neither another class, nor a template, an object around it, the whole record or a lookup takes a class away."""
    assert set(denied(mapped(field))) == {"residency"}


@pytest.mark.parametrize(
    "field",
    [
        "{to: x, from: email, class: public, protect: drop}",
        "{to: x, from: contact, type: json, protect: {hash: tenant}}",
        "{to: x, const: a@example.com, class: pii.email, protect: {hash: tenant}}",
        "{to: x, from: contact.note}",
    ],
)
def test_a_protection_sets_free(field: str) -> None:
    """What is hashed or dropped may leave; what isn't personal always could."""
    assert denied(mapped(field)) == []


#: The same source, which classifies nothing: the mapping does, of a part of an object.
PLAIN = CONTACT.replace(", x-class: pii.email", "").replace(", x-class: internal", "")
PARTS = [
    ("{to: m, from: contact.mail, class: pii.email, protect: drop}", True),
    ("{to: m, from: contact, type: json, class: pii.email, protect: drop}", True),
    ("{to: m, from: contact.note, class: public}", False),
]


@pytest.mark.parametrize(
    "field",
    [
        "{to: x, from: contact, type: json}",
        "{to: x, from: '@', type: json}",
        "{to: x, from: to_string(contact), class: public}",
        "{to: x, from: upper(to_string(@))}",
        "{to: x, from: contact.mail}",
    ],
)
@pytest.mark.parametrize(("declared", "classified"), PARTS)
@pytest.mark.parametrize("schema", [True, False])
def test_what_a_mapping_says_of_a_part_binds_the_whole_and_of_the_whole_its_parts(field, declared, classified, schema):
    """A class that a mapping declares for what it copies goes along with an object around it, the record, and parts."""
    source = PLAIN if schema else '{customers: {files: "customers*.jsonl", key: [id]}}'
    texts = edited("files.yaml", '{customers: {files: "customers*.csv", key: [id]}}', source, ABROAD)
    both = f"{declared}\n  - {field}"
    texts = edited("mapping.yaml", "{to: email, from: email, class: pii.email, check: {format: email}}", both, texts)

    assert set(denied(texts)) == ({"residency"} if classified else set())


def test_the_finding_names_the_classes_that_the_rule_is_about() -> None:
    """A field of several classes is told by those that matter."""
    (result,) = [r for r in decide(mapped("{to: x, from: contact, type: json, class: public}")) if not r.allowed]

    assert "crm.contact → warehouse.x carries pii.email to us-east" in result.message


@pytest.mark.parametrize("condition", ["'pii.email' in flow.classes", "flow['class'] == 'internal'"])
def test_declared_rules_see_all_classes(condition: str) -> None:
    """A condition sees the list of a field's classes, and the first of them for convenience."""
    rule = f'  rules:\n  - {{name: no, on: flow, deny: "{condition}", message: No.}}\n'
    texts = with_policy(rule, mapped("{to: x, from: contact, type: json, protect: drop}"))

    assert denied(texts) == ["house/no"]


def test_the_baseline_finds_card_data_of_any_name() -> None:
    """Card data is found beside other classes, and where it has no finer name."""
    base = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [baseline]\n", CUSTOMERS)
    for name in ("pci", "pci.pan"):
        texts = edited("mapping.yaml", "class: pii.email", f"class: {name}", base)
        assert denied(texts) == ["baseline/no-plain-card-numbers"]
        assert denied(edited("mapping.yaml", f"class: {name}", f"class: {name}, protect: mask", texts)) == []
