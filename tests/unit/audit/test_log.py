from __future__ import annotations

import json
import multiprocessing
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
import rfc8785

from syncline.audit import checkpoint as checkpoints
from syncline.audit import tree
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log import AuditLog, encode_event
from syncline.audit.note import VerifierKey
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.model.errors import Invalid, Stalled
from syncline.model.event import Action, Event, from_ocsf, rfc3339
from tests.unit.audit.dying import Dies, dying

ORIGIN = "syncline.test/log"


def event(number: int = 0) -> Event:
    return Event(time="2026-01-02T03:04:05.678901Z", actor="ada", action=Action.plan, details={"number": number})


def _is_intact(log: AuditLog, signer: FileSigner) -> bool:
    return verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier]).ok


def test_what_was_appended_is_read_back(log: AuditLog, signer: FileSigner):
    """Events come back in order from their indexes, by a second reader too."""
    first = log.append([event(0), event(1)])
    second = log.append([event(2)])

    assert (first.start, first.end, second.start, second.end) == (0, 2, 2, 3)
    entries = list(AuditLog.open(log.directory, signer, ORIGIN).read())
    assert [from_ocsf(json.loads(entry)) for entry in entries] == [event(0), event(1), event(2)]
    assert list(log.read(1, 2)) == entries[1:2]
    assert list(log.read(3)) == []
    assert log.checkpoint() == (second.checkpoint, second.note)


def test_the_root_is_that_of_the_entries_at_every_size(log: AuditLog, signer: FileSigner):
    """Over batches of many sizes, across the borders of tiles, the signed root is the RFC 6962 root of all entries."""
    entries: list[bytes] = []
    for size in (1, 2, 250, 3, 1, 256, 255, 513, 1, 7, 1024):
        batch = [f"entry {len(entries) + number}".encode() for number in range(size)]
        entries += batch
        receipt = log.append_entries(batch)
        assert receipt.checkpoint.root == tree.root_of([tree.leaf_hash(entry) for entry in entries])

    assert list(log.read()) == entries
    assert list(log.read(200, 700)) == entries[200:700]
    assert _is_intact(log, signer)


def test_opening_for_each_batch_continues_the_log(log: AuditLog, signer: FileSigner):
    """A writer that opens the log anew for each batch makes the same log as one that keeps it open."""
    for number in range(300):
        AuditLog.open(log.directory, signer, ORIGIN).append([event(number)])

    assert [from_ocsf(json.loads(entry)).details["number"] for entry in log.read()] == list(range(300))
    assert _is_intact(log, signer)
    assert not (log.directory / "tile/0/000.p").exists()


def test_an_empty_batch_changes_nothing(log: AuditLog):
    """Appending nothing signs nothing."""
    before = log.checkpoint()

    assert log.append([]).start == 0
    assert log.checkpoint() == before


def test_an_entry_is_canonical_json():
    """The entry of an event is its OCSF form as RFC 8785 JSON: reading and writing it again gives the same bytes."""
    entry = encode_event(event())

    assert rfc8785.dumps(json.loads(entry)) == entry


def test_an_event_too_long_is_refused_before_the_log_is_touched(log: AuditLog):
    """An entry of more than 65,535 bytes is Invalid, and nothing of its batch is in the log."""
    long = Event(time=rfc3339(), actor="ada", action=Action.plan, details={"list": ["x" * 2_000] * 40})

    with pytest.raises(Invalid, match="65535"):
        log.append([event(), long])
    assert log.checkpoint()[0].size == 0


def test_two_open_logs_take_turns(log: AuditLog, signer: FileSigner):
    """A log that was moved on by another writer is continued from its new end."""
    other = AuditLog.open(log.directory, signer, ORIGIN)

    indexes = [(log if number % 2 else other).append([event(number)]).start for number in range(10)]

    assert indexes == list(range(10))
    assert _is_intact(log, signer)


def _append_many(directory: Path, key: Path, worker: int) -> None:
    log = AuditLog.open(directory, FileSigner.load(key), ORIGIN)
    for number in range(40):
        log.append_entries([f"{worker} {number}".encode()])


