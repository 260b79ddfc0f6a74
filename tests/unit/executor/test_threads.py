"""Threads that runs borrow: in order, one at a time, and used again."""

import threading
import time
from functools import partial

import pytest

from syncline.executor.batches import threads
from syncline.executor.batches.threads import borrow


@pytest.fixture(autouse=True)
def none_idle(monkeypatch):
    monkeypatch.setattr(threads, "_idle", [])


def test_work_is_done_in_order_by_one_thread():
    """Everything submitted to a borrowed thread runs there, one after another."""
    thread, seen = borrow("mine"), []

    def note(number):
        seen.append((number, threading.current_thread()))

    for number in range(20):
        thread.submit(partial(note, number))
    thread.submit(lambda: None).result(timeout=5)
    assert [number for number, _ in seen] == list(range(20))
    assert len({where for _, where in seen}) == 1
    assert seen[0][1].name == "mine"
    thread.give_back()


def test_what_raises_is_in_the_future_and_the_thread_goes_on():
    """An error of what was submitted is its own, also one that isn't an `Exception`."""
    thread = borrow("mine")
    failed = thread.submit(lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        failed.result(timeout=5)
    assert thread.submit(lambda: 7).result(timeout=5) == 7
    thread.give_back()


def test_a_thread_is_lent_again_only_after_its_last_work():
    """Given back with work left, a thread is idle when that is done, and not before."""
    thread, hold = borrow("first"), threading.Event()
    last = thread.submit(lambda: hold.wait(10))
    thread.give_back()
    other = borrow("second")
    assert other is not thread
    hold.set()
    last.result(timeout=5)
    until = time.monotonic() + 5
    while thread not in threads._idle and time.monotonic() < until:
        time.sleep(0.001)
    assert borrow("third") is thread
    thread.give_back()
    other.give_back()


def test_only_some_idle_threads_are_kept(monkeypatch):
    """Threads beyond the bound end when they are given back."""
    monkeypatch.setattr(threads, "KEPT", 1)
    monkeypatch.setattr(threads, "_idle", [])
    lent = [borrow(f"thread-{number}") for number in range(3)]
    for thread in lent:
        thread.give_back()
    until = time.monotonic() + 5
    while sum(t._thread.is_alive() for t in lent) > 1 and time.monotonic() < until:
        time.sleep(0.001)
    # One that an earlier test left behind may come back just now, and be the one that is kept.
    (kept,) = threads._idle
    assert [t for t in lent if t._thread.is_alive()] == [t for t in lent if t is kept]
