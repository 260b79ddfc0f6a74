"""A key that is lost: nothing goes on by itself, what went with it is told, and new keys are made once somebody says so."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from syncline import privacy, workflow
from syncline.cli.main import main
from syncline.executor.progress import Silent
from syncline.model.errors import Stalled
from syncline.reconciler.lost_keys import acknowledge, find_loss
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.e2e.house import FLOW, audit_events, audit_ok
from tests.e2e.subjects import ADA, emails, lived_in
from tests.writing_api import Contacts


@pytest.fixture
def api():
    return Contacts(unique="id")


@pytest.fixture
def settings(tmp_path, api):
    """A flow into an API that ran once, with rejects and a position that are sealed."""
    with api_server(api.handle) as server:
        settings = house.build(tmp_path, writing.repository(server.url, "put"))
        house.customers(tmp_path, 20)
        workflow.apply(settings, step=lambda _: None)
        run(settings)
        yield settings


def run(settings):
    return workflow.run(settings, FLOW, progress=Silent()).record.counts


def refused(settings):
    """The code that a run ends with."""
    with pytest.raises(Stalled) as caught:
        run(settings)
    return caught.value.code


def files(settings):
    return {path: path.read_bytes() for path in settings.keys.rglob("*") if path.is_file()}


def test_without_its_key_encryption_key_nothing_goes_on_until_somebody_says_so(settings, api, monkeypatch, capsys):
    """What went with it is told and nothing changed; with --yes runs go on, and the log has how much it was."""
    (settings.keys / "kek").unlink()
    assert refused(settings) == "SYN805"
    before, written = files(settings), len(api.of("contacts"))
    monkeypatch.chdir(settings.root)

    assert main(["keys", "lost"]) == 10
    told = capsys.readouterr().out
    assert "The key-encryption key file:kek is lost." in told
    assert "The data key of acme is lost." in told
    assert "positions of flows into APIs (1)" in told
    assert "batches of rejects (" in told
    assert "Flows into APIs write as for the first time" in told
    assert files(settings) == before
    assert refused(settings) == "SYN805"

    assert main(["keys", "lost", "--yes", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["keks"], found["tenants"]) == (["file:kek"], ["acme"])
    assert run(settings).read
    assert len(api.of("contacts")) == written  # by their key: none is there twice
    (event,) = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "key.destroy"]
    details = event["unmapped"]["details"]
    assert (details["kind"], details["owner"]) == ("lost", "acme")
    assert "positions of flows into APIs: 1" in details["unreadable"]
    assert audit_ok(settings)
    assert main(["keys", "lost"]) == 0
    assert capsys.readouterr().out == "No key is lost.\n"


def test_a_data_key_that_is_gone_is_acknowledged_as_well(settings):
    """A flow into an API stops rather than to forget what it wrote; once it is acknowledged, it goes on."""
    (settings.keys / "tenants" / "acme.key").unlink()
    assert refused(settings) == "SYN805"  # what hangs on it is there: no other is made
    for hanging in ("parts", "covers"):
        shutil.rmtree(settings.keys / hanging)
    assert refused(settings) == "SYN806"
    assert refused(settings) == "SYN806"

    loss = acknowledge(settings)
    assert loss.unreadable["acme"]["positions of flows into APIs"] == 1
    assert run(settings).read
    assert not find_loss(settings).any_lost


def test_what_was_changed_is_not_taken_for_lost(settings):
    """A blob that somebody changed stays a reason to stop: its key is there, so that nothing is acknowledged."""
    with closing(sqlite3.connect(settings.home / "state.db")) as state:
        (text,) = state.execute("SELECT checkpoint FROM write_marks").fetchone()
        changed = text[:-8] + ("A" * 8 if text[-8:] != "A" * 8 else "B" * 8)
        state.execute("UPDATE write_marks SET checkpoint = ?", (changed,))
        state.commit()
    assert refused(settings) == "SYN806"
    assert not acknowledge(settings).any_lost
    assert refused(settings) == "SYN806"


def test_a_key_that_turns_up_before_is_all_that_is_needed(settings):
    """Restoring the file ends it: nothing is lost, and the flow goes on from where it was."""
    saved = (settings.keys / "kek").read_bytes()
    (settings.keys / "kek").unlink()
    assert find_loss(settings).any_lost
    (settings.keys / "kek").write_bytes(saved)
    (settings.keys / "kek").chmod(0o600)

    assert not find_loss(settings).any_lost
    assert run(settings).read


def test_a_kill_in_between_is_gone_on_from(settings, monkeypatch):
    """Where the keys were set aside and nothing was noted yet, it is still told as lost, and can be acknowledged."""
    (settings.keys / "kek").unlink()

    def killed(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("syncline.reconciler.lost_keys.note_lost", killed)
        with pytest.raises(KeyboardInterrupt):
            acknowledge(settings)
    assert refused(settings) == "SYN806"
    assert find_loss(settings).unreadable["acme"]
    acknowledge(settings)
    assert run(settings).read


def test_what_was_set_aside_goes_with_the_tenant(settings):
    """Destroying a tenant's key destroys what is left of the lost one, too: it might turn up."""
    from syncline.secrets.keys.ring import KeyRing

    (settings.keys / "kek").unlink()
    acknowledge(settings)
    run(settings)
    ring = KeyRing.open(settings.keys)
    assert list(settings.keys.glob("lost/*/tenants/acme.key"))
    assert ring.destroy("acme")
    assert (ring.remains("acme"), list(settings.keys.glob("lost/**/*.key"))) == (0, [])


def test_a_key_that_was_destroyed_on_purpose_is_not_lost(settings):
    """What was erased with a tenant's key is no news: nothing is told, and nothing has to be acknowledged."""
    from syncline.reconciler.keys import destroy_key

    assert destroy_key(settings, "acme")
    assert not find_loss(settings).any_lost


def test_a_whole_folder_that_is_gone_is_told(settings):
    """Without the key of the log nothing is recorded, so that nothing goes on; what is lost can be asked for."""
    audit = (settings.keys / "audit.pem").read_bytes()
    shutil.rmtree(settings.keys)
    settings.keys.mkdir(mode=0o700)
    assert find_loss(settings).unreadable["acme"]
    with pytest.raises(Stalled):
        run(settings)
    (settings.keys / "audit.pem").write_bytes(audit)
    (settings.keys / "audit.pem").chmod(0o600)
    acknowledge(settings)
    assert run(settings).read


def test_who_is_not_to_come_back_does_not_come_back(tmp_path):
    """The flow stays stopped after the key is given up, until the person is erased anew and the old entry lifted."""
    settings = lived_in(tmp_path, house.Scenario("upsert"))
    privacy.erase(settings, "acme", ADA, lambda _: None)
    (before,) = privacy.suppressions(settings, "acme", 5)
    (settings.keys / "kek").unlink()
    loss = acknowledge(settings)
    assert loss.unreadable["acme"]["people who aren't to come back"] == 1
    assert refused(settings) == "SYN823"

    privacy.erase(settings, "acme", ADA, lambda _: None)
    assert refused(settings) == "SYN823"
    privacy.lift(settings, before.id, "who looks after it", "its key was lost, and she was erased anew")
    assert run(settings).suppressed == 2
    assert emails(settings, house.Scenario("upsert")) == ["bob@example.com"]
