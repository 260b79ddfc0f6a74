"""A record's presence in a run is proved to outsiders, whatever happened to the run; nothing of other records is shown."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.audit import offline_verifier
from syncline.audit.signer import FileSigner
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests import warm
from tests.e2e import house
from tests.e2e.daemon import until
from tests.e2e.house import FLOW, Scenario, audit_events, build, customers
from tests.flips import flips, refusal, script

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

UPSERT = Scenario("upsert")


def provable(scenario: Scenario = UPSERT) -> dict[str, str]:
    """The manifests of a flow whose records are provable."""
    sync = scenario.texts["sync.yaml"].replace("spec: {", "spec: {evidence: records, ")
    return {**scenario.texts, "sync.yaml": sync}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    root = tmp_path / "home"
    root.mkdir()
    customers(root, 60)
    settings = build(root, provable())
    workflow.apply(settings)
    return settings


def row(settings: Settings, number: int) -> dict[str, Any]:
    """A row as the destination has it, with texts."""
    found = next(r for r in house.rows(settings.root, UPSERT) or () if r[0] == number)
    return dict(zip(("id", "name", "email", "balance", "born"), found, strict=True))


def verified(settings: Settings, path: Path) -> subprocess.CompletedProcess:
    key = str(FileSigner.load(settings.keys / "audit.pem").verifier)
    command = [sys.executable, "-I", offline_verifier.__file__, str(path), "--key", key]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_written_record_is_proved_and_no_other(home, tmp_path):
    """Each row has a proof that the script verifies; a rejected record and a changed one have none."""
    record = workflow.run(home, FLOW, progress=Silent()).record
    path = tmp_path / "a.record.json"

    for number in (1, 2, 30, 60):
        proof = workflow.prove_record(home, record, row(home, number))
        path.write_bytes(proof)
        done = verified(home, path)
        assert (done.returncode, f"run {record.id} of acme/Sync/customers" in done.stdout) == (0, True), done.stderr
        assert proof.count(b"@example.com") == 1  # its own address, and nobody else's
    for wrong in ({**row(home, 1), "name": "Eve"}, {**row(home, 1), "id": 7}, {"id": 1}):
        with pytest.raises(Invalid, match="is this record") as caught:
            workflow.prove_record(home, record, wrong)
        assert caught.value.code == "SYN913"


def test_no_byte_of_a_proof_can_change(home, tmp_path):
    """Each flipped byte of a proof is refused by the script with a sentence."""
    record = workflow.run(home, FLOW, progress=Silent()).record
    proof = workflow.prove_record(home, record, row(home, 5))
    path, key = tmp_path / "5.record.json", FileSigner.load(home.keys / "audit.pem").verifier
    path.write_bytes(proof)
    assert script(path, "--key", key)[0] == 0

    for _, changed in flips(proof):
        path.write_bytes(changed)
        refusal(path, "--key", key)


def test_commitments_of_rows_are_held_against_the_log(home):
    """Commitments that were changed, or are gone, prove nothing; the run itself goes on without them."""
    record = workflow.run(home, FLOW, progress=Silent()).record
    folder = home.home / "records" / record.id
    (file,) = folder.iterdir()
    data = file.read_bytes()
    file.write_bytes(data + bytes(32))
    with pytest.raises(Invalid, match="isn't what the log states"):
        workflow.prove_record(home, record, row(home, 1))
    file.unlink()
    with pytest.raises(Invalid, match="isn't in"):
        workflow.prove_record(home, record, row(home, 1))
    workflow.run(home, FLOW, progress=Silent())


def test_by_default_nothing_is_noted(tmp_path):
    """Without `evidence: records` a run keeps nothing of its rows, and none can be proved."""
    root = tmp_path / "home"
    root.mkdir()
    customers(root, 20)
    settings = build(root, UPSERT.texts)
    workflow.apply(settings)
    record = workflow.run(settings, FLOW, progress=Silent()).record

    assert not (settings.home / "records").exists()
    assert "records_root" not in audit_events(settings)[-1]["unmapped"]["details"]
    with pytest.raises(Invalid, match="aren't noted"):
        workflow.prove_record(settings, record, row(settings, 1))


@pytest.mark.slow
def test_a_run_that_is_killed_proves_the_records_of_all_its_batches(tmp_path):
    """A run that was killed between two of its batches and continued states one root over all of them: records that were
    written before the kill are proved, and those after it.
    """
    root = tmp_path / "home"
    root.mkdir()
    customers(root, 300_000, malformed=False)
    settings = build(root, provable())
    workflow.apply(settings)
    command = [sys.executable, "-m", "syncline", "--root", str(root), "run", "Sync/customers"]
    with warm.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(list((settings.home / "records").glob("*/*"))) > 1 or process.poll() is not None)
        process.kill()
    assert process.returncode == -9
    done = workflow.run(settings, FLOW, progress=Silent())

    assert done.receipt.resumed
    assert done.receipt.batches > 1
    for number in (1, 299_998):
        path = tmp_path / "a.record.json"
        path.write_bytes(workflow.prove_record(settings, done.record, row(settings, number)))
        assert verified(settings, path).returncode == 0
