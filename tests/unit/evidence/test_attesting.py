from __future__ import annotations

import base64
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.audit import offline_verifier, tree
from syncline.audit.fetch import DirectoryFetcher, read_entries
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests.e2e.house import FLOW, audit_events
from tests.flips import flips, refusal, script

if TYPE_CHECKING:
    from syncline.settings import Settings


def _key(house: Settings) -> str:
    return str(FileSigner.load(house.keys / "audit.pem").verifier)


def _statement(bundle: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))


def _attest(house: Settings, run: str) -> bytes:
    return workflow.attest(house, workflow.find_run(house, run))


def test_a_run_is_attested_as_the_log_tells_it(house: Settings, run: str):
    """The statement has the run's commit, plan, decision, counts and digests, and names the entries that say so."""
    record = workflow.find_run(house, run)
    assert record.receipt is not None
    found = _statement(_attest(house, run))
    predicate = found["predicate"]

    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [
        {"name": "warehouse/customers", "digest": {"syncline-batch-chain-sha256": record.receipt["written_digest"]}}
    ]
    assert (predicate["run"], predicate["plan"], predicate["outcome"]) == (run, record.plan, "SucceededWithRejects")
    assert predicate["counts"]["written"] == record.counts.written
    assert predicate["policy"] | {"at": ""} == {
        "decided": True,
        "allowed": True,
        "decisions": 1,
        "rules": ["flows"],
        "at": "",
    }
    entries = list(read_entries(DirectoryFetcher(house.audit), len(audit_events(house))))
    named = predicate["log"]["entries"]
    codes = [json.loads(entries[one["index"]])["metadata"]["event_code"] for one in named]
    assert codes == ["policy.decision", "run.start", "run.commit", "run.reject", "run.finish"]
    assert [one["leafHash"] for one in named] == [tree.leaf_hash(entries[one["index"]]).hex() for one in named]


def test_the_log_notes_the_attestation_and_stays_verifiable(house: Settings, run: str):
    """The attestation is an entry of the log, which verifies with it; the same run gives the same statement again."""
    first = _attest(house, run)
    last = audit_events(house)[-1]
    key = FileSigner.load(house.keys / "audit.pem").verifier

    assert (last["metadata"]["event_code"], last["kind"]) == ("run.attest", "dsse")
    assert verify(DirectoryFetcher(house.audit), key.name, [key]).ok
    assert _statement(_attest(house, run)) == _statement(first)


def test_there_is_none_of_a_run_that_the_log_does_not_know(house: Settings):
    """A run that the log tells no end of can't be attested."""
    from msgspec.structs import replace

    record = replace(workflow.runs(house, FLOW, 1)[0], id="20200101T000000-000000")
    with pytest.raises(Invalid, match="no end of a run") as caught:
        workflow.attest(house, record)
    assert caught.value.code == "SYN911"


def _script(path: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", str(Path(offline_verifier.__file__)), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_the_offline_verifier_verifies_it_alone(house: Settings, run: str, tmp_path: Path):
    """Bundle and envelope verify with the script and the key; not with another key."""
    path, plain = tmp_path / "a.sigstore.json", tmp_path / "a.dsse.json"
    path.write_bytes(_attest(house, run))
    plain.write_bytes(workflow.attest(house, workflow.find_run(house, run), bundle=False))
    other = FileSigner.create(tmp_path / "other", FileSigner.load(house.keys / "audit.pem").verifier.name)

    for file in (path, plain):
        done = _script(file, "--key", _key(house))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"verified: attestation of run {run} of acme/Sync/customers, signed by syncline/")
        assert "does not verify" in _script(file, "--key", str(other.verifier)).stderr


@pytest.mark.parametrize("form", ["sigstore", "dsse"])
def test_no_byte_of_an_attestation_can_change(house: Settings, run: str, form: str, tmp_path: Path):
    """A flipped byte of a bundle or of an envelope, at samples of all places, is refused by the script with a sentence."""
    path = tmp_path / "a.json"
    data = workflow.attest(house, workflow.find_run(house, run), bundle=form == "sigstore")
    path.write_bytes(data)
    assert f"attestation of run {run}" in script(path, "--key", _key(house))[1]

    for _, changed in flips(data, 3):
        path.write_bytes(changed)
        refusal(path, "--key", _key(house))


def test_another_runs_attestation_cannot_be_passed_off(house: Settings, run: str):
    """The envelope of one run with the log entry of another is refused."""
    script = runpy.run_path(offline_verifier.__file__)
    key = script["Keys"](script["Key"](_key(house)), [])
    one = json.loads(_attest(house, run))
    workflow.run(house, FLOW, progress=Silent())
    other = json.loads(_attest(house, workflow.runs(house, FLOW, 1)[0].id))
    mixed = {**one, "verificationMaterial": other["verificationMaterial"]}

    with pytest.raises(script["Refused"], match="about another envelope"):
        script["check_attestation"](script["canonical"](mixed), key)
