"""Which approvals count: junk beside them neither takes the time of the daemon nor hides them for good."""

from __future__ import annotations

import subprocess

import pytest
from msgspec.structs import replace

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


def allowed(person, names="", options=""):
    """The line of a person's key under other names, with options."""
    email, rest = person.allowed.split(" ", 1)
    return f"{names or email} {options}{rest}"


@pytest.mark.parametrize(
    ("lines", "people"),
    [
        (lambda a, b: [allowed(a), allowed(b)], 2),
        (lambda a, b: [allowed(a), allowed(b, "ada@example.com")], 1),
        (lambda a, b: [allowed(a, "ada@example.com,ada@home.example"), allowed(b, "ada@home.example")], 1),
        (lambda a, b: [allowed(a), allowed(a, "ADA@home.example"), allowed(b, "ada@home.example")], 1),
        (
            lambda a, b: [allowed(a, "ada@example.com,ops@example.com"), allowed(b, "bob@example.com,ops@example.com")],
            1,
        ),
        (lambda a, b: ["# people", "", allowed(a, options='namespaces="syncline-approval" '), "\t" + allowed(b)], 2),
    ],
    ids=["two", "a second key", "a name of both keys", "a line for each name", "a shared name", "options and comments"],
)
def test_two_keys_of_one_person_are_not_two_people(tmp_path, lines, people):
    """Names that share a key and keys that share a name are one person's, however the file says so."""
    one, two = person(tmp_path / "keys", "ada"), person(tmp_path / "keys", "bob")
    approvers = tmp_path / "approvers"
    approvers.write_text("\n".join(line.strip("\n") for line in lines(one, two)) + "\n")
    put(tmp_path, APPROVAL, {"0": sign(APPROVAL.text, one.key), "1": sign(APPROVAL.text, two.key)})

    _, found = judged(tmp_path, Rule(approvers, count=2))

    assert bool(found.blocked) is (people < 2)
    if found.blocked:
        assert "1 of 2 approvers signed it" in found.blocked[FLOW].message


@pytest.mark.parametrize("author", ["ada@example.com", "Ada@Home.example", "key"])
def test_an_author_does_not_approve_under_another_name(tmp_path, ada, author):
    """Who made the commits under one address, or signed them with one key, is the author with every other key."""
    spare = person(tmp_path / "keys", "spare")
    approvers = tmp_path / "approvers"
    approvers.write_text(allowed(ada, "ada@example.com,ada@home.example") + allowed(spare, "ada@home.example"))
    put(tmp_path, APPROVAL, {"0": sign(APPROVAL.text, spare.key)})
    if author == "key":
        shown = subprocess.run(["ssh-keygen", "-lf", str(ada.key)], check=True, capture_output=True, text=True)
        author = shown.stdout.split()[1]

    gate = Gate(Rule(approvers), tmp_path, lambda base: frozenset({author if ":" in author else author.casefold()}))  # noqa: ARG005
    found = gate.judge(PLAN, EmptyState())

    assert "is an author of what is approved" in found.blocked[FLOW].message
