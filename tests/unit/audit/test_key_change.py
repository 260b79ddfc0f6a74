"""Changes of the key that signs a log: each is signed by both keys, and whoever trusts one key finds the others."""

from __future__ import annotations

import base64
import io
import json
import runpy
import shutil
import subprocess
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncline.audit import attestation, cosigning, dsse, key_change, offline_verifier, tiles, tree, witness_policy
from syncline.audit import checkpoint as checkpoints
from syncline.audit.add_checkpoint import Submission
from syncline.audit.canonical_json import dumps
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.cosignature import cosigner
from syncline.audit.export import export
from syncline.audit.fetch import DirectoryFetcher, node_reader
from syncline.audit.key_change import KeyChange
from syncline.audit.log import AuditLog
from syncline.audit.malformed import Malformed
from syncline.audit.prove import prove_consistency, prove_history
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.audit.witness import Witness
from syncline.model.errors import Stalled
from syncline.tenancy.archive import writing

ORIGIN = "syncline.test/log"


@pytest.fixture
def others(tmp_path: Path) -> list[FileSigner]:
    """Three more keys of the same log."""
    return [FileSigner.create(tmp_path / "keys" / f"other{n}", ORIGIN) for n in range(3)]


def entry(change: KeyChange) -> bytes:
    """The entry of a change, with what verifiers look at in it."""
    return dumps({"metadata": {"event_code": "key.rotate"}, "unmapped": {"details": dict(change.details)}})


def grow(log: AuditLog, count: int = 3) -> Checkpoint:
    start = log.checkpoint()[0].size
    return log.append_entries([b'{"entry":%d}' % (start + n) for n in range(count)]).checkpoint


def ok(log: AuditLog, signer: FileSigner) -> bool:
    return verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier]).ok


def unpacked(log: AuditLog, key: FileSigner, folder: Path) -> Path:
    """An evidence bundle of the log, unpacked."""
    path = folder.with_suffix(".zip")
    with path.open("wb") as out:
        export(DirectoryFetcher(log.directory), key.verifier, out, [0, 1])
    with zipfile.ZipFile(path) as found:
        found.extractall(folder)
    return folder


