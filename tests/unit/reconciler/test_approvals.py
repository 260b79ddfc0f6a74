"""Which approvals count: junk beside them neither takes the time of the daemon nor hides them for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.model.key import ObjectKey
from syncline.planner.approval import approval_of
from syncline.planner.demands import demands_of
from syncline.reconciler.approvals import FOLDER, Gate, Rule
from syncline.reconciler.sshsig import sign
from syncline.state.empty import EmptyState
from tests.people import allowing, person
from tests.repository import CUSTOMERS, desired, edited
from tests.unit.planner.states import applied, planned

FLOW = ObjectKey("acme", "Import", "customers")
PLAN = planned(
    edited("import.yaml", "to: warehouse/customers", "to: warehouse/people"), applied(CUSTOMERS, read={FLOW: 12})
)
APPROVAL = replace(approval_of(PLAN, "2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z"), lineage="", serial=0)
ACT = APPROVAL.acts[0]


def put(root, approval, signatures):
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{approval.effects}.json").write_bytes(approval.text)
    for name, signature in signatures.items():
        (folder / f"{approval.effects}.{name}.sig").write_bytes(signature)


@pytest.fixture
def ada(tmp_path):
    return person(tmp_path / "keys", "ada")


def judged(root, rule):
    gate = Gate(rule, root, lambda base: frozenset())  # noqa: ARG005
    return gate, gate.judge(PLAN, EmptyState())


def test_an_approval_among_junk_is_found_in_the_end(tmp_path, ada):
    """Of a heap of junk 200 signatures are checked at a time and remembered, and the good one has its turn."""
    rule = Rule(allowing(tmp_path / "approvers", ada))
    others = [replace(APPROVAL, acts=(ACT, replace(ACT, key=ObjectKey("acme", "Import", f"x{n}")))) for n in range(12)]
    last = max([APPROVAL, *others], key=lambda a: a.effects)
    for one in {APPROVAL, *others} - {last}:
        put(tmp_path, one, {f"{n:04}": b"junk %d" % n for n in range(20)})
    put(tmp_path, last, {"0": sign(last.text, ada.key)})

    _, first = judged(tmp_path, rule)
    _, second = judged(tmp_path, rule)

    assert "more than 200 signatures to check" in first.blocked[FLOW].message
    assert not second.blocked
    assert second.uses[0].approval == last.id
    assert second.uses[0].signers == ("ada@example.com",)


def test_signatures_of_what_does_not_cover_the_change_are_not_checked(tmp_path, ada):
    """An approval of something else only says so, signed or not."""
    rule = Rule(allowing(tmp_path / "approvers", ada))
    put(tmp_path, replace(APPROVAL, acts=(replace(ACT, declaration="00"),)), {"0": b"junk"})
    gate, found = judged(tmp_path, rule)

    assert found.blocked[FLOW].code == "SYN721"
    assert gate._checks == 0
    assert not rule.nobody


def demanding(changes):
    """What the tenant acme demands, as it is applied."""
    texts = edited("tenant.yaml", "spec:\n", f"spec:\n  changes: {changes}\n")
    return demands_of(desired(texts).of_kind("Tenant"))


def test_a_tenant_demands_more_people_than_the_operator(tmp_path, ada):
    """One approver is enough for the operator and not for the tenant; two are."""
    grace = person(tmp_path / "keys", "grace")
    rule = Rule(allowing(tmp_path / "approvers", ada, grace))
    put(tmp_path, APPROVAL, {"0": sign(APPROVAL.text, ada.key)})
    two = demanding("{approvals: {count: 2}}")

    one = Gate(rule, tmp_path, lambda base: frozenset()).judge(PLAN, EmptyState(), two)  # noqa: ARG005
    put(tmp_path, APPROVAL, {"1": sign(APPROVAL.text, grace.key)})
    both = Gate(rule, tmp_path, lambda base: frozenset()).judge(PLAN, EmptyState(), two)  # noqa: ARG005

    assert "1 of 2 approvers signed it" in one.blocked[FLOW].message
    assert not both.blocked
    assert both.uses[0].signers == ("ada@example.com", "grace@example.com")


def test_what_a_tenant_demands_waits_where_nobody_knows_the_approvers(tmp_path):
    """A daemon without a file of approvers holds back what a tenant wants approved, and says why; nothing else."""
    gate = Gate(None, tmp_path, lambda base: frozenset())  # noqa: ARG005

    held = gate.judge(PLAN, EmptyState(), demanding("{approvals: {count: 2}}"))

    assert held.blocked[FLOW].code == "SYN720"
    assert "nobody said here who may approve" in held.blocked[FLOW].message
    assert not gate.judge(PLAN, EmptyState(), demanding("{}")).blocked


def test_a_change_outside_the_windows_waits_for_them_approved_or_not(tmp_path):
    """Windows hold back what no approval is needed for as well."""
    gate = Gate(None, tmp_path, lambda base: frozenset())  # noqa: ARG005
    never = demanding("{windows: {deny: [{start: '00:00', end: '12:00'}, {start: '12:00', end: '00:00'}]}}")

    assert {key: waiting.code for key, waiting in gate.judge(PLAN, EmptyState(), never).blocked.items()} == {
        FLOW: "SYN692"
    }
