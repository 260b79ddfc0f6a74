"""A tenant that leaves: exported, deleted, proved to be gone; holds, kills, and what can't be reached."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sqlite3
import sys
import zipfile
from contextlib import closing

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from syncline import workflow
from syncline.audit.log_signer import log_verifier
from syncline.cli.main import cli
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import Invalid
from syncline.state import tables
from syncline.state.tenants import OF_NOBODY, TABLES
from syncline.tenancy.certificate import proof_path
from syncline.tenancy.offboarding import expect, offboard
from tests import warm
from tests.e2e import house
from tests.e2e.leaving import commit, left, lived_in, retired, statement, wanted
from tests.e2e.test_tenant_onboarding import verified
from tests.flips import flips, refusal, script
from tests.look import Look

CANARY = "Name 7, 1"


def everything(settings):
    """Every byte under the home folder but the audit log and the journal's own words."""
    return b"".join(p.read_bytes() for p in settings.home.rglob("*") if p.is_file() and "audit" not in p.parts)


def test_every_table_says_whose_its_rows_are():
    """Each table of the state is a tenant's in some way, or is written down as nobody's."""
    assert {*TABLES, *(table.name for table in OF_NOBODY)} == set(tables.metadata.tables)


def test_only_who_is_retired_is_taken_out(tmp_path):
    """While Git declares it, or something of it is applied, nothing is taken away."""
    settings = lived_in(tmp_path / "repo")
    before = left(settings)
    with pytest.raises(Invalid, match="still declared"):
        offboard(settings, "acme", wanted(settings), lambda _: None)
    for name in ("tenant", "source", "mapping", "warehouse", "sync"):
        (settings.root / f"{name}.yaml").unlink()
    with pytest.raises(Invalid, match="still applied"):
        expect(settings, "acme")
    assert left(settings) == before
    with pytest.raises(Invalid, match="nothing of tenant"):
        offboard(settings, "nobody", wanted(settings), lambda _: None)


def test_nothing_of_the_tenant_is_left(tmp_path, scenario):
    """State, rejects, key and traces at the destination are gone, rows with `retain` and the other tenant stay."""
    settings = retired(lived_in(tmp_path / "repo", scenario))
    yours = Look(settings.state_url).runs(replace(house.FLOW, tenant="globex"))
    rows = house.rows(settings.root, scenario)
    assert left(settings) != ({}, False)

    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)

    assert done.finished
    assert left(settings) == ({}, False)
    assert house.rows(settings.root, scenario) == rows
    assert Look(settings.state_url).runs(replace(house.FLOW, tenant="globex")) == yours
    assert list(workflow.rejects(settings, yours[0].id))
    assert house.audit_ok(settings)
    said = statement(proof)["predicate"]
    assert (said["outcome"], said["found"]) == ("deleted", {"rows": {}, "key": False})
    counts = {step["subject"]: step["count"] for step in said["steps"] if step["what"] == "state"}
    assert counts["runs"] == 1
    assert counts["rejects"] >= 1
    path = proof_path(settings, "acme")
    assert path.read_bytes() == proof
    assert verified(path, settings)[0] == 0
    assert "of acme: deleted" in verified(path, settings)[1]
    for _, changed in flips(proof, 7):
        path.write_bytes(changed)
        refusal(path, "--key", log_verifier(settings))
    path.write_bytes(proof)
    again = workflow.run(settings, replace(house.FLOW, tenant="globex"), progress=Silent())
    assert again.receipt is not None
    with pytest.raises(Invalid, match="it was taken out on"):
        offboard(settings, "acme", wanted(settings), lambda _: None)


def test_no_byte_of_it_stays_in_the_state_file(tmp_path):
    """What SQLite deleted is overwritten: names of the tenant's objects and messages of its runs aren't in the files."""
    settings = lived_in(tmp_path / "repo")
    canary = "kvzqxhw"
    mapping = settings.root / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("{to: name, from: name}", f"{{to: {canary}, from: name}}"))
    commit(settings.root, "A canary")
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    assert canary.encode() in everything(settings)
    retired(settings)
    offboard(settings, "acme", wanted(settings), lambda _: None)
    assert canary.encode() not in everything(settings)


