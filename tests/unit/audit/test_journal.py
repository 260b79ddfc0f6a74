"""The journal: durable at once, in the log once and only once, whatever dies in between."""

from __future__ import annotations

import fcntl
import multiprocessing
from pathlib import Path

import pytest

from syncline.audit import waiting
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.journal import NAME, Journal
from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.model.errors import Again, Stalled
from tests.unit.audit.dying import Dies, dying

ORIGIN = "syncline.test/log"


@pytest.fixture
def journal(log: AuditLog):
    """A journal of an empty log."""
    made = Journal(log)
    yield made
    made.close()


def _is_intact(log: AuditLog, signer: FileSigner) -> bool:
    return verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier]).ok


def test_what_is_appended_is_published_in_order(journal: Journal, log: AuditLog, signer: FileSigner):
    """Batches come into the log as they were appended, under one checkpoint; then the journal is empty."""
    journal.append([b"a", b"b"])
    journal.append([b"c"])
    assert log.checkpoint()[0].size == 0

    journal.publish()

    assert list(log.read()) == [b"a", b"b", b"c"]
    assert journal.pending() == 0
    journal.append([b"d"])
    journal.publish()
    assert list(log.read()) == [b"a", b"b", b"c", b"d"]
    assert _is_intact(log, signer)


def test_publishing_nothing_signs_nothing(journal: Journal, log: AuditLog):
    """An empty journal leaves the log as it is."""
    before = log.checkpoint()
    journal.publish()
    assert log.checkpoint() == before


def test_journals_of_two_processes_take_turns(journal: Journal, log: AuditLog, signer: FileSigner):
    """Each finds the end that the other left, and whoever publishes publishes both."""
    other = Journal(AuditLog.open(log.directory, signer, ORIGIN))
    for number in range(20):
        (journal if number % 2 else other).append([str(number).encode()])
        if number % 7 == 6:
            (other if number % 2 else journal).publish()
    other.publish()
    other.close()

    assert [int(entry) for entry in log.read()] == list(range(20))
    assert _is_intact(log, signer)


def _append_many(directory: Path, key: Path, worker: int) -> None:
    journal = Journal(AuditLog.open(directory, FileSigner.load(key), ORIGIN))
    for number in range(60):
        journal.append([f"{worker} {number}".encode()])
        if number % 9 == worker:
            journal.publish()
    journal.close()


def test_processes_at_once_lose_nothing(journal: Journal, log: AuditLog, signer: FileSigner, tmp_path: Path):
    """Four processes append and publish at once; every entry is in the log once, in its writer's order."""
    context = multiprocessing.get_context("spawn")
    key = tmp_path / "keys" / "audit"
    processes = [context.Process(target=_append_many, args=(log.directory, key, worker)) for worker in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    journal.publish()

    entries = [entry.decode().split() for entry in log.read()]
    for worker in range(4):
        assert [int(number) for who, number in entries if who == str(worker)] == list(range(60))
    assert [process.exitcode for process in processes] == [0] * 4
    assert _is_intact(log, signer)


def _run_until_crash(directory: Path, signer: FileSigner, die_at: int | None, calls: list[int]) -> list[bytes]:
    """Append, publish, append, publish, append; return the entries that were acknowledged."""
    acknowledged: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        log = AuditLog.open(directory, signer, ORIGIN)
        dying(patch, calls, die_at)
        try:
            journal = Journal(log)
            for batch in ([b"a"] * 2, [b"b"], None, [b"c"] * 254, None, [b"d"]):
                if batch is None:
                    journal.publish()
                else:
                    journal.append(batch)
                    acknowledged += batch
        except Dies:
            pass
    return acknowledged


def test_a_crash_at_any_system_call_loses_and_doubles_nothing(tmp_path: Path, signer: FileSigner):
    """Killed at each call that changes the disk: after the next process everything acknowledged is in the log once,
    what died unacknowledged is there once or not at all, and the log verifies as a continuation of what was signed.
    """
    calls = [0]
    _run_until_crash(tmp_path / "whole", signer, None, calls)
    assert calls[0] > 40

    for die_at in range(1, calls[0] + 1):
        directory = tmp_path / f"at{die_at}"
        acknowledged = _run_until_crash(directory, signer, die_at, [0])
        signed = verify(DirectoryFetcher(directory), ORIGIN, [signer.verifier])
        assert signed.findings == (), die_at

        log = AuditLog.open(directory, signer, ORIGIN)
        journal = Journal(log)
        journal.append([b"after"])
        journal.publish()
        journal.close()

        entries = list(log.read())
        assert entries[: len(acknowledged)] == acknowledged, die_at
        left = entries[len(acknowledged) : -1]
        assert left in ([], [b"a"] * 2, [b"b"], [b"c"] * 254, [b"d"]), die_at
        assert entries[-1] == b"after"
        after = verify(DirectoryFetcher(directory), ORIGIN, [signer.verifier], since=signed.checkpoint)
        assert after.findings == (), die_at


def test_a_changed_record_is_told_and_not_dropped(journal: Journal, log: AuditLog):
    """A flipped byte in any whole record is Stalled: only the half record of a dead writer may go silently."""
    journal.append([b"first"])
    journal.append([b"second"])
    path = log.directory / NAME
    data = path.read_bytes()
    for at in (len(data) - 1, 60):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Stalled, match="journal .* damaged"):
            journal.publish()
    path.write_bytes(data)
    journal.publish()
    assert list(log.read()) == [b"first", b"second"]


def test_a_journal_of_another_log_is_refused(journal: Journal, log: AuditLog):
    """One that begins where the log is not is never published."""
    log.append_entries([b"x"])
    journal.append([b"first"])
    log.append_entries([b"y"] * 5)

    with pytest.raises(Stalled, match="begins with entry 1, and the log has 6"):
        journal.publish()


def test_a_deleted_journal_is_made_again(journal: Journal, log: AuditLog):
    """What is appended after the file was deleted isn't written to a file without a name."""
    journal.append([b"gone"])
    (log.directory / NAME).unlink()
    journal.append([b"kept"])
    journal.publish()

    assert list(log.read()) == [b"kept"]


def test_readers_of_the_log_pass_over_it(journal: Journal, log: AuditLog, signer: FileSigner):
    """A journal with something in it is no finding: the log is what is signed."""
    log.append_entries([b"x"])
    journal.append([b"soon"])

    assert _is_intact(log, signer)
    assert (log.directory / NAME).stat().st_mode & 0o777 == 0o600


def test_a_log_that_somebody_holds_for_too_long_is_not_waited_for(tmp_path, monkeypatch):
    """A process that was stopped while it wrote keeps its lock; others are told so in time, and don't hang."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)
    path = tmp_path / "lock"
    with path.open("w") as stopped, path.open("w") as other:
        waiting.lock(stopped.fileno(), "the audit log")
        with pytest.raises(Again, match="has held the audit log for") as caught:
            waiting.lock(other.fileno(), "the audit log")
        assert caught.value.code == "SYN683"
        fcntl.flock(stopped.fileno(), fcntl.LOCK_UN)
        waiting.lock(other.fileno(), "the audit log")
