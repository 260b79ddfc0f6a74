"""What policy decided of a plan counts at its apply for exactly the same, and no further: else it is asked again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.executor.services.facilities import open_facilities
from syncline.model.change import Action, Change
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.model.plan import PolicyResult
from syncline.policy.check import check
from syncline.policy.decisions import Decided, Decisions
from syncline.policy.rule import Subjects
from syncline.policy.rules import RULES
from syncline.reconciler.apply import apply_plan
from tests.repository import CUSTOMERS, desired, edited, write
from tests.unit.policy.decisions import TODAY, subjects, with_policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHANGE = Change(Action.create, ObjectKey("acme", "Import", "customers"), "new")
SAID = (PolicyResult("said", "acme/Import/customers", allowed=False, message="as it was said"),)
NOTED = edited("import.yaml", "tenant: acme}", "tenant: acme, annotations: {why: a trial}}")
ON_MANIFESTS = "  rules:\n  - {name: r, on: manifest, deny: \"'why' in object.annotations\", message: No.}\n"
ON_CHANGES = "  rules:\n  - {name: r, on: change, deny: \"change.action == 'create'\", message: No.}\n"


def asked(texts: Mapping[str, str]) -> tuple[Decisions, Subjects]:
    """Decisions of a plan that creates the import, by what was said of what is declared, and what was asked about."""
    decisions, declared = Decisions(), subjects(texts)
    decisions.of_plan(declared, SAID, (CHANGE,))
    return decisions, declared


def test_of_the_same_it_is_not_asked_again() -> None:
    """Equal declarations, changes, day and folder: what was said holds, also where there are annotations or rules."""
    for texts in (CUSTOMERS, NOTED, with_policy(ON_MANIFESTS)):
        decisions, declared = asked(texts)
        assert decisions.again(desired(texts), (CHANGE,), TODAY, declared.root) == Decided.of(declared, SAID)


@pytest.mark.parametrize("other", ["declarations", "changes", "day", "folder", "annotations", "nothing asked before"])
def test_of_anything_else_it_is_asked_again(other: str) -> None:
    """One part that is another is enough; so are annotations that a rule may look at, which documents don't have."""
    texts = with_policy(ON_MANIFESTS, NOTED) if other == "annotations" else CUSTOMERS
    decisions, declared = asked(texts)
    if other == "nothing asked before":
        decisions = Decisions()
    now = edited("import.yaml", "write: upsert", "write: append") if other == "declarations" else texts
    changes = () if other == "changes" else (CHANGE,)
    today = TODAY + dt.timedelta(days=1) if other == "day" else TODAY
    root = declared.root / "elsewhere" if other == "folder" else declared.root

    assert decisions.again(desired(now), changes, today, root) is None


def test_rules_on_changes_are_asked_about_a_plan() -> None:
    """What was said of what is declared is theirs, too, once there are changes; without changes they say nothing."""
    declared = subjects(with_policy(ON_CHANGES))
    before = check(declared)

    assert Decisions().of_plan(declared, before, ()) == before
    assert {r.rule for r in Decisions().of_plan(declared, before, (CHANGE,)) if not r.allowed} == {"house/r"}


class Blind(Subjects):
    """What rules see, but for changes."""

    def __getattribute__(self, name: str) -> object:
        assert name != "changes"
        return super().__getattribute__(name)


def test_no_other_rule_looks_at_changes() -> None:
    """So what was said without them holds, where no declared rule is on changes."""
    declared = subjects(with_policy(ON_MANIFESTS))
    blind = Blind(declared.desired, declared.facts, (CHANGE,), declared.today)
    for rule in RULES:
        list(rule.check(blind))


@pytest.mark.parametrize("days", [0, 1])
def test_an_apply_on_another_day_decides_by_itself(days: int, tmp_path: Path) -> None:
    """What was said counts on its day, here as a denial; on another one the apply asks again, and policy allows it."""
    settings = write(tmp_path, CUSTOMERS)
    plan, found = workflow.plan(settings), workflow.validate(settings).subjects
    decisions = Decisions()
    decisions.of_plan(replace(found, today=found.today - dt.timedelta(days=days)), SAID, plan.changes)
    with open_facilities(settings) as facilities:
        if days:
            assert apply_plan(facilities, plan, lambda _: None, decisions=decisions).steps == len(plan.steps)
        else:
            with pytest.raises(Denied, match="policy denies the plan"):
                apply_plan(facilities, plan, lambda _: None, decisions=decisions)


def test_a_daemon_decides_by_the_folder_that_flows_run_in(tmp_path: Path) -> None:
    """Relative places of a tree that was taken out of a commit mean what they will mean when flows run."""
    home = tmp_path / "home"
    globex = (
        "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {}\n---\n"
        "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: lake, tenant: globex}\n"
        f"spec: {{connector: sqlite@^1, region: eu-west, config: {{path: {home}/warehouse.db}}}}\n"
    )
    home.mkdir()
    settings = write(tmp_path / "tree", {**CUSTOMERS, "globex.yaml": globex})

    assert workflow.validate(settings).ok
    with pytest.raises(Denied):
        workflow.plan(replace(settings, runs_from=home))
