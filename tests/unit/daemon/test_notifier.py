"""What goes on beside the daemon's loop: what is wrong with one part of it keeps the other from nothing."""

from __future__ import annotations

import threading
import time

from syncline.daemon.notifier import notifying
from syncline.notify.dispatcher import Dispatcher
from tests.unit.notify.test_sender import post_office


def test_a_subscription_that_can_t_be_followed_keeps_no_message_from_being_sent(tmp_path, monkeypatch):
    """While one subscription's events can't be read, what waits in the outbox is sent, as fast as ever; it is told once."""
    follow = Dispatcher._follow

    def broken(self, subscription, now):
        if subscription.key.name == "s0":
            raise RuntimeError
        follow(self, subscription, now)

    monkeypatch.setattr(Dispatcher, "_follow", broken)
    told: list[str] = []
    stop = threading.Event()
    with post_office(tmp_path, "s0", "s1") as post:
        post.put("s1", "a0", "a1", "a2")
        with notifying(post.engine, post.engine.facilities.store, told.append, stop):
            end = time.monotonic() + 10
            while len(post.came) < 3 and time.monotonic() < end:
                time.sleep(0.02)
            stop.set()
        assert [name for _, name in post.came] == ["a0", "a1", "a2"]
    assert [line for line in told if "RuntimeError" in line] == [
        "notifications: SYN999 RuntimeError: a defect in Syncline, please report it"
    ]