def test_a_table_goes_with_deletion_delete(tmp_path, scenario):
    """Where the flow said so, the table is dropped, even if that was not possible when it was retired."""
    settings = retired(lived_in(tmp_path / "repo", scenario, flow="deletion: delete"))
    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert done.finished
    assert house.rows(settings.root, scenario) is None
    (step,) = [s for s in statement(proof)["predicate"]["steps"] if s["what"] == "destination"]
    assert step["message"] == "the table is gone"


def test_a_table_that_is_not_there_is_not_told_as_dropped(tmp_path):
    """Nobody dropped what somebody has renamed: the proof doesn't say that its rows are gone."""
    settings = lived_in(tmp_path / "repo", flow="deletion: delete")
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as connection:
        connection.execute("ALTER TABLE customers RENAME TO former_customers")
    _, proof = offboard(retired(settings), "acme", wanted(settings), lambda _: None)
    (step,) = [s for s in statement(proof)["predicate"]["steps"] if s["what"] == "destination"]
    assert step["message"] == "the table wasn't there to be dropped"


def test_the_archive_has_everything_and_only_the_tenants(tmp_path):
    """Runs, rejects in the clear, versions of manifests and proved entries; nothing of another tenant; it verifies."""
    settings = retired(lived_in(tmp_path / "repo"))
    offboard(settings, "acme", wanted(settings), lambda _: None)
    archive = tmp_path / "acme.zip"
    assert archive.stat().st_mode & 0o077 == 0
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(archive) as bundle:
        bundle.extractall(folder)
    lines = {
        p.relative_to(folder).as_posix(): [json.loads(line) for line in p.read_text().splitlines()]
        for p in folder.rglob("*.jsonl")
    }
    assert len(lines["state/runs.jsonl"]) == 1
    assert lines["state/runs.jsonl"][0]["receipt"]["counts"]["read"] == 22
    assert any("nowhere" in row["record"] for row in lines["rejects.jsonl"])
    assert {row["object"] for row in lines["manifests.jsonl"]} >= {"Tenant/acme", "acme/Sync/customers"}
    assert len(lines["audit/entries.jsonl"]) > 5
    assert not any("globex" in p.read_text() for p in folder.rglob("*.jsonl"))
    code, said = verified(folder, settings)
    assert (code, "entries of the log" in said) == (0, True), said
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for _, changed in flips(data, len(data) // 15 | 1, len(data) // 500 | 1):
            path.write_bytes(changed)
            refusal(folder, "--key", log_verifier(settings))
        path.write_bytes(data)
    assert script(folder, "--key", log_verifier(settings))[0] == 0


def test_an_archive_is_sealed_for_its_recipient(tmp_path):
    """With a key of age only its owner can read it, and no clear copy is left beside it."""
    settings = retired(lived_in(tmp_path / "repo"))
    identity = pyrage.x25519.Identity.generate()
    with pytest.raises(Invalid, match="public key of age"):
        offboard(settings, "acme", wanted(settings, recipients=("age1nothing",)), lambda _: None)
    offboard(settings, "acme", wanted(settings, recipients=(str(identity.to_public()),)), lambda _: None)
    data = (tmp_path / "acme.zip").read_bytes()
    assert CANARY.encode() not in data
    assert zipfile.ZipFile(io.BytesIO(pyrage.decrypt(data, [identity]))).namelist()[0] == "README.txt"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["acme.zip", "repo"]


def test_a_hold_keeps_what_it_covers(tmp_path):
    """Runs, rejects and key of a held flow stay readable, the proof says so; once the hold ended, the rest goes."""
    hold = "{flows: [Sync/cust*], reason: case 7, owner: legal, until: 2999-01-01}"
    settings = lived_in(tmp_path / "repo", tenant=house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], "))
    run = Look(settings.state_url).runs(house.FLOW)[0].id
    retired(settings)
    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert not done.finished
    assert statement(proof)["predicate"]["outcome"] == "held"
    assert statement(proof)["predicate"]["held"] == {"acme/Sync/customers": "case 7 (legal, until 2999-01-01)"}
    assert list(workflow.rejects(settings, run))
    assert set(left(settings)[0]) >= {"runs", "rejects"}
    assert "tokens" not in left(settings)[0]

    from syncline.tenancy import destinations, offboarding

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offboarding, "held_flows", lambda *_: {})
        patch.setattr(destinations, "held_flows", lambda *_: {})
        done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert done.finished
    assert statement(proof)["predicate"]["outcome"] == "deleted"
    assert left(settings) == ({}, False)


