"""A person's data: found where flows wrote it, exported, erased with a certificate; holds, kills and what is by hand."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from syncline import privacy, workflow
from syncline.cli.main import cli
from syncline.executor.batches.rejects import seal
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import Invalid, Stalled
from syncline.model.run import Reject
from tests import warm
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.e2e.subjects import ADA, DATA, KILLED, MAPPING, emails, lived_in, rejects
from tests.flips import flips
from tests.writing_api import Contacts


def test_a_person_is_found_as_written(tmp_path, scenario):
    """An export finds rows whatever the mapping did to the value, a keyed hash included, and records set aside."""
    settings = lived_in(tmp_path, scenario)
    found = {held.key.name: held for held in privacy.export(settings, "acme", ADA)}
    customers, visitors = found["customers"], found["visitors"]
    assert [row["id"] for row in customers.rows] == [1]
    assert [json.loads(record)["id"] for record in customers.rejects] == ["3"]
    assert sorted(row["id"] for row in visitors.rows) == [1, 3]
    assert (customers.problem, visitors.problem) == ("", "")
    event = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "privacy.export"]
    assert len(event) == 2
    assert "ada@" not in json.dumps(event).lower()


def test_a_person_is_erased_and_nobody_else(tmp_path, scenario):
    """Rows, hashed rows and rejects of the person are gone, those of others stay, and the certificate verifies."""
    settings = lived_in(tmp_path, scenario)
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert done.complete
    assert [(p.key.name, p.state, p.rows, p.rejects) for p in done.places] == [
        ("customers", "erased", 1, 1),
        ("visitors", "erased", 2, 0),
    ]
    assert emails(settings, scenario) == ["bob@example.com"]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
    assert all(not held.rows and not held.rejects for held in privacy.export(settings, "acme", ADA))

    data, key = privacy.certificate(settings, done.id), privacy.certificate_key(settings)
    assert "ada@" not in data.decode().lower()
    assert privacy.verify(data, key)["places"][0]["rows"] == 1
    for _, changed in flips(data):
        with pytest.raises(Invalid, match="this is no certificate that the key signed: .") as caught:
            privacy.verify(changed, key)
        assert caught.value.code == "SYN845"
    told = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "privacy.erase"]
    assert len(told) == 3
    assert house.audit_ok(settings)


def test_a_hold_keeps_what_it_covers(tmp_path):
    """What a legal hold covers stays, is certified as held, and goes once the hold has ended."""
    hold = "{flows: [Sync/vis*], reason: case 7, owner: legal, until: 2999-01-01}"
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario, house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], "))
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows, p.message) for p in done.places] == [
        ("erased", 1, ""),
        ("held", 2, "case 7 (legal, until 2999-01-01)"),
    ]
    (tmp_path / "tenant.yaml").write_text(house.TENANT)
    workflow.apply(settings)
    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert again.id != done.id
    assert [(p.state, p.rows) for p in again.places] == [("erased", 0), ("erased", 2)]


def test_nothing_is_erased_from_a_table_that_another_flow_is_writing(tmp_path):
    """While a run of another flow writes the table, nobody is erased there; the same request does it afterwards."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario, house.TENANT + house.COPIES)
    copies = replace(house.FLOW, name="copies")
    with open_facilities(settings) as facilities, facilities.store.lease(f"run/{copies}", "test"):
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
        states = {place.key.name: place.state for place in done.places}
        assert states == {"customers": "failed", "copies": "failed", "visitors": "erased"}
        assert emails(settings, scenario) == ["ada@example.com", "bob@example.com"]
    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (again.id, again.complete) == (done.id, True)
    assert emails(settings, scenario) == ["bob@example.com"]


KEYS_GONE = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.model.key import ObjectKey
from syncline.state.sql import SqlStore
from tests.e2e import house

SqlStore.expire_left = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
privacy.retain(house.settings_of(Path(sys.argv[1])), [ObjectKey("", "Tenant", "acme")], doing=True)
"""


def test_rejects_whose_keys_are_destroyed_are_nobodys(tmp_path):
    """A pass killed after the keys of rejects and before their rows keeps nobody from being found and erased."""
    tenant = house.TENANT.replace("spec: {", "spec: {retention: {rejects: 1ms}, ")
    settings = lived_in(tmp_path, house.Scenario("upsert"), tenant)
    child = warm.run([sys.executable, "-c", KEYS_GONE, str(tmp_path)], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    with pytest.raises(Stalled, match="destroyed"):
        rejects(settings)
    assert [len(held.rejects) for held in privacy.export(settings, "acme", ADA)] == [0, 0]
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows, p.rejects) for p in done.places] == [("erased", 1, 0), ("erased", 2, 0)]


def test_a_hold_covers_what_others_wrote_to_the_table(tmp_path):
    """Two flows write one table, and one of them is held: nothing is erased there by way of the other."""
    hold = "{flows: [Sync/copies], reason: case 7, owner: legal}"
    settings = lived_in(
        tmp_path, house.Scenario("upsert"), house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], ") + house.COPIES
    )
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert {p.key.name: p.state for p in done.places} == {"copies": "held", "customers": "held", "visitors": "erased"}
    assert emails(settings, house.Scenario("upsert")) == ["ada@example.com", "bob@example.com"]


def test_rejects_without_the_field_are_searched_for_the_value(tmp_path):
    """A record whose field has another name, or that can't be read, is the person's where it names the value."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    (run,) = workflow.runs(settings, house.FLOW, 5)
    strangers = ["x ada@example.community y", '{"mail": "eve@example.com"}']
    mine = ['{"mail": "ADA@example.com"}', "7,Ada,ada@example.com,"]
    with open_facilities(settings) as facilities:
        kept = [Reject("p", "", "parse", "", "", record) for record in (*mine, *strangers)]
        facilities.store.put_rejects(seal(facilities.keys, house.FLOW, run.id, 7, kept))
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert done.places[0].rejects == 3
    left = rejects(settings)
    assert [record for record in left if record in strangers + mine] == strangers


