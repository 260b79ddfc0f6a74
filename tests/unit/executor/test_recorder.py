"""The recorder: what threads bring while the log is written goes into it together, and nobody is told too early."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner
from syncline.executor.facilities import Recorder
from syncline.model.event import Action

ORIGIN = "example.com/log"


@pytest.fixture
def log(tmp_path):
    """An empty log."""
    return AuditLog.open(tmp_path / "log", FileSigner.create(tmp_path / "key.pem", ORIGIN), ORIGIN)


def test_every_event_of_every_thread_is_recorded_once(log):
    """Fifty threads bring two events each; the log has a hundred, each receipt covers its own."""
    recorder = Recorder(log, "tests")

    def bring(number):
        events = [recorder.event(Action.plan, number=number, half=half) for half in (1, 2)]
        return recorder.record(events)

    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(bring, range(50)))

    assert log.checkpoint()[0].size == 100
    assert all(receipt.end <= 100 for receipt in receipts)


def test_what_waits_goes_together(log, monkeypatch):
    """While one append is going on, all that arrives is appended by the next as one batch."""
    recorder = Recorder(log, "tests")
    sizes, entered, go = [], threading.Event(), threading.Event()
    append = log.append

    def slow(events):
        sizes.append(len(events))
        if len(sizes) == 1:
            entered.set()
            assert go.wait(10)
        return append(events)

    monkeypatch.setattr(log, "append", slow)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(recorder.record, [recorder.event(Action.plan)])
        assert entered.wait(10)
        others = [pool.submit(recorder.record, [recorder.event(Action.plan)]) for _ in range(5)]
        while len(recorder._queue) < 5:
            pass
        go.set()
        for future in (first, *others):
            future.result(10)

    assert sizes == [1, 5]


def test_a_log_that_cannot_be_written_tells_everybody(log, monkeypatch):
    """Nobody's events count as recorded when the append that should have held them failed."""
    recorder = Recorder(log, "tests")

    def fails(events):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log, "append", fails)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(recorder.record, [recorder.event(Action.plan)]) for _ in range(8)]
        errors = [future.exception(10) for future in futures]

    assert all(isinstance(error, OSError) for error in errors)