def script(path: Path, *arguments: str, verifier: Path | None = None) -> subprocess.CompletedProcess:
    """What the script of a bundle does; in this process, since `test_prove.py` shows that it needs nothing of it."""
    main = runpy.run_path(str(verifier or path / "verify.py"))["main"]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main([str(path), *arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_whoever_trusts_any_key_of_a_log_verifies_it(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """After two changes, both verifiers take the first key, the second and the third; a fourth is refused."""
    grow(log)
    log.change_signer(others[0], entry)
    grow(log, 300)
    log.change_signer(others[1], entry)
    grow(log)

    folder = unpacked(log, others[1], tmp_path / "bundle")
    for key in (signer, *others[:2]):
        assert ok(log, key)
        done = script(folder, "--key", str(key.verifier))
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 keys one after the other" in done.stdout
    assert not ok(log, others[2])
    assert script(folder, "--key", str(others[2].verifier)).returncode == 1


def test_checkpoints_and_proofs_of_former_keys_still_count(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """A kept checkpoint and a consistency proof verify across a change, with the former key and with the new one."""
    kept = tmp_path / "kept"
    grow(log)
    kept.write_bytes(log.checkpoint()[1])
    change = log.change_signer(others[0], entry)
    assert change.end == 4
    grow(log)

    fetcher = DirectoryFetcher(log.directory)
    found = key_change.history_of(fetcher, [signer.verifier])
    old = found.verify(kept.read_bytes(), ORIGIN)
    assert verify(fetcher, ORIGIN, [others[0].verifier], old).ok
    folder = unpacked(log, others[0], tmp_path / "bundle")
    assert script(folder, "--key", str(signer.verifier), "--since", str(kept)).returncode == 0

    proof, changes = tmp_path / "a.consistency", tmp_path / "changes.json"
    proof.write_bytes(prove_consistency(fetcher, others[0].verifier, old)[1].encode())
    changes.write_text(json.dumps([change.note.decode() for change in found.changes]))
    more = ("--since", str(kept), "--changes", str(changes))
    for key in (signer, others[0]):
        done = script(proof, "--key", str(key.verifier), *more, verifier=folder / "verify.py")
        assert (done.returncode, done.stderr) == (0, "")
        assert "not proved" not in done.stdout  # the kept checkpoint is that of the change
    assert script(proof, "--key", str(signer.verifier), *more[:2], verifier=folder / "verify.py").returncode == 1


def forged(log: AuditLog, signer: FileSigner, other: FileSigner, note: bytes) -> None:
    """A change that isn't as it should be, in a log that goes on with the other key all the same."""
    log.change_signer(other, lambda change: entry(replace(change, note=note)))


def test_a_change_that_the_former_key_did_not_sign_is_refused(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """Signed by the next key alone, by a stranger, or twice by the next: both verifiers refuse, whichever is trusted."""
    head = grow(log)
    line = f"{key_change.PREFIX} {signer.verifier} {others[0].verifier}"
    marked = Checkpoint(head.origin, head.size, head.root, (line,))
    for number, signers in enumerate(([others[0]], [others[0], others[1]], [others[0], others[0]])):
        copy = AuditLog(Path(shutil.copytree(log.directory, tmp_path / f"copy{number}")), signer, ORIGIN)
        forged(copy, signer, others[0], checkpoints.sign(marked, signers))
        grow(copy)
        folder = unpacked(copy, others[0], tmp_path / f"bundle{number}")
        for trusted in (signer, others[0]):
            assert not ok(copy, trusted)
            done = script(folder, "--key", str(trusted.verifier))
            assert done.returncode == 1
            assert done.stderr.startswith("NOT VERIFIED")


def test_a_change_of_another_log_or_place_is_refused(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """A true change, moved to another place or into another history, is refused by both verifiers."""
    grow(log)
    true = key_change.sign(log.checkpoint()[0], signer, others[0]).note
    for name, before in (("later", b'{"more":1}'), ("fork", None)):
        copy = AuditLog.open(tmp_path / name, signer, ORIGIN)
        copy.append_entries([*log.read(), before] if before else [b"x", b"y", b"z"])
        forged(copy, signer, others[0], true)
        folder = unpacked(copy, others[0], tmp_path / f"{name}.bundle")
        for trusted in (signer, others[0]):
            assert not ok(copy, trusted)
            assert script(folder, "--key", str(trusted.verifier)).returncode == 1


def test_a_former_key_signs_nothing_after_the_change(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """Whoever has the former key can't sign the log any more: a checkpoint by it is refused by both verifiers."""
    grow(log)
    log.change_signer(others[0], entry)
    head = grow(log)

    (log.directory / "checkpoint").write_bytes(checkpoints.sign(head, [signer]))

    folder = unpacked(log, others[0], tmp_path / "bundle")
    for trusted in (signer, others[0]):
        assert not ok(log, trusted)
        assert script(folder, "--key", str(trusted.verifier)).returncode == 1


def test_no_byte_of_a_change_can_be_another(log: AuditLog, signer: FileSigner, others: list[FileSigner]):
    """Each flipped byte of a change makes it none: it doesn't parse, or isn't signed by both."""
    grow(log)
    note = key_change.sign(log.checkpoint()[0], signer, others[0]).note
    for at in range(len(note)):
        changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        with pytest.raises(Malformed):
            key_change.parse(changed)


def test_an_open_log_takes_up_the_key_of_another_process(log: AuditLog, signer: FileSigner, others: list[FileSigner]):
    """Whoever had the log open goes on with the new key when told how to find it, and stops when not."""
    grow(log)
    follows = AuditLog.open(log.directory, signer, ORIGIN, lambda: others[0])
    stays = AuditLog.open(log.directory, signer, ORIGIN)

    log.change_signer(others[0], entry)

    assert grow(follows).size == 7
    assert grow(log).size == 10
    with pytest.raises(Stalled):
        grow(stays)
    assert ok(log, signer)


def fork(log: AuditLog, signer: FileSigner, other: FileSigner, folder: Path) -> AuditLog:
    """What the next key alone can make: another past, the true change of keys, and what comes after it."""
    true = key_change.sign(log.checkpoint()[0], signer, other).note
    made = AuditLog.open(folder, signer, ORIGIN)
    made.append_entries([b'{"forged":%d}' % n for n in range(log.checkpoint()[0].size)])
    forged(made, signer, other, true)
    return made


def part_of(log: AuditLog, key: FileSigner, folder: Path) -> Path:
    """What is exported of one party: of these logs, every change of keys."""
    fetcher, size = DirectoryFetcher(log.directory), log.checkpoint()[0].size
    nodes = node_reader(fetcher, size)
    lines = [
        {
            "index": index,
            "entry": data.decode(),
            "steps": [base64.b64encode(step).decode() for step in tree.prove_inclusion(index, size, nodes)],
        }
        for index, data in enumerate(log.read())
        if b"unmapped" in data
    ]
    script = Path(key_change.__file__).with_name("offline_verifier.py")
    with writing(folder.with_suffix(".zip"), ()) as archive:
        archive.write("verify.py", [script.read_bytes()])
        archive.write("audit/checkpoint", [fetcher.fetch(tiles.CHECKPOINT)])
        archive.lines("audit/entries.jsonl", iter(lines))
        archive.sign("urn:test", {}, key)
    with zipfile.ZipFile(folder.with_suffix(".zip")) as found:
        found.extractall(folder)
    return folder


@pytest.mark.parametrize("size", [1, 3, 4, 7, 300])
def test_the_next_key_alone_makes_no_other_past_in_part_of_a_log(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path, size: int
):
    """
    A part with the true change verifies with either key; one with another past before the true change is refused, also
    by who makes attestations and certificates (`history_of`).
    """
    grow(log, size)
    false = fork(log, signer, others[0], tmp_path / "fork")
    log.change_signer(others[0], entry)
    grow(log)
    grow(false)

    true_part = part_of(log, others[0], tmp_path / "true")
    false_part = part_of(false, others[0], tmp_path / "false")

    for trusted in (signer, others[0]):
        done = script(true_part, "--key", str(trusted.verifier))
        assert (done.returncode, done.stderr) == (0, "")
        done = script(false_part, "--key", str(trusted.verifier))
        assert (done.returncode, "is of another log" in done.stderr) == (1, True)
        assert len(key_change.history_of(DirectoryFetcher(log.directory), [trusted.verifier]).changes) == 1
        with pytest.raises(Malformed, match="another log"):
            key_change.history_of(DirectoryFetcher(false.directory), [trusted.verifier])


def test_evidence_from_before_a_change_verifies_with_the_key_after_it(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """A whole log, a part and a lone envelope, made by the former key: with the changes, the new key's holder has them."""
    grow(log)
    folders = [unpacked(log, signer, tmp_path / "whole"), part_of(log, signer, tmp_path / "part")]
    lone = tmp_path / "lone.dsse.json"
    statement = {"_type": attestation.STATEMENT, "subject": [], "predicateType": "urn:test", "predicate": {}}
    lone.write_bytes(dsse.sign(attestation.PAYLOAD, attestation.encode(statement), signer).encode())
    change = key_change.sign(log.checkpoint()[0], signer, others[0]).note
    early = key_change.sign(Checkpoint(ORIGIN, 2, bytes(32)), signer, others[0]).note
    strange = key_change.sign(log.checkpoint()[0], others[1], others[0]).note
    verifier = folders[0] / "verify.py"
    results = []
    for number, note in enumerate((change, early, strange)):
        changes = tmp_path / f"changes{number}.json"
        changes.write_text(json.dumps([note.decode()]))
        more = ("--key", str(others[0].verifier), "--changes", str(changes))
        results.append([script(path, *more, verifier=verifier).returncode for path in (*folders, lone)])

    assert results == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert script(lone, "--key", str(others[0].verifier), verifier=verifier).returncode == 1


def test_a_single_file_proves_nothing_of_the_time_before_a_change(
    log: AuditLog, signer: FileSigner, others: list[FileSigner]
):
    """An entry from before a change, proved by the next key alone, is refused, unless that key is trusted itself."""
    grow(log)
    note = key_change.sign(log.checkpoint()[0], signer, others[0]).note
    by_former = offline_verifier.Keys(offline_verifier.Key(str(signer.verifier)), [note])
    by_next = offline_verifier.Keys(offline_verifier.Key(str(others[0].verifier)), [note])

    with pytest.raises(offline_verifier.Refused, match="entry 2 is from before the change"):
        by_former.check_alone(2, 9)
    by_former.check_alone(2, 3)
    by_former.check_alone(3, 9)
    by_next.check_alone(2, 9)


class Asks:
    """Posts to a witness in this process."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    def __call__(self, url: str, body: bytes) -> tuple[int, bytes]:
        found = self.witness.add_checkpoint(body)
        return found.status, found.body


def test_a_witness_follows_a_change_of_keys(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """
    A witness that was told the first key takes the change, then the log under the next key; what the former key signs
    from then on is refused, also by a witness that begins anew from its records.
    """
    own = FileSigner.create(tmp_path / "own", "witness.example/w1")

    def witness() -> Asks:
        return Asks(Witness(tmp_path / "seen", own, [signer.verifier]))

    line = f"witness w1 {cosigner(own)} https://w1.example\nquorum w1\n"
    policy, fetcher = witness_policy.parse(line.encode()), DirectoryFetcher(log.directory)
    grow(log)
    assert cosigning.cosign(fetcher, signer.verifier, policy, witness()).met
    log.change_signer(others[0], entry)
    grow(log)
    log.change_signer(others[1], entry)
    grow(log)

    found = cosigning.cosign(fetcher, others[1].verifier, policy, witness())

    assert found.met
    cosigning.keep(log.directory, found)
    assert verify(fetcher, ORIGIN, [signer.verifier], policy=policy).cosigned.size == log.checkpoint()[0].size
    head = grow(log)
    for former in (signer, others[0]):
        steps = prove_history(fetcher, found.checkpoint, head)
        body = Submission(found.checkpoint.size, tuple(steps), checkpoints.sign(head, [former])).encode()
        assert witness()("", body)[0] == 403


def test_a_witness_takes_no_change_that_the_former_key_did_not_sign(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """A stranger's change is refused (403), as is a second change from a key that was changed already."""
    own = FileSigner.create(tmp_path / "own", "witness.example/w1")
    witness = Witness(tmp_path / "seen", own, [signer.verifier])
    head = grow(log)

    strange = key_change.sign(head, others[1], others[2])
    true, second = key_change.sign(head, signer, others[0]), key_change.sign(head, signer, others[1])

    assert witness.add_checkpoint(Submission(0, (), strange.note).encode()).status == 403
    assert witness.add_checkpoint(Submission(0, (), true.note).encode()).status == 200
    again = Submission(head.size, (), second.note).encode()
    assert witness.add_checkpoint(again).status == 403
    assert witness.add_checkpoint(Submission(head.size, (), true.note).encode()).status == 200


def test_a_damaged_record_of_keys_is_no_licence_to_take_the_former(
    log: AuditLog, signer: FileSigner, others: list[FileSigner], tmp_path: Path
):
    """A witness whose record of a log's keys is damaged cosigns nothing of that log."""
    own = FileSigner.create(tmp_path / "own", "witness.example/w1")
    witness = Witness(tmp_path / "seen", own, [signer.verifier])
    head = grow(log)
    note = key_change.sign(head, signer, others[0]).note
    assert witness.add_checkpoint(Submission(0, (), note).encode()).status == 200
    (record,) = (tmp_path / "seen").glob("*.keys")
    record.write_bytes(base64.b64encode(note[:-9]) + b"\n")

    assert witness.add_checkpoint(Submission(head.size, (), note).encode()).status == 500
