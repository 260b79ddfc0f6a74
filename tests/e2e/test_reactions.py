"""Reactions to drift by what it is: what others added, a source that broke its contract, webhooks that wait."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from syncline import drift, workflow
from syncline.daemon.looks import Looks
from syncline.executor.progress import Silent
from syncline.model.condition import ConditionType
from syncline.model.errors import Invalid
from syncline.reconciler.look import look
from tests.api_server import api_server
from tests.e2e.house import FLOW, Scenario, build, customers
from tests.e2e.test_contracts import TICKETS, Api, manifests
from tests.e2e.test_remote_webhooks import PUSH, applied, host  # noqa: F401 - a fixture
from tests.hook_server import manifests as forge_manifests
from tests.look import Look


def drifted(settings, key):
    """Whether a condition says that an object has drifted, and how."""
    found = Look(settings.state_url).statuses([key])[key].condition(ConditionType.drifted)
    return found.message if found is not None and found.status == "True" else ""


@pytest.mark.parametrize(("declared", "said"), [("", ""), (", drift: {noise: report}", "column note: ")])
def test_what_others_added_is_told_where_that_is_declared(tmp_path, declared, said):
    """A column of others is nobody's trouble, unless it is declared to be reported: then it counts as drift."""
    texts = Scenario("upsert").texts
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", f"write: upsert{declared}")
    settings = build(tmp_path, texts)
    customers(tmp_path, 10)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN note text")
        connection.commit()
    (found,) = drift.look(settings, [FLOW])
    assert [(f.cause, f.reaction) for f in found.findings] == [("noise", "report" if declared else "ignore")]
    assert found.drifted is bool(declared)
    assert drifted(settings, FLOW).startswith(said)
    assert bool(drifted(settings, FLOW)) is bool(declared)


@pytest.mark.parametrize("reaction", ["report", "heal"])
def test_a_source_that_broke_its_contract_is_tried_again_where_that_is_declared(tmp_path, reaction):
    """With `contract: heal` a look runs the flow again, so that it goes on once the source is as declared; else not."""
    api = Api()
    with api_server(api) as server:
        texts = manifests(server.url, write="upsert")
        name = next(name for name, text in texts.items() if "kind: Sync" in text)
        texts[name] = texts[name].replace("write: upsert", f"write: upsert, drift: {{every: 1h, contract: {reaction}}}")
        settings = build(tmp_path, texts)
        workflow.apply(settings)
        api.change = lambda record: {**record, "id": None}
        with pytest.raises(Invalid):
            workflow.run(settings, TICKETS, progress=Silent())
        api.change = None
        with workflow.engine(settings) as engine:
            said: list[str] = []
            looks = Looks(engine, engine.facilities.store, said.append)
            looks._look(TICKETS)
            states = [(run.trigger, str(run.state)) for run in engine.facilities.store.runs()]
            looks.close()
    healed = [("drift", "Succeeded")] if reaction == "heal" else []
    assert states == [*healed, ("manual", "Failed")]
    assert bool(drifted(settings, TICKETS)) is (reaction == "report")


def test_webhooks_that_wait_for_a_person(host, tmp_path):  # noqa: F811 - the fixture
    """With `intent: report` nothing is registered by a daemon's look: it is told, until somebody says to heal."""
    from tests.e2e.test_remote_webhooks import FORGE

    texts = forge_manifests(host, PUSH)
    name = next(name for name, text in texts.items() if "kind: Tenant" in text)
    texts[name] = texts[name].replace("spec: {", "spec: {drift: {intent: report}, ")
    settings = applied(tmp_path, texts)
    with workflow.engine(settings) as engine:
        look(engine, engine.facilities.store, FORGE, heal=False)
    assert host.changes() == []
    assert drifted(settings, FORGE) == "webhook push: it isn't registered yet"
    drift.look(settings, [FORGE], heal=True)
    assert len(host.changes()) == 1
    assert drifted(settings, FORGE) == ""