def test_processes_at_once_lose_nothing(log: AuditLog, signer: FileSigner, tmp_path: Path):
    """Four processes append at once; every entry is there once and in its writer's order, and the log verifies."""
    context = multiprocessing.get_context("spawn")
    key = tmp_path / "keys" / "audit"
    processes = [context.Process(target=_append_many, args=(log.directory, key, worker)) for worker in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    entries = [entry.decode().split() for entry in log.read()]
    for worker in range(4):
        assert [int(number) for who, number in entries if who == str(worker)] == list(range(40))
    assert [process.exitcode for process in processes] == [0] * 4
    assert _is_intact(log, signer)


def _run_until_crash(directory: Path, signer: FileSigner, die_at: int | None, calls: list[int]) -> list[bytes]:
    """Append three batches over a tile border; return the entries that were acknowledged."""
    acknowledged: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, calls, die_at)
        try:
            log = AuditLog.open(directory, signer, ORIGIN)
            for batch in ([b"a"] * 3, [b"b"] * 254, [b"c"]):
                log.append_entries(batch)
                acknowledged += batch
        except Dies:
            pass
    return acknowledged


def test_a_crash_at_any_system_call_loses_nothing_and_never_forks(tmp_path: Path, signer: FileSigner):
    """Killed at each call that changes the disk: what was acknowledged is there, what was signed is continued, the log
    verifies at once and after the next batch, which differs from the one that died.
    """
    calls = [0]
    _run_until_crash(tmp_path / "whole", signer, None, calls)

    for die_at in range(1, calls[0] + 1):
        directory = tmp_path / f"at{die_at}"
        acknowledged = _run_until_crash(directory, signer, die_at, [0])
        signed = None
        if (directory / "checkpoint").exists():
            found = verify(DirectoryFetcher(directory), ORIGIN, [signer.verifier])
            assert found.findings == (), die_at
            signed = found.checkpoint

        log = AuditLog.open(directory, signer, ORIGIN)
        entries = list(log.read())
        assert entries[: len(acknowledged)] == acknowledged, die_at
        log.append_entries([b"after"] * 300)

        after = verify(DirectoryFetcher(directory), ORIGIN, [signer.verifier], since=signed)
        assert after.findings == (), die_at
        assert list(log.read()) == entries + [b"after"] * 300


def test_all_of_a_batch_is_on_disk_before_its_checkpoint_counts(log: AuditLog, monkeypatch):
    """When a checkpoint gets its name, it, every new file and every folder with a new name were synced before."""
    before = set(log.directory.rglob("*"))
    opened: dict[int, str] = {}
    synced: set[str] = set()
    unsynced: list[set[str]] = []

    def opening(path, *args, _open=os.open, **kwargs):
        descriptor = _open(path, *args, **kwargs)
        opened[descriptor] = os.path.normpath(path)
        return descriptor

    def renaming(source, target, _rename=os.rename, **kwargs):
        new = set(log.directory.rglob("*")) - before
        files = {str(path) for path in new if path.is_file()}
        folders = {str(path.parent) for path in new if path.parent != log.directory}
        unsynced.append((files | folders) - synced)
        _rename(source, target, **kwargs)
        synced.clear()

    def syncing(descriptor, _fsync=os.fsync):
        _fsync(descriptor)
        synced.add(opened[descriptor])

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    log.append_entries([b"a"] * 300)

    assert unsynced == [set()]
    assert synced == {str(log.directory)}


def test_drafts_of_a_dead_writer_are_not_mistaken_for_the_log(log: AuditLog, signer: FileSigner, monkeypatch):
    """A later checkpoint that passes the size at which a batch died does not cover what it left behind."""

    def die(*_):
        raise Dies

    log.append_entries([b"a"] * 3)
    for died in (2, 400, 70_000):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "sign", die)
            with pytest.raises(Dies):
                log.append_entries([b"died"] * died)
        log.append_entries([b"b"] * 4)

        assert verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier]).findings == ()
    bundles = (
        path.relative_to(log.directory).as_posix() for path in (log.directory / "tile").rglob("*") if path.is_file()
    )
    names = [f"tile/{level}/000.p/{width}" for level in ("0", "entries") for width in (11, 15, 3, 7)]
    assert sorted(bundles) == names


