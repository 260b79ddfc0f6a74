"""Who was erased doesn't come back: records that the source still has are set aside, until that is lifted."""

from __future__ import annotations

import signal
import sys

import pytest
from msgspec.structs import replace

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests import warm
from tests.e2e import house
from tests.e2e.subjects import ADA, DATA, HASHED, KILLED, emails, lived_in, rejects


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


def test_a_dry_run_shows_nobody_who_was_erased(tmp_path):
    """What isn't to come back isn't among the records that would be written, and is on nobody's terminal."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    previewed = workflow.preview(settings, house.FLOW, limit=10)
    assert (len(previewed.rows), previewed.counts.written, previewed.counts.suppressed) == (1, 1, 2)
    assert "ada@example.com" not in str(previewed)


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
    child = warm.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert run_again(settings, full_refresh=True).counts.suppressed == 2
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
    assert emails(settings, scenario) == ["bob@example.com"]
