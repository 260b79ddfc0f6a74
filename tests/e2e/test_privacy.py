"""A person's data: found where flows wrote it, exported, erased with a certificate; holds, kills and what is by hand."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from syncline import privacy, workflow
from syncline.cli.main import cli
from syncline.executor.facilities import open_facilities
from syncline.executor.image_keys import images_of
from syncline.executor.progress import Silent
from syncline.executor.rejects import seal, unseal
from syncline.model.errors import Invalid, Stalled
from syncline.model.run import Reject
from syncline.model.subject import Subject
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.writing_api import Contacts

ADA = Subject("customer", "Ada@example.com")
DATA = """\
id,name,email,balance,born
1,Ada,Ada@example.com,1.00,1990-01-01
2,Bob,bob@example.com,2.00,1991-01-01
3,Ada again,ada@example.com,"1,000",1990-01-01
4,Eve,eve@example.com,"1,000",1992-01-01
"""
MAPPING = house.MAPPING.replace("spec:\n  key: [id]", "spec:\n  key: [id]\n  subject: {customer: email}").replace(
    "from: email,", "from: lower(email),"
)
HASHED = """\
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: visitor, tenant: acme}
spec:
  key: [id]
  subject: {customer: who}
  fields:
  - {to: id, from: id, type: integer}
  - {to: who, from: lower(email), protect: {hash: tenant}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: visitors, tenant: acme}
spec: {from: crm/customers, mapping: visitor, to: warehouse/visitors, read: full, write: upsert}
"""


def lived_in(root, scenario, tenant=house.TENANT):
    """A house whose flows have run over the four customers, one of them twice there and one of those rejected."""
    texts = scenario.texts | {"mapping.yaml": MAPPING + HASHED, "tenant.yaml": tenant}
    settings = house.build(root, texts)
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(DATA)
    workflow.apply(settings)
    for applied in workflow.objects(settings):
        if applied.key.kind in {"Sync", "Import"}:
            workflow.run(settings, applied.key, progress=Silent())
    return settings


@pytest.fixture(params=["sqlite", "postgresql"])
def scenario(request):
    """Where customers are written to."""
    if request.param == "sqlite":
        return house.Scenario("upsert")
    return house.Scenario("upsert", request.getfixturevalue("postgres_url"), "privacy")


def emails(settings, scenario):
    return sorted(str(row[2]) for row in house.rows(settings.root, scenario))


def rejects(settings):
    return [reject.record for run in workflow.runs(settings, None, 20) for reject in workflow.rejects(settings, run.id)]


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
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(Invalid, match="SYN845|certificate"):
            privacy.verify(bytes(broken), key)
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


KILLED = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.executor import erasure
from syncline.model.subject import Subject
from tests.e2e import house

real, at = erasure.erase_rows, sys.argv[2]

def killed(*args):
    if at == "after the rows":
        real(*args)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(erasure, "erase_rejects" if at == "before the rejects" else "erase_rows", killed)
privacy.erase(house.settings_of(Path(sys.argv[1])), "acme", Subject("customer", "Ada@example.com"), lambda _: None)
"""


COPIES = """
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: copies, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers, read: full, write: upsert}
"""


