"""Tests of how `syncline serve` hears of signals: in order, whatever the main thread holds when one comes."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from syncline.cli.commands.stopping import stopping


def given_back(number, handler):
    """Waits for the handler to have run: the event may be set by the thread before the main thread comes to it."""
    until = time.monotonic() + 30
    while signal.getsignal(number) is not handler:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_signal_sets_the_event_and_wakes():
    """SIGTERM is heard by a thread, which sets the event; the handlers of before are back at the end."""
    awake = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    with stopping(awake.set) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(30)
        assert awake.wait(30)
        given_back(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_while_the_events_lock_is_held_does_not_hang():
    """The main thread may be just inside the event: a handler that set it would wait for itself for ever."""
    with stopping(lambda: None) as stop:
        with vars(stop)["_cond"]:  # as in the middle of `wait` or `set`
            os.kill(os.getpid(), signal.SIGTERM)
            signal.getsignal(signal.SIGTERM)  # a step of the main thread, before which the handler has run
        assert stop.wait(30)


def test_a_second_signal_is_as_elsewhere():
    """Who asks twice doesn't want to wait: the second SIGINT is Ctrl-C as everywhere."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stopping(lambda: None) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.wait(30)
            given_back(signal.SIGINT, signal.default_int_handler)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
