"""Witnesses and logs as processes: what is cosigned, and what becomes of logs that were restored, replaced or forked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.audit import checkpoint as checkpoints
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner
from syncline.executor.progress import Silent
from syncline.model.errors import Stalled
from tests import warm
from tests.e2e.daemon import Remote, serving, until
from tests.e2e.house import FLOW, Scenario, audit_events, audit_ok, build, customers
from tests.peers.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.settings import Settings

UPSERT = Scenario("upsert")


def syncline(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "syncline", "--root", str(root), *arguments]
    environ = {**os.environ, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1"}
    return warm.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def witness(folder: Path, name: str, log: str, *more: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """A witness that watches over a log: its line of a policy, and its process."""
    command = [sys.executable, "-m", "syncline", "witness"]
    options = ["--folder", str(folder), "--name", name]
    serve = [*command, "serve", *options, "--log", log, "--listen", "127.0.0.1:0", *more]
    with warm.Popen(serve, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = process.stderr.readline().split(" at ")[1].strip().removesuffix("/add-checkpoint")
            line = warm.run(
                [*command, "key", *options, "--url", url], capture_output=True, text=True, check=True, timeout=60
            ).stdout
            yield line, process
        finally:
            process.terminate()


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    """A house whose flow was applied and run once."""
    root = tmp_path / "home"
    root.mkdir()
    customers(root, 50)
    settings = build(root, UPSERT.texts)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    return settings


def log_key(settings: Settings) -> str:
    return str(FileSigner.load(settings.keys / "audit.pem").verifier)


@pytest.mark.slow
def test_a_log_is_cosigned_by_processes_of_others(house, tmp_path):
    """Two witnesses cosign; one that ends keeps nothing from going on; the log goes on and is cosigned again."""
    with (
        witness(tmp_path / "north", "north.example/w1", log_key(house)) as (north, _),
        witness(tmp_path / "south", "south.example/w1", log_key(house)) as (south, process),
    ):
        names = [line.split()[1] for line in (north, south)]
        policy = house.root / "witnesses.policy"
        policy.write_text(f"{north}{south}group both all {' '.join(names)}\nquorum both\n")

        before = syncline(house.root, "audit", "verify")
        assert (before.returncode, "no witness has cosigned the log" in before.stdout) == (1, True)
        first = syncline(house.root, "audit", "cosign")
        assert (first.returncode, first.stdout.count("cosigned")) == (0, 2), first.stderr
        verified = syncline(house.root, "audit", "verify", "-o", "json")
        found = json.loads(verified.stdout)
        assert (verified.returncode, found["cosigned"]["witnesses"]) == (0, names)

        process.kill()
        process.wait()
        workflow.run(house, FLOW, progress=Silent())
        partly = syncline(house.root, "audit", "cosign")
        assert partly.returncode == 5
        assert "SYN908" in partly.stderr
        assert "not met" in partly.stdout
        policy.write_text(f"{north}{south}group one any {' '.join(names)}\nquorum one\n")
        assert syncline(house.root, "audit", "cosign").returncode == 0


def test_a_witness_of_a_private_authority(house, tmp_path, monkeypatch):
    """A witness that shows a certificate of a private authority cosigns once SYNCLINE_WITNESSES_CA names that."""
    authority = Authority(tmp_path / "pki")
    issued = authority.issue("localhost")
    issued.key.chmod(0o600)
    files = ("--tls-cert", str(issued.certificate), "--tls-key", str(issued.key))
    with witness(tmp_path / "north", "north.example/w1", log_key(house), *files) as (north, _):
        (house.root / "witnesses.policy").write_text(f"{north}quorum {north.split()[1]}\n")
        assert " https://127.0.0.1:" in north
        unknown = syncline(house.root, "audit", "cosign")
        monkeypatch.setenv("SYNCLINE_WITNESSES_CA", str(tmp_path / "none"))
        missing = syncline(house.root, "audit", "cosign")
        monkeypatch.setenv("SYNCLINE_WITNESSES_CA", str(authority.ca))
        known = syncline(house.root, "audit", "cosign")

    assert (unknown.returncode, missing.returncode, known.returncode) == (5, 1, 0)
    assert "certificate" in unknown.stderr
    assert "SYN432" in missing.stderr


@pytest.mark.slow
def test_a_witness_that_is_killed_remembers(house, tmp_path):
    """After SIGKILL a witness still refuses a log that was rolled back, and its log is told so."""
    policy = house.root / "witnesses.policy"
    shutil.copytree(house.audit, tmp_path / "older")
    workflow.run(house, FLOW, progress=Silent())
    with witness(tmp_path / "north", "north.example/w1", log_key(house)) as (north, process):
        policy.write_text(f"{north}quorum {north.split()[1]}\n")
        assert syncline(house.root, "audit", "cosign").returncode == 0
        process.kill()
        process.wait()
    shutil.rmtree(house.audit)
    shutil.copytree(tmp_path / "older", house.audit)

    with witness(tmp_path / "north", "north.example/w1", log_key(house)) as (north, _):
        policy.write_text(f"{north}quorum {north.split()[1]}\n")
        refused = syncline(house.root, "audit", "cosign")

    assert refused.returncode == 1
    assert "SYN907" in refused.stderr
    assert "went back" in refused.stderr


@pytest.mark.slow
def test_a_daemon_has_its_log_cosigned(tmp_path):
    """A daemon asks the witnesses by itself, and tells once when they can't be reached."""
    root = tmp_path / "home"
    root.mkdir()
    customers(root, 20)
    remote = Remote(tmp_path)
    key = FileSigner.create(tmp_path / "absent", "gone.example/w1")
    from syncline.audit.cosignature import cosigner

    (root / "witnesses.policy").write_text(f"witness gone {cosigner(key)} http://127.0.0.1:1\nquorum gone\n")
    commit = remote.push(UPSERT.texts)
    with serving(root, remote) as daemon:
        daemon.says("witnesses: SYN908")
        daemon.says(f"{commit[:12]} is applied")
        log = str(FileSigner.load(root / ".syncline" / "keys" / "audit.pem").verifier)
    with witness(tmp_path / "north", "north.example/w1", log) as (north, _):
        (root / "witnesses.policy").write_text(f"{north}quorum {north.split()[1]}\n")
        with serving(root, remote):
            until((root / ".syncline" / "audit" / "cosigned").exists)