def test_nothing_is_erased_from_a_table_that_another_flow_is_writing(tmp_path):
    """While a run of another flow writes the table, nobody is erased there; the same request does it afterwards."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario, house.TENANT + COPIES)
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
    child = subprocess.run([sys.executable, "-c", KEYS_GONE, str(tmp_path)], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    with pytest.raises(Stalled, match="destroyed"):
        rejects(settings)
    assert [len(held.rejects) for held in privacy.export(settings, "acme", ADA)] == [0, 0]
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert [(p.state, p.rows, p.rejects) for p in done.places] == [("erased", 1, 0), ("erased", 2, 0)]


def test_a_hold_covers_what_others_wrote_to_the_table(tmp_path):
    """Two flows write one table, and one of them is held: nothing is erased there by way of the other."""
    hold = "{flows: [Sync/copies], reason: case 7, owner: legal}"
    copies = """
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: copies, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers, read: full, write: upsert}
"""
    settings = lived_in(
        tmp_path, house.Scenario("upsert"), house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], ") + copies
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
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False, timeout=120)
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


def run_again(settings, key=house.FLOW, **how):
    return workflow.run(settings, key, progress=Silent(), **how).receipt


def test_who_was_erased_does_not_come_back(tmp_path, scenario):
    """What the source still has of the person, good or rejected, is neither a row nor a reject; the receipt tells."""
    settings = lived_in(tmp_path, scenario)
    before = run_again(settings, scenario.key).counts
    assert (before.read, before.rejected, before.suppressed) == (4, 2, 0)
    privacy.erase(settings, "acme", ADA, lambda _: None)
    receipt = run_again(settings, scenario.key, full_refresh=True)
    assert (receipt.counts.read, receipt.counts.written, receipt.counts.rejected) == (4, 1, 1)
    assert (receipt.counts.skipped, receipt.counts.suppressed) == (2, 2)
    assert "2 records are about people who were erased" in receipt.notes[0]
    assert emails(settings, scenario) == ["bob@example.com"]
    assert not any("ada" in record.lower() for record in rejects(settings))
    assert all(not held.rows and not held.rejects for held in privacy.export(settings, "acme", ADA))
    (finish,) = [
        event
        for event in house.audit_events(settings)
        if event["metadata"]["event_code"] == "run.finish" and event["unmapped"]["details"]["run"] == receipt.run
    ]
    assert finish["unmapped"]["details"]["suppressed"] == 2


def test_who_was_erased_is_known_in_any_spelling_and_in_flows_to_come(tmp_path):
    """A flow that begins later, hashes, and reads other spellings sets the person aside, and nobody else."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario)
    privacy.erase(settings, "acme", ADA, lambda _: None)
    later = HASHED.replace("visitor", "later").replace("lower(email)", "trim(lower(email))")
    path = tmp_path / "mapping.yaml"
    path.write_text(path.read_text() + later)
    (tmp_path / "data" / "customers.csv").write_text(
        DATA + "5,Ada,ADA@EXAMPLE.COM,5.00,1990-01-01\n6,Adam,adam@example.com,5.00,1990-01-01\n"
    )
    workflow.apply(settings)
    key = replace(house.FLOW, name="laters")
    counts = run_again(settings, key).counts
    assert (counts.read, counts.written, counts.suppressed) == (6, 3, 3)
    (held,) = [held for held in privacy.export(settings, "acme", ADA) if held.key == key]
    assert held.rows == ()


def test_a_record_that_cannot_be_parsed_is_set_aside_by_its_words(tmp_path):
    """A torn line that names the person is no reject; one that names somebody else is."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    (tmp_path / "data" / "customers.csv").write_text(DATA + "7,Ada,ada@example.com\n8,Eve,eve@example.com\n")
    counts = run_again(settings).counts
    assert (counts.read, counts.written, counts.rejected, counts.suppressed) == (6, 1, 2, 3)
    assert not any("ada" in record.lower() for record in rejects(settings))


def test_a_suppression_is_listed_and_lifted(tmp_path):
    """Lifted by name and with a reason, which is evidence, the person comes back; what told them is forgotten."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario)
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    (found,) = privacy.suppressions(settings, "acme", 5)
    assert (found.id, found.kind, found.subject) == (done.id, "customer", done.subject)
    assert found.sealed is not None
    assert b"ada" not in found.sealed.lower()
    lifted = privacy.lift(settings, done.id, "Eva", "is a customer again")
    assert privacy.suppressions(settings, "acme", 5) == (lifted,)
    assert (lifted.sealed, lifted.by, lifted.reason) == (None, "Eva", "is a customer again")
    assert run_again(settings, full_refresh=True).counts.suppressed == 0
    assert emails(settings, scenario) == ["ada@example.com", "bob@example.com"]
    with pytest.raises(Invalid, match="nobody is suppressed"):
        privacy.lift(settings, done.id, "Eva", "again")
    told = [e["metadata"]["event_code"] for e in house.audit_events(settings)]
    assert (told.count("privacy.suppress"), told.count("privacy.lift")) == (1, 1)
    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert {one.id: bool(one.lifted) for one in privacy.suppressions(settings, "acme", 5)} == {
        done.id: True,
        again.id: False,
    }


def test_a_hold_keeps_a_flow_as_it_is(tmp_path):
    """Under a legal hold nobody is set aside: a replace would lose what is held."""
    hold = "{flows: [Sync/vis*], reason: case 7, owner: legal}"
    settings = lived_in(
        tmp_path, house.Scenario("upsert"), house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], ")
    )
    privacy.erase(settings, "acme", ADA, lambda _: None)
    assert run_again(settings, replace(house.FLOW, name="visitors")).counts.suppressed == 0
    assert run_again(settings, full_refresh=True).counts.suppressed == 2


def test_what_is_compared_and_rehearsed_has_nobody_who_was_erased(tmp_path):
    """A row that isn't to be there is neither missing nor to be written, so that drift doesn't bring it back."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    compared = workflow.compare(settings, house.FLOW, progress=Silent())
    assert (compared.same, compared.missing, compared.equal) == (1, 0, True)
    rehearsed = workflow.rehearse(settings, house.FLOW, progress=Silent())
    assert (rehearsed.counts.written, rehearsed.counts.suppressed) == (1, 2)


def test_control_totals_have_who_was_set_aside(tmp_path):
    """Totals that came with the data count the person's record, so that they hold as they did before."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario)
    (tmp_path / "data" / "customers.csv").write_text(DATA.replace('"1,000"', "4.00"))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    flow = next(
        path for path in tmp_path.glob("*.yaml") if "kind: Sync\nmetadata: {name: customers" in path.read_text()
    )
    control = "guards: {control: {records: 4, sums: {balance: '11.00'}}}, "
    flow.write_text(flow.read_text().replace("spec: {", f"spec: {{{control}", 1))
    workflow.apply(settings)
    receipt = run_again(settings, full_refresh=True)
    assert (receipt.counts.written, receipt.counts.suppressed) == (2, 2)
    assert any("control totals hold" in note for note in receipt.notes)


