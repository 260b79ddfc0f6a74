"""Rules over the changes of a plan: what they see, whom they bind, and that plan and apply answer alike."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.manifests.resolve import desired_of
from syncline.model.change import Action, Change, Effect, EffectKind, FieldChange
from syncline.model.diagnostic import Place
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.model.plan import FLOWS
from syncline.planner.serialize import dumps, loads
from syncline.policy.check import check
from syncline.reconciler.judging import after, check_policy
from tests.look import Look
from tests.repository import CUSTOMERS, edited, write
from tests.unit.policy.decisions import subjects, with_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from syncline.model.plan import Plan, PolicyResult

FLOW = ObjectKey("acme", "Import", "customers")
MOVED = Change(
    Action.update,
    FLOW,
    "the declaration changed",
    Place("import.yaml", 1, 1),
    (FieldChange("spec.to", '"warehouse/customers"', '"warehouse/clients"'),),
    (Effect(EffectKind.table_created, "warehouse/clients", "is created"),),
)


def rule(deny: str, more: str = "") -> str:
    """The spec of a policy with one rule on changes."""
    return f'  rules:\n  - {{name: r, on: change, deny: "{deny}", message: Not like this.{more}}}\n'


def decide(policy: Mapping[str, str], *changes: Change) -> list[PolicyResult]:
    """What rules decide about changes, but for the flows that pass."""
    return [r for r in check(subjects(policy, changes=changes)) if r.rule != FLOWS]


@pytest.mark.parametrize(
    "condition",
    [
        "change.action == 'update'",
        "change.kind == 'Import' && change.name == 'customers' && change.tenant == 'acme'",
        "'spec.to' in change.fields",
        "change.fields.exists(f, f.startsWith('spec.'))",
        "'table-created' in change.effects",
    ],
)
def test_a_rule_sees_a_change(condition: str) -> None:
    """Its action, what it is a change of, the fields that differ, and its effects: each can deny it, or its absence."""
    assert [(r.rule, r.verdict) for r in decide(with_policy(rule(condition)), MOVED)] == [("house/r", "denied")]
    assert decide(with_policy(rule(f"!({condition})")), MOVED) == []


def test_a_rule_is_about_changes_of_its_kinds_and_its_tenant() -> None:
    """A tenant's rule binds changes of what is its own; a shared one those of everybody; `kinds` narrows either."""
    others = Change(Action.delete, ObjectKey("globex", "Sync", "orders"), "no longer declared")
    policy, imports = rule("true"), rule("true", ", kinds: [Import]")

    assert [r.object for r in decide(with_policy(policy), MOVED, others)] == ["acme/Import/customers"]
    both = ["acme/Import/customers", "globex/Sync/orders"]
    assert [r.object for r in decide(with_policy(policy, shared=True), MOVED, others)] == both
    assert [r.object for r in decide(with_policy(imports, shared=True), MOVED, others)] == both[:1]


def test_where_nothing_changes_there_is_nothing_to_deny() -> None:
    """Of no plan, as in an editor and a run, and of an empty one, a rule on changes says nothing."""
    assert decide(with_policy(rule("true"))) == []


def test_a_finding_stands_at_the_declaration_or_else_at_the_rule() -> None:
    """What is no longer declared has no place of its own; the rule is named besides, with its clause."""
    policy = with_policy(rule("true", ", clause: ISO/IEC 27001:2022 A.8.32"))
    gone = Change(Action.delete, ObjectKey("acme", "Import", "orders"), "no longer declared")
    found = [r.diagnostic for r in decide(policy, MOVED, gone)]

    assert [str(d.place) for d in found if d is not None] == ["import.yaml:1:1", "policy.yaml:6:5"]
    assert {r.message for d in found if d is not None for r in d.related} == {"the rule (ISO/IEC 27001:2022 A.8.32)"}