def test_what_cant_be_reached_is_tried_again_or_given_up(tmp_path):
    """A destination that fails keeps the state, which may be needed for it; given up, the proof says incomplete."""
    settings = retired(lived_in(tmp_path / "repo"))
    database = settings.root / "warehouse.db"
    database.rename(tmp_path / "away.db")
    database.mkdir()
    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert (done.finished, proof) == ("", b"")
    assert left(settings)[1]
    done, proof = offboard(settings, "acme", wanted(settings, give_up=True), lambda _: None)
    assert done.finished
    assert statement(proof)["predicate"]["outcome"] == "incomplete"


KILLED = """
import os, signal, sys
from pathlib import Path
from syncline.tenancy import offboarding, export, destinations, proof
from syncline.secrets.keys.ring import KeyRing
from syncline.state.tenants import SqlTenants
from tests.e2e import house
from tests.e2e.leaving import commit, git, left, lived_in, retired, statement, wanted
root, at = Path(sys.argv[1]), int(sys.argv[2])
calls = 0
def counted(owner, name):
    inner = getattr(owner, name)
    def call(*a, **k):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        found = inner(*a, **k)
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, call)
for owner, name in ((SqlTenants, "put"), (SqlTenants, "delete"), (KeyRing, "destroy"), (offboarding, "export"),
                    (destinations, "_left"), (offboarding, "prove"), (offboarding, "keep")):
    counted(owner, name)
settings = house.settings_of(root)
done, bundle = offboarding.offboard(settings, "acme", offboarding.Wanted(root.parent / "acme.zip"), lambda _: None)
print(calls, done.finished)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_is_gone_on_from(tmp_path):
    """Killed before or after any write of the journal, any deletion, the export, the key or the proof, it converges."""
    whole = retired(lived_in(tmp_path / "whole" / "repo"))
    expected, _ = offboard(whole, "acme", wanted(whole), lambda _: None)
    figures = {(s.what, s.subject): s.count for s in expected.steps if s.what != "export"}
    retired(lived_in(tmp_path / "base" / "repo"))
    at, outcomes = 1, set()
    while True:
        folder = tmp_path / f"at{at}"
        shutil.copytree(tmp_path / "base", folder)
        root = folder / "repo"
        command = [sys.executable, "-c", KILLED, str(root), str(at)]
        ended = warm.run(command, capture_output=True, text=True, check=False)
        outcomes.add(ended.returncode)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        settings = house.settings_of(root)
        try:
            done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
        except Invalid:  # it was killed after the last write
            break
        assert done.finished, at
        assert left(settings) == ({}, False), at
        assert {(s.what, s.subject): s.count for s in done.steps if s.what != "export"} == figures, at
        assert statement(proof)["predicate"]["outcome"] == "deleted", at
        assert house.audit_ok(settings), at
        assert not list(folder.glob(".*")), at
        shutil.rmtree(folder)
        at += 5 if at > 12 else 1
    assert left(settings) == ({}, False), at
    assert at > 20


def test_the_command(tmp_path):
    """Without --yes it shows what would go; with it, it says what went, and exits with 3 while something is held."""
    settings = lived_in(tmp_path / "repo")
    retired(settings)
    runner = CliRunner()

    def run(*words):
        return runner.invoke(cli, ["--root", str(settings.root), "tenant", "offboard", "acme", *words])

    shown = run()
    assert (shown.exit_code, "Nothing was changed" in shown.output) == (0, True), shown.output
    assert "warehouse/customers stays (deletion: retain)" in shown.output
    assert run("--yes").exit_code == 2
    with open_facilities(settings) as facilities, facilities.store.lease("offboard/acme"):
        assert run("--archive", str(tmp_path / "a.zip"), "--yes").exit_code != 0
    done = run("--archive", str(tmp_path / "a.zip"), "--proof", str(tmp_path / "p.sigstore.json"), "--yes")
    assert (done.exit_code, "nothing of acme is left" in done.output) == (0, True), done.output
    assert verified(tmp_path / "p.sigstore.json", settings)[0] == 0
