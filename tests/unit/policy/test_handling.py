"""Rules about how data is handled: purposes, retention, opt-out, and what a transfer rests on."""

from __future__ import annotations

import pytest

from tests.repository import CUSTOMERS, edited
from tests.unit.policy.decisions import decide, denied


def used(use: str, base: dict[str, str] | None = None) -> dict[str, str]:
    """The repository whose import declares this use."""
    return edited("import.yaml", "write: upsert", f"write: upsert, use: {{{use}}}", base or CUSTOMERS)


def with_purposes(purposes: str, base: dict[str, str] | None = None) -> dict[str, str]:
    """The repository whose tenant declares purposes."""
    return edited("tenant.yaml", "spec:\n", f"spec:\n  purposes: {{{purposes}}}\n", base or CUSTOMERS)


def keeping(retention: str, base: dict[str, str]) -> dict[str, str]:
    """The repository whose warehouse declares how long it keeps records."""
    after = f"region: eu-west, handling: {{retention: {retention}}}, config: {{path"
    return edited("files.yaml", "region: eu-west, config: {path", after, base)


@pytest.mark.parametrize(
    ("purposes", "use", "message"),
    [
        ("crm: {classes: [pii.*]}", "purpose: crm", ""),
        ("crm: {classes: [pii.*], fields: [email, name]}", "purpose: crm", ""),
        ("crm: {classes: [pii.*]}", "basis: contract", "carries pii.email for no purpose"),
        ("crm: {classes: [pii.*]}", "purpose: ads", "for the purpose ads, which tenant acme doesn't declare"),
        ("crm: {classes: [pii.name]}", "purpose: crm", "for crm, which doesn't need data of class pii.email"),
        ("crm: {classes: [pii.*], fields: [phone]}", "purpose: crm", "for crm, which doesn't need the field email"),
    ],
)
def test_classified_data_flows_for_a_declared_purpose_and_no_more_than_it_needs(
    purposes: str, use: str, message: str
) -> None:
    """A flow names a purpose of its tenant, and carries the classes and fields that the purpose needs only."""
    found = [r.message for r in decide(used(use, with_purposes(purposes))) if not r.allowed]

    assert len(found) == bool(message)
    assert all(message in text for text in found)


def test_a_dropped_field_needs_no_purpose() -> None:
    """What never leaves the pipeline is no use of data."""
    texts = edited("mapping.yaml", "class: pii.email", "class: pii.email, protect: drop")

    assert denied(with_purposes("crm: {classes: [pii.name]}", texts)) == []


@pytest.mark.parametrize(("kept", "rules"), [("30d", []), ("31d", ["retention"]), ("", ["retention"])])
def test_data_is_kept_no_longer_than_its_purpose_needs(kept: str, rules: list[str]) -> None:
    """The destination's declared retention is held against the purpose's; an undeclared one is too long."""
    texts = used("purpose: crm", with_purposes("crm: {classes: [pii.*], retention: 30d}"))

    assert denied(keeping(kept, texts) if kept else texts) == rules


@pytest.mark.parametrize(("kept", "rules"), [("30d", []), ("31d", ["retention"])])
def test_a_flow_that_deletes_keeps_data_as_long_as_it_says(kept: str, rules: list[str]) -> None:
    """A flow's own retention counts, whatever its destination declares, which is nothing here."""
    texts = used("purpose: crm", with_purposes("crm: {classes: [pii.*], retention: 30d}"))
    texts = edited(
        "mapping.yaml", "  - {to: id,", "  - {to: since, const: '2020-01-01', type: date}\n  - {to: id,", texts
    )
    deleting = {n: t.replace("use: {", f"retention: {{after: {kept}, by: since}}, use: {{") for n, t in texts.items()}

    assert deleting != texts
    assert denied(deleting) == rules


@pytest.mark.parametrize(
    ("where", "rules"),
    [
        ("'!do_not_sell'", []),
        ("do_not_sell == `false`", []),
        ("\"active == 'yes' && !do_not_sell && id > `3`\"", []),
        ("\"active == 'yes'\"", ["opt-out"]),
        ("\"active == 'yes' || !do_not_sell\"", ["opt-out"]),
        ("do_not_sell", ["opt-out"]),
        ("do_not_sell != `true`", ["opt-out"]),
    ],
)
def test_who_opted_out_is_left_out(where: str, rules: list[str]) -> None:
    """A mapping honours the signal where its condition can't be true of a record that has it."""
    texts = edited("mapping.yaml", "  key: [id]\n", f"  key: [id]\n  where: {where}\n", used("optOut: do_not_sell"))

    assert denied(texts) == rules


def test_a_flow_without_a_condition_passes_on_who_opted_out() -> None:
    """Declaring the field isn't honouring it."""
    assert denied(used("optOut: do_not_sell")) == ["opt-out"]


@pytest.mark.parametrize(
    ("allowed", "use", "rules"),
    [
        ("[standard-clauses]", "transfer: standard-clauses", []),
        ("[standard-clauses]", "transfer: derogation", ["residency"]),
        ("[standard-clauses]", "basis: consent", ["residency"]),
        ("[]", "transfer: standard-clauses", ["residency"]),
    ],
)
def test_data_leaves_its_regions_on_the_grounds_that_the_tenant_accepts(
    allowed: str, use: str, rules: list[str]
) -> None:
    """A flow to another region passes residency by a transfer mechanism of the tenant's list, and by no other."""
    texts = edited("tenant.yaml", "unless: [drop, hash]", f"unless: [drop, hash], transfers: {allowed}")
    texts = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path", texts)

    assert denied(used(use, texts)) == rules