def test_a_failed_batch_does_not_poison_the_open_log(log: AuditLog, signer: FileSigner, monkeypatch):
    """After an append that failed on a full disk, the same object appends correctly."""
    log.append([event(0)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(Stalled, match="cannot be written: No space left"):
            log.append([event(1)])

    assert log.append([event(2)]).start == 1
    assert _is_intact(log, signer)


def test_a_damaged_end_is_refused(log: AuditLog, signer: FileSigner):
    """A log whose last tile or bundle was changed is Stalled when it is opened, and nothing is added to it."""
    log.append([event(0), event(1)])
    for path in ("tile/0/000.p/2", "tile/entries/000.p/2", "checkpoint"):
        file = log.directory / path
        data = file.read_bytes()
        file.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        with pytest.raises(Stalled):
            AuditLog.open(log.directory, signer, ORIGIN)
        file.write_bytes(data)
    (log.directory / "tile/0/000.p/2").unlink()
    with pytest.raises(Stalled, match="lacks tile/0/000.p/2"):
        AuditLog.open(log.directory, signer, ORIGIN)


def test_a_lost_checkpoint_is_not_replaced_by_an_empty_one(log: AuditLog, signer: FileSigner):
    """Starting anew over old entries would fork the log: it is refused."""
    log.append([event(0)])
    (log.directory / "checkpoint").unlink()

    with pytest.raises(Stalled, match="no checkpoint"):
        AuditLog.open(log.directory, signer, ORIGIN)


def test_another_key_or_origin_cannot_continue_a_log(log: AuditLog, signer: FileSigner, tmp_path: Path):
    """A log is continued by its own key and under its own name only."""
    other = FileSigner.create(tmp_path / "other", ORIGIN)
    for key, origin in ((other, ORIGIN), (signer, "syncline.test/other")):
        with pytest.raises(Stalled, match="not valid"):
            AuditLog.open(log.directory, key, origin)


def test_appending_is_quick(log: AuditLog, signer: FileSigner, tmp_path: Path):
    """Opening a log and appending to it takes about as much work after 10,000 entries as after a few (best of ten)."""
    small = AuditLog.open(tmp_path / "small", signer, ORIGIN)
    small.append([event(number) for number in range(16)])
    log.append([event(number) for number in range(10_000)])  # 39 full bundles of 256, and 16 in the next
    work: dict[Path, list[float]] = {small.directory: [], log.directory: []}
    for _ in range(10):
        for directory, times in work.items():
            begin = time.process_time()
            AuditLog.open(directory, signer, ORIGIN).append([event()] * 5)
            times.append(time.process_time() - begin)

    assert min(work[log.directory]) < 5 * min(work[small.directory])


# --- the key ---------------------------------------------------------------------------------------------------------


def test_a_key_file_is_private_and_is_not_replaced(tmp_path: Path):
    """A new key has mode 0600, loads as the same key, and is never overwritten."""
    path = tmp_path / "deep" / "key"
    made = FileSigner.create(path, "example.com/log")

    assert path.stat().st_mode & 0o777 == 0o600
    assert FileSigner.load(path).verifier == made.verifier == FileSigner.open(path, "ignored").verifier
    with pytest.raises(Stalled, match="already exists"):
        FileSigner.create(path, "example.com/log")
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_a_key_that_is_open_missing_or_damaged_is_refused(tmp_path: Path):
    """The key is refused with the reason, and its content is never in the message."""
    path = tmp_path / "key"
    with pytest.raises(Stalled, match="cannot be read"):
        FileSigner.load(path)
    made = FileSigner.create(path, "example.com/log")
    path.chmod(0o640)
    with pytest.raises(Stalled, match="0640"):
        FileSigner.load(path)
    path.chmod(0o600)
    pem = path.read_text().splitlines()[2]
    path.write_text(path.read_text().replace("BEGIN", "BEGUN"))
    with pytest.raises(Stalled, match="damaged") as caught:
        FileSigner.load(path)
    assert pem not in str(caught.value)
    assert "private" not in repr(made).lower()


class _Counting:
    """A signer that counts; it also shows that any signer will do."""

    def __init__(self, signer: FileSigner) -> None:
        self._signer = signer
        self.count = 0

    @property
    def verifier(self) -> VerifierKey:
        return self._signer.verifier

    def sign(self, message: bytes) -> bytes:
        self.count += 1
        return self._signer.sign(message)


def test_a_batch_is_signed_once(tmp_path: Path, signer: FileSigner):
    """A thousand events in one batch cost one signature."""
    counting = _Counting(signer)
    log = AuditLog.open(tmp_path / "log", counting, ORIGIN)
    before = counting.count

    log.append([event(number) for number in range(1_000)])

    assert counting.count == before + 1


def test_sizes_grow_by_what_was_appended(log: AuditLog):
    """Receipts of successive batches join without a gap."""
    receipts = [log.append([event()] * count) for count in (1, 4, 2)]

    assert all(a.end == b.start for a, b in pairwise(receipts))
