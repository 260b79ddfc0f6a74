"""Applying: what is refused before anything is changed, and what a plan's steps leave."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from syncline import workflow
from syncline.model.condition import ConditionType
from syncline.model.errors import Invalid, Waiting
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.model.step import MoveObject
from syncline.reconciler.apply import Applied, apply_plan
from syncline.state.open import open_store
from syncline.state.store import RunRecord
from tests import repository, warm
from tests.e2e.house import FLOW, Scenario, build, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.settings import Settings

TEXTS = Scenario("upsert").texts
NAME = "{name: customers, tenant: acme}"
RENAMED = ObjectKey("acme", "Sync", "clients")
RUN = RunRecord("20261125T181500-abc123", FLOW, RunState.running, "manual", "r", "p", "2026-11-25T18:15:00Z")

HOLDS = """\
import sys
from syncline.state.open import open_store
with open_store(sys.argv[1]).lease(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""

EDITS = {
    "retired": "",
    "moved": TEXTS["sync.yaml"].replace(NAME, "{name: clients, tenant: acme, moved: {name: customers}}"),
    "reset": TEXTS["sync.yaml"].replace("warehouse/customers", "warehouse/clients"),
}


@contextmanager
def running(settings: Settings, key: ObjectKey) -> Iterator[int]:
    """Another process that holds the lease of a flow's run, as a run does; its id."""
    command = [sys.executable, "-c", HOLDS, settings.state_url, f"run/{key}"]
    with warm.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.communicate()


def applied(root: Path) -> Settings:
    """The house, applied, with a position and an open run of its flow."""
    settings = build(root, TEXTS)
    workflow.apply(settings)
    with closing(open_store(settings.state_url)) as store:
        store.put_cursor(FLOW, "7")
        store.put_run(replace(RUN, state=RunState.pending))
        store.put_run(RUN)
    return settings


def declared(settings: Settings, sync: str) -> None:
    """Another sync, or none."""
    build(settings.root, {**TEXTS, "sync.yaml": sync} if sync else {k: v for k, v in TEXTS.items() if k != "sync.yaml"})


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_flow_that_runs_is_not_retired_moved_or_reset(tmp_path: Path, edit: str) -> None:
    """The apply waits, naming the run and its process; nothing was changed, and later it goes through."""
    settings = applied(tmp_path)
    declared(settings, edit)
    with running(settings, FLOW) as pid, pytest.raises(Waiting) as caught:
        workflow.apply(settings)

    reader = Look(settings.state_url)
    assert caught.value.code == "SYN643"
    assert f"run {RUN.id} of {FLOW}" in caught.value.message
    assert f":{pid}" in caught.value.message
    assert (reader.cursor(FLOW), reader.unfinished_apply()) == ("7", ())
    assert workflow.apply(settings).steps > 0
    assert Look(settings.state_url).cursor(FLOW) is None


def test_a_run_does_not_begin_under_a_name_that_is_moved_to(tmp_path: Path) -> None:
    """The new name of a moved flow is held as well as the former one."""
    settings = applied(tmp_path)
    declared(settings, EDITS["moved"])
    with running(settings, RENAMED), pytest.raises(Waiting, match="a run of acme/Sync/clients"):
        workflow.apply(settings)


def test_a_flow_that_runs_is_updated(tmp_path: Path) -> None:
    """A run keeps to what was applied when it began, so that other changes don't wait for it."""
    settings = applied(tmp_path)
    declared(settings, TEXTS["sync.yaml"].replace(NAME, "{name: customers, tenant: acme, labels: {team: ops}}"))
    with running(settings, FLOW):
        assert workflow.apply(settings).steps == 1


def test_an_apply_that_ended_lets_runs_begin(tmp_path: Path) -> None:
    """What was held is given back with the apply."""
    settings = applied(tmp_path)
    declared(settings, EDITS["reset"])
    workflow.apply(settings)
    with closing(open_store(settings.state_url)) as store, store.lease(f"run/{FLOW}") as lease:
        assert lease.name == f"run/{FLOW}"


def test_a_killed_move_leaves_what_can_run(tmp_path: Path) -> None:
    """After the step that moves, and before the one that records the declaration, the flow is there under its name."""
    settings = applied(tmp_path)
    declared(settings, EDITS["moved"])
    plan = workflow.plan(settings)
    assert isinstance(plan.steps[0], MoveObject)
    with pytest.raises(KeyboardInterrupt):
        workflow.apply(settings, plan, step=_killed)

    from syncline.executor.flows.applied import read_applied

    assert set(read_applied(Look(settings.state_url)).flows) == {RENAMED}
    assert workflow.plan(settings).summary == {"update": 1}
    workflow.apply(settings)
    reader = Look(settings.state_url)
    assert (reader.cursor(RENAMED), [r.id for r in reader.runs(RENAMED)]) == ("7", [RUN.id])
    assert workflow.plan(settings).empty


def _killed(line: str) -> None:
    raise KeyboardInterrupt(line)


def test_moves_that_do_not_fit_the_state_are_refused(tmp_path: Path) -> None:
    """A plan whose moves were made by hand is no plan, whatever its digest says, and changes nothing."""
    settings = applied(tmp_path)
    declared(settings, EDITS["moved"])
    plan = workflow.plan(settings)
    for move in (
        MoveObject(ObjectKey("bravo", "Sync", "clients"), FLOW),
        MoveObject(RENAMED, ObjectKey("acme", "Sync", "nobody")),
        MoveObject(FLOW, FLOW),
    ):
        with pytest.raises(Invalid) as caught:
            workflow.apply(settings, replace(plan, steps=(move, *plan.steps[1:])))
        assert caught.value.code == "SYN640"
    assert Look(settings.state_url).unfinished_apply() == ()


def test_what_has_nothing_to_do_with_a_running_flow_is_applied(tmp_path: Path) -> None:
    """The flow that runs waits with what belongs to it, the rest is applied; the next apply has only what was left."""
    settings = applied(tmp_path)
    texts = {k: v for k, v in TEXTS.items() if k != "sync.yaml"}
    unused = TEXTS["mapping.yaml"].replace("{name: customer, tenant: acme}", "{name: unused, tenant: acme}")
    assert unused != TEXTS["mapping.yaml"]
    build(settings.root, {**texts, "unused.yaml": unused})
    with running(settings, FLOW):
        found = workflow.apply(settings)

    assert (list(found.held), found.steps) == ([FLOW], 1)
    reader = Look(settings.state_url)
    assert reader.object(ObjectKey("acme", "Mapping", "unused")) is not None
    assert (reader.object(FLOW) is not None, reader.cursor(FLOW)) == (True, "7")
    statuses = reader.statuses()
    assert [str(key) for key, status in statuses.items() if status.failing] == ["Source/main", str(FLOW)]
    assert statuses[FLOW].condition(ConditionType.ready).reason == "Waiting"

    assert [str(step.key) for step in workflow.plan(settings).steps] == [str(FLOW)]
    assert not workflow.apply(settings).held
    assert not [key for key, status in Look(settings.state_url).statuses().items() if status.failing]
    assert FLOW not in Look(settings.state_url).statuses()


def test_what_belongs_together_is_tried_again_once_one_of_it_is_due(tmp_path: Path) -> None:
    """A flow and its mapping were held by a run; when that has ended, the flow's turn is enough for both."""
    settings = applied(tmp_path)
    mapping = ObjectKey("acme", "Mapping", "customer")
    build(settings.root, {k: v for k, v in TEXTS.items() if k not in {"sync.yaml", "mapping.yaml"}})
    with workflow.engine(settings) as engine:

        def again() -> Applied:
            return apply_plan(engine.facilities, workflow.plan(settings), lambda _: None, patient=True)

        with running(settings, FLOW):
            assert list(again().held) == [mapping, FLOW]
        store = engine.facilities.store

        def due(retries: dict[ObjectKey, str]) -> None:
            store.change_statuses(
                list(retries), lambda known: ([replace(known[key], retry=at) for key, at in retries.items()], ())
            )

        due({FLOW: "9999", mapping: "9999"})
        assert list(again().held) == [mapping, FLOW]
        due({FLOW: "2026", mapping: "9999"})
        assert not again().held
        assert store.object(FLOW) is None


def test_a_missing_secret_leaves_the_rest_applied_and_its_dependants_waiting(tmp_path: Path) -> None:
    """Everything is recorded; credentials whose secret isn't there aren't ready, and what stands on them waits."""
    repository.write(tmp_path, Scenario("upsert", "postgresql://u@127.0.0.1/nowhere", "public").texts)
    settings = settings_of(tmp_path, {"WAREHOUSE_PASSWORD": ""})
    workflow.apply(settings)

    found = Look(settings.state_url).statuses()
    failing = {str(key): status.condition(ConditionType.ready) for key, status in found.items() if status.failing}
    assert {key: ready.reason for key, ready in failing.items()} == {
        "acme/AuthConfig/warehouse": "SecretMissing",
        "acme/Integration/warehouse": "DependencyNotReady",
        "acme/Sync/customers": "DependencyNotReady",
    }
    assert "env:WAREHOUSE_PASSWORD" in failing["acme/AuthConfig/warehouse"].message
    assert found[ObjectKey("acme", "AuthConfig", "warehouse")].retry
    assert not found[FLOW].retry
    assert [o.key for o in Look(settings.state_url).objects()] == [k for k in found if k.kind != "Source"]


def test_a_killed_apply_is_told_of_once_and_stands_right_after_the_next(tmp_path: Path) -> None:
    """Killed after any step, the next apply leaves statuses of everything, and no step was told of twice."""
    whole = len(workflow.apply(build(tmp_path / "whole", TEXTS)).plan.steps)
    for taken in range(1, whole):
        settings = build(tmp_path / str(taken), TEXTS)
        lines: list[str] = []

        def killed(line: str, lines: list[str] = lines, at: int = taken) -> None:
            lines.append(line)
            if len(lines) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            workflow.apply(settings, step=killed)
        workflow.apply(settings)

        reader = Look(settings.state_url)
        told = [e.key for e in reader.events(limit=100) if e.key.kind != "Source"]
        assert sorted(told) == [o.key for o in reader.objects()]
        assert [key for key in reader.statuses() if key.kind != "Source"] == sorted(told)
        assert not any(status.failing for status in reader.statuses().values())