@pytest.mark.parametrize("at", ["before the rejects", "before the rows", "after the rows"])
def test_who_is_being_erased_does_not_come_back_meanwhile(tmp_path, at):
    """Killed anywhere, an erasure that was begun keeps runs from bringing the person back."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, scenario)
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert run_again(settings, full_refresh=True).counts.suppressed == 2
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
    assert emails(settings, scenario) == ["bob@example.com"]


def blobs(settings):
    """Sealed rejects as a backup of the state has them."""
    with open_facilities(settings) as facilities:
        return [sealed for run in facilities.store.runs(house.FLOW, 20) for sealed in facilities.store.rejects(run.id)]


def unreadable(settings, kept):
    """Of each of them, the code of why it can't be opened; empty where it can."""
    found: list[str] = []
    with open_facilities(settings) as facilities:
        for sealed in kept:
            try:
                unseal(facilities.keys, house.FLOW, sealed)
            except Stalled as error:
                found.append(error.code)
            else:
                found.append("")
    return found


RESEALING = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.executor import subjects
from syncline.model.subject import Subject
from tests.e2e import house

at, real = sys.argv[2], subjects.seal

def sealed(*args):
    made = real(*args)
    if at == "before it is kept":
        os.kill(os.getpid(), signal.SIGKILL)
    return made

def destroyed(*args):
    os.kill(os.getpid(), signal.SIGKILL)

subjects.seal = sealed
subjects.destroy_keys = destroyed
privacy.erase(house.settings_of(Path(sys.argv[1])), "acme", Subject("customer", "Ada@example.com"), lambda _: None)
"""


@pytest.mark.parametrize("at", ["", "before it is kept", "before keys are destroyed"])
def test_what_backups_have_of_rejects_is_unreadable(tmp_path, at):
    """
    The run's rejects as they were can't be opened any more, by their destroyed key; those of others are sealed anew, and
    go on to be read. So also where it was killed in between.
    """
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    backup = blobs(settings)
    assert unreadable(settings, backup) == [""]
    if at:
        child = subprocess.run([sys.executable, "-c", RESEALING, str(tmp_path), at], check=False, timeout=120)
        assert child.returncode == -signal.SIGKILL
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
    assert unreadable(settings, backup) == ["SYN823"]
    assert unreadable(settings, blobs(settings)) == [""]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
    again = blobs(settings)
    privacy.erase(settings, "acme", Subject("customer", "eve@example.com"), lambda _: None)
    assert unreadable(settings, again) == ["SYN823"]


def test_rejects_of_an_earlier_version_are_still_read(tmp_path):
    """What was sealed with the tenant's key opens, and is sealed with a key of its own where somebody is erased from it."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    (sealed,) = blobs(settings)
    with open_facilities(settings) as facilities:
        plain = json.dumps([asdict(reject) for reject in unseal(facilities.keys, house.FLOW, sealed)]).encode()
        blob = facilities.keys.seal("acme", plain, f"rejects/{sealed.run}/{sealed.sequence}")
        facilities.store.put_rejects(replace(sealed, blob=blob))
    assert len(rejects(settings)) == 2
    privacy.erase(settings, "acme", ADA, lambda _: None)
    assert blobs(settings)[0].blob.startswith(b"SYR1")
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]


def test_what_backups_have_of_images_is_unreadable(tmp_path):
    """Images of an import to undo go with the person's rows, and the key that sealed them with them."""
    scenario = house.Scenario("upsert", kind="Import")
    texts = scenario.texts | {"mapping.yaml": MAPPING}
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, rollback: {window: 7d}")
    settings = house.build(tmp_path, texts)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text(DATA)
    workflow.apply(settings)
    run = workflow.run(settings, scenario.key, progress=Silent()).record.id
    with open_facilities(settings) as facilities:
        assert facilities.keys.exists("acme", images_of(run))
        kept = facilities.keys.envelope("acme", images_of(run)).seal(b"as it was", "image")
    privacy.erase(settings, "acme", ADA, lambda _: None)
    with open_facilities(settings) as facilities:
        assert not facilities.keys.exists("acme", images_of(run))
        with pytest.raises(Stalled, match="destroyed"):
            facilities.keys.opening("acme", images_of(run)).open(kept, "image")
