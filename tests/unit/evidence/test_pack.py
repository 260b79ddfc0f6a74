from __future__ import annotations

import datetime as dt
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from syncline import workflow
from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner
from syncline.cli.output.compliance import render_compliance
from syncline.evidence.collect import Span
from syncline.evidence.framework import Responsibility
from syncline.evidence.frameworks import FRAMEWORKS
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests.e2e.house import FLOW, audit_events
from tests.flips import flips, refusal, script

if TYPE_CHECKING:
    from syncline.evidence.pack import Pack
    from syncline.settings import Settings

POLICIES = Path(__file__).resolve().parents[3] / "policies"
TODAY = dt.datetime.now(dt.UTC).date()
#: The last day before midnight may be another one by now.
SPAN = Span(TODAY - dt.timedelta(days=1), TODAY + dt.timedelta(days=1))


def _pack(house: Settings, framework: str = "soc2", span: Span = SPAN) -> Pack:
    return workflow.make_evidence(house, framework, span, render_compliance)


def _unpacked(pack: Pack, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        found.extractall(folder)
    return folder


def _script(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", str(folder / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def _key(house: Settings) -> str:
    return str(FileSigner.load(house.keys / "audit.pem").verifier)


@pytest.mark.parametrize("framework", [one.name for one in FRAMEWORKS])
def test_a_pack_verifies_with_its_own_script(house: Settings, tmp_path: Path, framework: str):
    """Of each framework: unpacked elsewhere, all files, entries, proofs and attestations verify."""
    pack = _pack(house, framework)
    folder = _unpacked(pack, tmp_path / "pack")

    done = _script(folder, "--key", _key(house))

    files = sum(path.is_file() for path in folder.rglob("*")) - 1
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"verified: {pack.report.size} entries and {len(pack.report.samples)} proofs, signed by {pack.report.origin}",
        "2 attestations of runs",
        f"{files} files as they were signed",
    ]


def test_a_pack_says_what_the_log_shows(house: Settings, tmp_path: Path):
    """Counts are those of the log; each control is somebody's; samples are entries of the span, and are proved."""
    pack = _pack(house)
    folder = _unpacked(pack, tmp_path / "pack")
    entries = [json.loads(line) for line in (folder / "entries.jsonl").read_text().splitlines()]
    found = {one["id"]: one for one in json.loads((folder / "controls.json").read_text())["controls"]}

    finished = [e for e in entries if e["metadata"]["event_code"] in {"run.finish", "run.commit"}]
    assert found["PI1.5"]["events"] == {"success": len(finished)}
    assert {one["responsibility"] for one in found.values()} == {"software", "operator", "organisation"}
    for one in found.values():
        for index in one["samples"]:
            assert entries[index]["metadata"]["event_code"] in one["actions"]
            assert (folder / "proofs" / f"{index}.tlog-proof").exists()
    assert audit_events(house)[-1]["unmapped"]["details"]["what"].startswith("evidence soc2")


def test_a_span_without_events_claims_nothing(house: Settings):
    """Of a time before the log, no control is shown, and no finding says that one is satisfied."""
    from syncline.evidence.oscal import assessment_results

    report = _pack(house, span=Span(dt.date(2020, 1, 1), dt.date(2020, 1, 31))).report
    result = assessment_results(report)["assessment-results"]["results"][0]

    assert not any(shown.events for shown in report.shown)
    assert report.samples == []
    assert {f["target"]["status"]["state"] for f in result["findings"]} == {"not-satisfied"}


def test_only_the_software_gets_findings(house: Settings):
    """What is the operator's or the organisation's is observed and never called satisfied."""
    from syncline.evidence.oscal import assessment_results

    report = _pack(house, "gdpr").report
    result = assessment_results(report)["assessment-results"]["results"][0]
    software = [s.control for s in report.shown if s.control.responsibility is Responsibility.software]

    assert len(result["findings"]) == len(software) < len(result["observations"])
    observed = {one["uuid"] for one in result["observations"]}
    assert {f["related-observations"][0]["observation-uuid"] for f in result["findings"]} <= observed
    assert assessment_results(report) == assessment_results(report)


def test_no_byte_of_a_pack_can_change(house: Settings, tmp_path: Path):
    """A flipped byte in any file, at samples of all places, is refused with a sentence by the auditor's own script: the
    page for people, the script that comes along and the key that comes along are evidence too.
    """
    folder = _unpacked(_pack(house), tmp_path / "pack")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"report.html", "evidence.dsse.json", "README.txt", "verify.py", "log.pub"}

    for path in files:
        data = path.read_bytes()
        for _, changed in flips(data, len(data) // 25 | 1, len(data) // 500 | 1):
            path.write_bytes(changed)
            refusal(folder, "--key", _key(house))
        path.write_bytes(data)
    assert script(folder, "--key", _key(house))[0] == 0


def test_files_cannot_be_added_or_taken_away(house: Settings, tmp_path: Path):
    """A file more and a file less are told by name."""
    folder = _unpacked(_pack(house), tmp_path / "pack")
    (folder / "more.txt").write_text("x")
    assert "more.txt is a file that was not signed" in _script(folder, "--key", _key(house)).stderr
    (folder / "more.txt").unlink()
    (folder / "report.html").unlink()
    assert "report.html is missing" in _script(folder, "--key", _key(house)).stderr


def test_a_pack_of_another_key_is_refused(house: Settings, tmp_path: Path):
    """A pack that somebody made with a key of their own doesn't verify with the key that the auditor was given."""
    folder = _unpacked(_pack(house), tmp_path / "pack")
    other = FileSigner.create(tmp_path / "other", FileSigner.load(house.keys / "audit.pem").verifier.name)

    assert "no signature by" in _script(folder, "--key", str(other.verifier)).stderr


def test_rollback_fork_truncation_and_replay_are_told(house: Settings, tmp_path: Path):
    """Against a checkpoint that the auditor kept: a log that went back, one that was forked, one whose end was cut with a
    replayed older checkpoint, and one that goes on as it should.
    """
    first = tmp_path / "first"
    shutil.copy(house.audit / "checkpoint", first)
    older = _unpacked(_pack(house), tmp_path / "older")
    workflow.run(house, FLOW, progress=Silent())
    kept = tmp_path / "kept"
    shutil.copy(house.audit / "checkpoint", kept)
    newer = _unpacked(_pack(house), tmp_path / "newer")
    for path in (older, newer):
        (path / "evidence.dsse.json").unlink()  # what is told here is told without it too

    good = _script(newer, "--since", str(kept))
    assert good.returncode == 0
    assert f"continues the checkpoint of {kept.read_text().splitlines()[1]} entries" in good.stdout
    assert "it went back, or was cut" in _script(older, "--since", str(kept)).stderr
    shutil.copy(first, newer / "checkpoint")  # a replay: signed, and no longer what the entries are
    assert "NOT VERIFIED" in _script(newer).stderr

    signer = FileSigner.load(house.keys / "audit.pem")
    forged = AuditLog.open(tmp_path / "forged", signer, signer.verifier.name)
    forged.append_entries([b"{}"] * 99)
    from syncline.audit.export import export
    from syncline.audit.fetch import DirectoryFetcher

    out = io.BytesIO()
    export(DirectoryFetcher(forged.directory), signer.verifier, out)
    with zipfile.ZipFile(out) as found:
        found.extractall(tmp_path / "fork")
    assert "it was forked" in _script(tmp_path / "fork", "--since", str(kept)).stderr


def test_consistency_is_checked_without_the_log(house: Settings, tmp_path: Path):
    """The script checks a proof of consistency against a kept checkpoint, and refuses each flipped byte of it."""
    from syncline.audit import offline_verifier
    from syncline.audit.checkpoint import Checkpoint
    from syncline.audit.fetch import DirectoryFetcher
    from syncline.audit.prove import prove_consistency

    kept = tmp_path / "kept"
    shutil.copy(house.audit / "checkpoint", kept)
    workflow.run(house, FLOW, progress=Silent())
    old = Checkpoint.parse(kept.read_text().rpartition("\n\n")[0] + "\n")
    key = FileSigner.load(house.keys / "audit.pem").verifier
    _, proof = prove_consistency(DirectoryFetcher(house.audit), key, old)
    path = tmp_path / "now.consistency"
    path.write_bytes(proof.encode())

    command = [sys.executable, "-I", offline_verifier.__file__, str(path), "--key", str(key), "--since", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, f"continue the checkpoint of {old.size}" in done.stdout) == (0, True)
    for _, changed in flips(path.read_bytes()):
        path.write_bytes(changed)
        refusal(path, "--key", key, "--since", kept)


def test_a_damaged_log_is_packed_and_said_to_be(house: Settings):
    """Evidence of damage is evidence: the report says what is wrong, nothing is called satisfied, the script refuses."""
    from syncline.evidence.oscal import assessment_results

    (house.audit / "cosigned").write_bytes((house.audit / "checkpoint").read_bytes().replace(b"\n\n", b"\nx\n\n"))

    pack = _pack(house)
    result = assessment_results(pack.report)["assessment-results"]["results"][0]

    assert [f.file for f in pack.report.verification.findings] == ["cosigned"]
    assert "does NOT verify" in result["description"]
    assert {f["target"]["status"]["state"] for f in result["findings"]} == {"not-satisfied"}
    assert "The log does not verify" in render_compliance(pack.report)


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.name)
def test_rules_of_controls_are_rules_of_the_pack(framework):
    """Each rule that a control names is one of the policy pack of that framework, and each rule has a control."""
    pack = yaml.safe_load((POLICIES / f"{framework.name}.yaml").read_text())
    rules = {f"{framework.name}/{rule['name']}" for rule in pack["spec"]["rules"]}
    named = {rule for control in framework.controls for rule in control.rules}

    assert named == rules


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.name)
def test_controls_are_named_once_and_say_what_is_done(framework):
    """Identifiers are unique; what the software answers for is shown by some event of the log."""
    assert len({control.id for control in framework.controls}) == len(framework.controls)
    for control in framework.controls:
        assert control.title
        assert control.does.endswith(".")
        assert control.actions or control.responsibility is not Responsibility.software


def test_there_is_no_pack_of_an_unknown_framework(house: Settings):
    """An unknown name is refused with those that are known."""
    with pytest.raises(Invalid, match="soc2, iso27001, gdpr, ccpa, hipaa"):
        _pack(house, "pci")


def test_every_pack_that_cites_clauses_is_a_framework():
    """What a policy pack demands by a law or a standard can be given as evidence of it; `baseline` follows none."""
    packs = {path.stem: yaml.safe_load(path.read_text())["spec"]["rules"] for path in POLICIES.glob("*.yaml")}
    citing = {name for name, rules in packs.items() if any("clause" in rule for rule in rules)}
    assert citing - {"baseline"} == {framework.name for framework in FRAMEWORKS}