def test_a_condition_on_what_no_change_has_denies() -> None:
    """It fails closed, as others do."""
    (found,) = decide(with_policy(rule("change.labels.size() > 0")), MOVED)

    assert found.verdict == "denied"
    assert "can't be evaluated here" in found.message


#: By name: a policy, and what is declared with it where CUSTOMERS are applied.
ELSEWHERE = edited("import.yaml", "to: warehouse/customers", "to: warehouse/clients")
ANOTHER = edited("mapping.yaml", "  - {to: name,", "  - {to: also, from: name}\n  - {to: name,")
RENAMED = edited("import.yaml", "{name: customers, tenant", "{name: clients, moved: {name: customers}, tenant")
RETIRED = {name: text for name, text in CUSTOMERS.items() if name != "import.yaml"}
TICKET = "'spec.to' in change.fields && !('metadata.labels.ticket' in change.fields)"
EXCEPTION = "  exceptions:\n  - {rule: house/r, objects: ['*'], owner: ops, reason: a move, until: 2099-01-01}\n"
WITH_TICKET = edited("import.yaml", "tenant: acme}", "tenant: acme, labels: {ticket: OPS-1}}", ELSEWHERE)
CASES = {
    "allowed": ("passed", with_policy(rule(TICKET), WITH_TICKET)),
    "an update": ("denied", with_policy(rule(TICKET), ELSEWHERE)),
    "an effect": ("denied", with_policy(rule("'columns-added' in change.effects"), ANOTHER)),
    "a move": ("denied", with_policy(rule("change.action == 'move'"), RENAMED)),
    "a deletion": ("denied", with_policy(rule("change.action == 'delete'"), RETIRED)),
    "a creation": ("denied", with_policy(rule("change.action == 'create'"), CUSTOMERS)),
    "a warning": ("warned", with_policy(rule(TICKET, ", severity: warning"), ELSEWHERE)),
    "an exception": ("excepted", with_policy(rule(TICKET) + EXCEPTION, ELSEWHERE)),
    "no condition": ("denied", with_policy(rule("change.labels.size() > 0"), ELSEWHERE)),
}


def answer(results: Iterable[PolicyResult]) -> set[tuple[str, str, str, str]]:
    """Decisions without places, which what is applied no longer has."""
    return {(r.rule, r.object, r.verdict, r.message) for r in results}


def findings(denied: Denied) -> set[tuple[str, str, str]]:
    """What an apply is refused with."""
    return {(d.subject, str(d.severity), d.message) for d in denied.diagnostics}


@pytest.mark.parametrize(("verdict", "texts"), CASES.values(), ids=CASES)
def test_plan_and_apply_give_the_same_answer(verdict: str, texts: Mapping[str, str], tmp_path: Path) -> None:
    """Word for word, of the plan at hand and of the one that a file has; what is denied changes nothing."""
    settings = write(tmp_path, CUSTOMERS)
    workflow.apply(settings)
    write(tmp_path, texts)
    made = workflow.plan(settings, allow_deletes=True)
    said = answer(made.policy)
    refused = {(subject, "error", message) for _, subject, said_of, message in said if said_of == "denied"}

    def at_apply(plan: Plan) -> set[tuple[str, str, str, str]]:
        desired = desired_of(after(plan, {known.key: known for known in workflow.objects(settings)}))
        return answer(check_policy(desired, plan, dt.datetime.now(dt.UTC).date(), settings.root).results)

    assert verdict in {result.verdict for result in made.policy}
    assert made.can_apply == (verdict != "denied")
    assert at_apply(made) == at_apply(loads(dumps(made))) == said
    if made.can_apply:
        workflow.apply(settings, loads(dumps(made)), saved=True)
        assert workflow.plan(settings).empty
        return
    for saved, plan in ((False, made), (True, loads(dumps(made)))):
        with pytest.raises(Denied) as caught:
            workflow.apply(settings, plan, saved=saved)
        assert {f for f in findings(caught.value) if f[1] == "error"} == refused
    assert Look(settings.state_url).serial() == made.basis.serial