@pytest.mark.parametrize("at", ["before the rejects", "before the rows", "after the rows"])
def test_an_erasure_that_was_killed_is_gone_on_with(tmp_path, at):
    """Killed before, between and after its deletes, the same request goes on and still knows how much it found."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario)
    child = warm.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    (open_,) = privacy.listed(settings, "acme", 5)
    assert not open_.complete
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (done.id, done.complete) == (open_.id, True)
    assert [(p.state, p.rows, p.rejects) for p in done.places] == [("erased", 1, 1), ("erased", 2, 0)]
    assert emails(settings, scenario) == ["bob@example.com"]


def test_a_destination_that_cannot_be_reached_stays_open(tmp_path):
    """One place that fails is told, the others are done, and the same command finishes it later."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("CREATE TABLE letters (who INTEGER REFERENCES customers (id))")
        connection.execute("CREATE TRIGGER kept BEFORE DELETE ON customers BEGIN SELECT RAISE(ABORT, 'no'); END")
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [p.state for p in done.places] == ["failed", "erased"]
    assert done.places[0].message
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("DROP TRIGGER kept")
    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (again.id, again.complete) == (done.id, True)


def test_what_cannot_be_searched_is_acknowledged(tmp_path):
    """A destination that offers no search is left open by name, and closed by who did it by hand."""
    with api_server(Contacts(unique="id").handle) as server:
        settings = house.build(tmp_path, writing.repository(server.url, "put") | {"mapping.yaml": MAPPING})
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "customers.csv").write_text(DATA)
        workflow.apply(settings)
        workflow.run(settings, house.FLOW, progress=Silent())
        done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.key, p.state, p.rejects) for p in done.places] == [(house.FLOW, "open", 1)]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
    with pytest.raises(Invalid, match="nothing open"):
        privacy.acknowledge(settings, done.id, replace(house.FLOW, name="other"), "Eva", "done")
    closed = privacy.acknowledge(settings, done.id, house.FLOW, "Eva", "deleted in the CRM")
    assert (closed.complete, closed.places[0].message) == (True, "Eva: deleted in the CRM")
    assert privacy.find(settings, done.id) == closed


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_person_is_erased_from_files(tmp_path, form):
    """Parts that have rows of the person are written again without them; the run after it goes on as ever."""
    scenario = house.Scenario("append", form)
    settings = house.build(tmp_path, scenario.texts | {"mapping.yaml": MAPPING})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text(DATA)
    workflow.apply(settings)
    workflow.run(settings, scenario.key, progress=Silent())
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows, p.rejects) for p in done.places] == [("erased", 1, 1)]
    kept = [str(row) for row in house.rows(tmp_path, scenario) or ()]
    assert (len(kept), "bob@example.com" in kept[0]) == (1, True)
    assert not any(b"ada@" in path.read_bytes().lower() for path in (tmp_path / "lake").rglob("part-*.jsonl"))
    workflow.run(settings, scenario.key, progress=Silent())


def test_the_command_line(tmp_path):
    """Nothing goes without --yes; the person's value may come from standard input; the exit code tells."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    environ = {"SYNCLINE_ACTOR": "tests"}

    def run(*args, text=None):
        return CliRunner().invoke(cli, ["--root", str(tmp_path), "privacy", *args], input=text, env=environ)

    shown = run("erase", "--tenant", "acme", "--subject", "-", text="customer=ada@example.com\n")
    assert shown.exit_code == 0
    assert "Nothing was erased" in shown.output
    assert len(privacy.export(settings, "acme", ADA)[0].rows) == 1
    done = run(
        "erase",
        "--tenant",
        "acme",
        "--subject",
        "customer=ada@example.com",
        "--yes",
        "--certificate",
        str(tmp_path / "c"),
    )
    assert done.exit_code == 0, done.output
    key = run("key").output.strip()
    assert json.loads(run("verify", str(tmp_path / "c"), "--key", key).output)["complete"] is True
    assert "complete" in run("list").output
    assert run("export", "--tenant", "acme", "--subject", "customer").exit_code == 1
    assert "SYN842" in run("export", "--tenant", "acme", "--subject", "patient=7").output


def test_validate_refuses_a_field_that_tells_nobody(tmp_path):
    """A subject's field that is masked, dropped, missing or put together is an error at its line."""
    texts = house.Scenario("upsert").texts
    for change, code in (
        (("subject: {customer: email}", "subject: {customer: mail}"), "SYN213"),
        (("check: {format: email}", "protect: mask"), "SYN840"),
        (("from: lower(email)", 'template: "{{ email }} {{ name }}"'), "SYN840"),
    ):
        settings = house.build(tmp_path, texts | {"mapping.yaml": MAPPING.replace(*change)})
        assert [d.code for d in workflow.validate(settings).diagnostics] == [code], change
