"""The recorder: what threads bring while the journal is written goes into it together, and nobody is told too early."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.journal import NAME
from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.executor.services import recorder as recorders
from syncline.executor.services.recorder import Recorder, publish_pending
from syncline.model.errors import Stalled
from syncline.model.event import Action

ORIGIN = "example.com/log"


@pytest.fixture
def signer(tmp_path):
    """The log's key."""
    return FileSigner.create(tmp_path / "key.pem", ORIGIN)


@pytest.fixture
def log(tmp_path, signer):
    """An empty log."""
    return AuditLog.open(tmp_path / "log", signer, ORIGIN)


@pytest.fixture
def recorder(log):
    """A recorder that is left open by whoever doesn't close it, as by a process that was killed."""
    made = Recorder(log, "tests")
    yield made
    made.close()


def test_every_event_of_every_thread_is_recorded_once(log, signer):
    """Fifty threads bring two events each; once it is closed, the log has a hundred, and verifies."""
    recorder = Recorder(log, "tests")

    def bring(number):
        recorder.record([recorder.event(Action.plan, number=number, half=half) for half in (1, 2)])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(bring, range(50)))
    recorder.close()

    found = verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier])
    assert (found.ok, found.checkpoint.size) == (True, 100)
    assert (log.directory / NAME).stat().st_size == 0


def test_what_waits_goes_together(recorder, monkeypatch):
    """While one append is going on, all that arrives is appended by the next as one batch."""
    sizes, entered, go = [], threading.Event(), threading.Event()
    append = recorder._journal.append

    def slow(entries):
        sizes.append(len(entries))
        if len(sizes) == 1:
            entered.set()
            assert go.wait(120)
        return append(entries)

    monkeypatch.setattr(recorder._journal, "append", slow)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(recorder.record, [recorder.event(Action.plan)])
        assert entered.wait(120)
        others = [pool.submit(recorder.record, [recorder.event(Action.plan)]) for _ in range(5)]
        while len(recorder._queue) < 5:
            time.sleep(0.001)
        go.set()
        for future in (first, *others):
            future.result(120)

    assert sizes == [1, 5]


def test_a_journal_that_cannot_be_written_tells_everybody(recorder, log, monkeypatch):
    """Nobody's events count as recorded when the append that should have held them failed, and none of them is."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(recorder.record, [recorder.event(Action.plan)]) for _ in range(8)]
            errors = [future.exception(120) for future in futures]

    assert all(isinstance(error, Stalled) and "No space left" in str(error) for error in errors)
    recorder.record([recorder.event(Action.plan)])
    recorder.close()
    assert log.checkpoint()[0].size == 1


def test_what_is_recorded_is_signed_within_moments(recorder, log, monkeypatch):
    """Without anybody closing or asking, events come into the log by themselves, and the thread that does it ends."""
    monkeypatch.setattr(recorders, "PUBLISH_EVERY", 0.05)
    recorder.record([recorder.event(Action.plan)])
    assert log.checkpoint()[0].size == 0

    until = time.monotonic() + 120
    while recorder._publisher is not None and time.monotonic() < until:
        time.sleep(0.01)

    assert log.checkpoint()[0].size == 1
    assert recorder._publisher is None


def test_what_a_killed_process_recorded_is_published_by_the_next(recorder, log, tmp_path):
    """Events that were recorded and not yet signed are in the log once somebody opens it again, in order, once."""
    for number in range(3):
        recorder.record([recorder.event(Action.plan, number=number)])
    assert log.checkpoint()[0].size == 0

    publish_pending(log.directory, lambda: FileSigner.load(tmp_path / "key.pem"))
    Recorder(log, "next").close()

    assert log.checkpoint()[0].size == 3


def test_a_long_journal_is_published_before_it_grows(recorder, log, monkeypatch):
    """Whoever records much doesn't leave more in the journal than the bound."""
    monkeypatch.setattr(recorders, "PUBLISH_BYTES", 1_000)
    for _ in range(10):
        recorder.record([recorder.event(Action.plan)])

    assert recorder._journal.pending() < 3_000
    assert log.checkpoint()[0].size > 0


class Unplugged:
    """A signer that may be out of reach, as one in an HSM."""

    def __init__(self, signer: FileSigner) -> None:
        self.verifier = signer.verifier
        self.there = True
        self._signer = signer

    def sign(self, message: bytes) -> bytes:
        if not self.there:
            raise Stalled("the token isn't there", code="SYN821")
        return self._signer.sign(message)


def test_once_the_key_is_out_of_reach_nothing_is_recorded(tmp_path, monkeypatch):
    """From the first signature that fails, evidence is refused, so that whoever needs it stops; once it is back, what
    was recorded before is signed and recording goes on.
    """
    monkeypatch.setattr(recorders, "PUBLISH_EVERY", 0.05)
    key = Unplugged(FileSigner.create(tmp_path / "key.pem", ORIGIN))
    log = AuditLog.open(tmp_path / "log", key, ORIGIN)
    recorder = Recorder(log, "tests")
    key.there = False
    recorder.record([recorder.event(Action.plan)])
    until = time.monotonic() + 120
    while recorder._publisher is not None and time.monotonic() < until:
        time.sleep(0.01)

    with pytest.raises(Stalled) as caught:
        recorder.record([recorder.event(Action.plan)])
    assert caught.value.code == "SYN821"

    key.there = True
    recorder.record([recorder.event(Action.plan)])
    recorder.close()
    assert log.checkpoint()[0].size == 2
