"""What a commit that changes one object costs: it is resolved and judged as often as it must be, and no oftener."""

from __future__ import annotations

from msgspec.structs import replace

from syncline import validation, workflow
from syncline.executor.batches import watch
from syncline.executor.flows.applied import Latest, Led, read_applied
from syncline.planner.known import Known
from syncline.policy import check as policy_check
from syncline.policy import decisions as policy_decisions
from syncline.policy import facts as policy_facts
from syncline.policy.decisions import Decisions
from syncline.reconciler import judging
from syncline.reconciler.apply import apply_plan
from tests.e2e.house import FLOW, Scenario, build


def test_a_commit_is_resolved_and_judged_once(tmp_path, monkeypatch):
    """As it is declared; an apply takes what policy said of exactly what it leads to, and what runs read next is that."""
    settings = build(tmp_path, Scenario("upsert").texts)
    known = Known()
    done: list[str] = []

    def counted(module, name):
        real = getattr(module, name)

        def call(*args, **options):
            done.append(name)
            return real(*args, **options)

        monkeypatch.setattr(module, name, call)

    with workflow.engine(settings) as engine:

        def commit():
            applied = engine.applied()
            known.applies(applied.serial, applied.desired, applied.flows)
            decisions = Decisions()
            plan = workflow.plan(settings, known=known, decisions=decisions)
            made = apply_plan(engine.facilities, plan, done.append, decisions=decisions)
            return made, engine.applied()

        commit()
        mapping = tmp_path / "mapping.yaml"
        mapping.write_text(mapping.read_text().replace("from: name}", 'from: "upper(name)"}'))
        for module in (validation, judging):
            counted(module, "resolve")
        for module in (policy_facts, judging, watch):
            counted(module, "facts")
        for module in (policy_check, policy_decisions):
            counted(module, "check")
        done.clear()
        made, applied = commit()
        assert engine.decide(applied.flow(FLOW), applied)
        assert engine.watch(applied.flow(FLOW), applied).facts

        assert made.steps == 1
        assert (done.count("resolve"), done.count("facts"), done.count("check")) == (1, 1, 1)
        fresh = read_applied(engine.facilities.store)
        assert (applied.objects, applied.desired.objects) == (fresh.objects, fresh.desired.objects)
        assert {key: item.flow for key, item in applied.flows.items()} == {
            key: item.flow for key, item in fresh.flows.items()
        }


def test_what_somebody_else_applied_is_never_taken_for_it(tmp_path):
    """What an apply led to is that of exactly its objects: of one more, one less or another it isn't."""
    settings = build(tmp_path, Scenario("upsert").texts)
    workflow.apply(settings)
    with workflow.engine(settings) as engine:
        applied = engine.applied()
    latest = Latest()
    assert latest.of(applied.objects) is None
    latest.led_to(applied.desired, applied.flows)
    assert latest.of(applied.objects) == Led(applied.desired, applied.flows)
    (first, one), *others = applied.objects.items()
    assert latest.of(dict(others)) is None
    assert latest.of({**applied.objects, first: replace(one, digest="0" * 64)}) is None
