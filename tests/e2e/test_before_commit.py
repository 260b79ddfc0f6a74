"""Imports with `validate: before-commit`: past `maxRejects` nothing is written, whatever it is that rows break."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from syncline import workflow
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.model.errors import Denied
from syncline.model.run import RunState
from tests.e2e.house import Scenario, audit_events, audit_ok, build, rows
from tests.look import Look

GOOD = {"name": "Ada", "email": "ada@example.com", "balance": "1.00", "born": "1990-01-01"}
NUL = {**GOOD, "name": "A\0da"}
WRONG = {**GOOD, "email": "nowhere"}
NAN = {**GOOD, "balance": "nan"}


@pytest.fixture(autouse=True)
def several_batches(monkeypatch):
    """Batches of some 60 rows."""
    made = Opener.__init__

    def init(self, *args, **how):
        made(self, *args, **how)
        self.batch_bytes = 2_048

    monkeypatch.setattr(Opener, "__init__", init)


@pytest.fixture
def scenario(postgres_url):
    """An import into PostgreSQL that validates first."""
    return Scenario("upsert", postgres_url, f"house_{uuid4().hex[:8]}", kind="Import")


def house(root, scenario, bad, most, *, balance="decimal(12,2)"):
    """So many good rows, and after them, in the last of several batches, those that are bad."""
    lines = [json.dumps({"id": n, **(GOOD if n <= 300 else bad)}) for n in range(1, 307)]
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "customers.jsonl").write_text("\n".join(lines) + "\n")
    texts = dict(scenario.texts)
    texts["source.yaml"] = texts["source.yaml"].replace(".csv", ".jsonl")
    guard = f"guards: {{maxRejects: {most}}}"
    texts["sync.yaml"] = texts["sync.yaml"].replace(f"write: {scenario.write}", f"write: {scenario.write}, {guard}")
    texts["mapping.yaml"] = texts["mapping.yaml"].replace("decimal(12,2)", balance)
    settings = build(root, texts)
    workflow.apply(settings)
    return settings


def refused(settings, scenario):
    with pytest.raises(Denied) as caught:
        workflow.run(settings, scenario.key, progress=Silent())
    assert caught.value.code == "SYN701"
    assert "6 of 306 records are rejected" in caught.value.message


@pytest.mark.parametrize("bad", [NUL, WRONG], ids=["what the database can't hold", "what the mapping rejects"])
def test_more_rejects_than_may_be_in_the_last_batch_leave_nothing_written(tmp_path, scenario, bad):
    """
    The run is refused, no table is made, no commit is in the audit log, its counts have no rows written, and the
    rejects say why; a rehearsal says the same before it.
    """
    settings = house(tmp_path, scenario, bad, 5)
    told = workflow.rehearse(settings, scenario.key, progress=Silent())
    assert told.refused.startswith("SYN701")
    assert (told.counts.read, told.counts.written, told.counts.rejected) == (306, 300, 6)

    refused(settings, scenario)
    assert not rows(tmp_path, scenario)
    run = Look(settings.state_url).runs(scenario.key)[0]
    assert (run.state, run.counts.written, run.counts.inserted) == (RunState.failed, 0, 0)
    assert not [event for event in audit_events(settings) if event["metadata"]["event_code"] == "run.commit"]
    assert audit_ok(settings)
    kept = list(workflow.rejects(settings, run.id))
    assert len(kept) == 6


def test_rejects_within_the_bound_are_those_that_the_first_pass_found(tmp_path, scenario):
    """Where as many are allowed as there are, the rest is written, and every row that can't be held is a reject once."""
    settings = house(tmp_path, scenario, NUL, 6)
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    assert (receipt.counts.read, receipt.counts.written, receipt.counts.rejected) == (306, 300, 6)
    found = rows(tmp_path, scenario)
    assert found is not None
    assert len(found) == 300
    kept = list(workflow.rejects(settings, receipt.run))
    assert [(reject.rule, reject.place) for reject in kept] == [
        ("destination", f"customers.jsonl:{n}") for n in range(301, 307)
    ]


@pytest.mark.parametrize(("destination", "write"), [("sqlite", "upsert"), ("jsonl", "append")])
def test_what_other_destinations_can_not_hold_is_asked_as_well(tmp_path, destination, write):
    """SQLite makes NaN a null and JSON has none: nothing is written, and the table or folder isn't made."""
    scenario = Scenario(write, destination, kind="Import")
    settings = house(tmp_path, scenario, NAN, 5, balance="float")
    assert workflow.rehearse(settings, scenario.key, progress=Silent()).refused.startswith("SYN701")
    refused(settings, scenario)
    assert not rows(tmp_path, scenario)