@pytest.mark.parametrize("how", ["older", "deleted", "replaced"])
def test_a_log_that_is_not_the_newest_stops_everything(house, tmp_path, how):
    """Beside a newer state, a restored, a deleted and a replaced log keep runs and applies from doing anything, until
    somebody says why; the log has it in it then, and verifies.
    """
    signer = FileSigner.load(house.keys / "audit.pem")
    shutil.copytree(house.audit, tmp_path / "older")
    workflow.run(house, FLOW, progress=Silent())
    entries = len(audit_events(house))
    shutil.rmtree(house.audit)
    if how == "older":
        shutil.copytree(tmp_path / "older", house.audit)
    elif how == "replaced":
        forged = AuditLog.open(house.audit, signer, signer.verifier.name)
        forged.append_entries([b"{}"] * (entries + 5))

    for act in (lambda: workflow.run(house, FLOW, progress=Silent()), lambda: workflow.apply(house)):
        with pytest.raises(Stalled, match="replaced" if how == "replaced" else "older copy") as caught:
            act()
        assert caught.value.code == "SYN909"
    if how == "replaced":
        return
    resumed = syncline(house.root, "audit", "resume", "--reason", "the disk broke")
    assert resumed.returncode == 0, resumed.stderr
    workflow.run(house, FLOW, progress=Silent())
    (said,) = (e["unmapped"]["details"] for e in audit_events(house) if e["metadata"]["event_code"] == "audit.resume")
    assert (said["reason"], said["seen"]) == ("the disk broke", entries)
    assert audit_ok(house)
    again = syncline(house.root, "audit", "resume", "--reason", "x")
    assert (again.returncode, "lacks nothing" in again.stderr) == (1, True)


def test_a_log_that_is_ahead_of_the_state_goes_on(house, tmp_path):
    """A restored older state beside the newer log is no loss of evidence: the log goes on."""
    shutil.copy(house.home / "state.db", tmp_path / "state.db")
    workflow.run(house, FLOW, progress=Silent())
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (house.home / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "state.db", house.home / "state.db")

    workflow.apply(house)

    assert audit_ok(house)


def test_consistency_of_a_kept_checkpoint_is_proved(house, tmp_path):
    """A proof against a kept checkpoint is written; there is none against one of another history."""
    kept = tmp_path / "kept"
    shutil.copy(house.audit / "checkpoint", kept)
    workflow.run(house, FLOW, progress=Silent())
    proof = tmp_path / "now.consistency"

    done = syncline(house.root, "audit", "consistency", str(kept), "--out", str(proof))

    assert done.returncode == 0, done.stderr
    assert proof.read_text().startswith(f"old {kept.read_text().splitlines()[1]}\n")
    signer = FileSigner.load(house.keys / "audit.pem")
    forged = AuditLog.open(tmp_path / "forged", signer, signer.verifier.name)
    forged.append_entries([b"{}"] * 3)
    refused = syncline(house.root, "audit", "consistency", str(tmp_path / "forged" / "checkpoint"))
    assert (refused.returncode, "SYN910" in refused.stderr) == (1, True)


@pytest.mark.slow
def test_a_witness_follows_when_the_log_changes_its_key(house, tmp_path):
    """Told the first key only, it cosigns under the third; what the first key signs after that doesn't verify."""
    first = log_key(house)
    with witness(tmp_path / "north", "north.example/w1", first) as (line, _):
        (house.root / "witnesses.policy").write_text(f"log {first}\n{line}quorum {line.split()[1]}\n")
        assert syncline(house.root, "audit", "cosign").returncode == 0
        old = (house.keys / "audit.pem").read_bytes()
        for _ in range(2):
            assert syncline(house.root, "audit", "rotate").returncode == 0
            workflow.run(house, FLOW, progress=Silent())
        assert log_key(house) != first

        done = syncline(house.root, "audit", "cosign")
        assert (done.returncode, done.stderr) == (0, "")
        done = syncline(house.root, "audit", "verify", "--key", first, "-o", "json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["findings"]) == (0, [])

        # Whoever kept the first key signs the log with it again.
        path = tmp_path / "old.pem"
        path.write_bytes(old)
        path.chmod(0o600)
        signer = FileSigner.load(path)
        head = Checkpoint.parse((house.audit / "checkpoint").read_text().rpartition("\n\n")[0] + "\n")
        (house.audit / "checkpoint").write_bytes(checkpoints.sign(head, [signer]))
        assert syncline(house.root, "audit", "verify", "--key", first).returncode == 1
