"""What an apply decided is what runs of that day go by that the same process begins: word for word, or they ask anew."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from syncline import workflow
from syncline.executor.batches.watch import facts_in
from syncline.executor.engine import Engine
from syncline.executor.flows.applied import read_applied
from syncline.model.diagnostic import Place
from syncline.model.key import ObjectKey
from syncline.policy.decisions import Decisions
from syncline.reconciler.apply import apply_plan
from tests.repository import CUSTOMERS, write
from tests.unit.policy.decisions import with_policy
from tests.unit.policy.test_decisions import NOTED, ON_MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from syncline.executor.flows.applied import Applied
    from syncline.model.plan import PolicyResult
    from syncline.policy.rule import FlowFact

ON_CHANGES = "  rules:\n  - {name: r, on: change, severity: warning, deny: 'true', message: Look.}\n"
CASES = {
    "plain": (CUSTOMERS, True),
    "rules on manifests": (with_policy(ON_MANIFESTS), True),
    "annotations": (NOTED, True),
    "rules on changes": (with_policy(ON_CHANGES), False),
}
KEY = ObjectKey("acme", "Import", "customers")
NOWHERE = Place("", 0, 0)


def applied_by(engine: Engine, *, planned: bool = True) -> Applied:
    """What the process of an engine has applied, with what it decided of the plan or without."""
    decisions = Decisions()
    plan = workflow.plan(engine.facilities.settings, decisions=decisions)
    apply_plan(engine.facilities, plan, lambda _: None, decisions=decisions if planned else None)
    return engine.applied()


def said(results: Iterable[PolicyResult]) -> list[tuple[str, str, str, str]]:
    """Decisions without the places that they tell: documents have none."""
    return [(r.rule, r.object, r.verdict, r.message) for r in results]


def placeless(facts: Mapping[ObjectKey, tuple[FlowFact, ...]]) -> list[FlowFact]:
    """Facts without theirs."""
    places = ("flow_place", "source_place", "mapping_place", "target_place")
    return [structs.replace(fact, **dict.fromkeys(places, NOWHERE)) for found in facts.values() for fact in found]


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_runs_go_by_what_they_would_decide(case: str, planned: bool, tmp_path: Path) -> None:
    """Whether the apply took it of its plan or decided by itself; rules on changes say nothing of what they lead to."""
    texts, kept = CASES[case]
    with workflow.engine(write(tmp_path, texts)) as engine:
        applied = applied_by(engine, planned=planned)
        anew = read_applied(engine.facilities.store)
        item = applied.flow(KEY)

        assert (applied.decided is not None) is kept
        assert anew.decided is None
        assert said(engine.decide(item, applied)) == said(Engine(engine.facilities, engine.resolve).decide(item, anew))
        if applied.decided is not None:
            assert placeless(applied.decided.facts) == placeless(facts_in(anew))


@pytest.mark.parametrize("other", ["day", "folder"])
def test_on_another_day_or_elsewhere_they_decide_anew(other: str, tmp_path: Path) -> None:
    """What was decided holds on its day, for the folder that flows run in."""
    with workflow.engine(write(tmp_path, CUSTOMERS)) as engine:
        applied = applied_by(engine)
        assert applied.decided is not None
        elsewhere = (
            {"day": applied.decided.day - dt.timedelta(days=1)} if other == "day" else {"root": tmp_path / "elsewhere"}
        )
        for known, taken in (({}, True), (elsewhere, False)):
            decided = structs.replace(applied.decided, results=(), **known)
            found = Engine(engine.facilities, engine.resolve).decide(
                applied.flow(KEY), replace(applied, decided=decided)
            )
            assert (not found) is taken
