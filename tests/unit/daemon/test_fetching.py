"""Tests of fetches in a thread of their own: nobody waits for one, and one that hangs can be ended."""

from __future__ import annotations

import threading
import time

import pytest

from syncline.daemon.git import fetching as module
from syncline.daemon.git.fetching import Fetching
from syncline.model.errors import Again, Bug


class Server:
    """A source that answers when it is let to, or when it is stopped."""

    shown = "https://example.com/a.git"

    def __init__(self, answer):
        self.answer = answer
        self.let = threading.Event()

    def head(self, stop):
        while not self.let.wait(0.01):
            if stop.asked:
                raise Again("stopped", code="SYN661")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def awake():
    return threading.Event()


def ended(fetching, awake):
    """What a fetch ended with, once it wakes us."""
    assert awake.wait(30)
    awake.clear()
    return fetching.take()


def test_a_fetch_is_taken_when_it_has_ended(awake):
    """Until then there is nothing to take and nobody waits; then we are woken, and it is there at once, once."""
    server = Server("c" * 40)
    fetching = Fetching(server, awake.set)
    assert not fetching.under_way
    fetching.begin()
    assert (fetching.under_way, fetching.take(), fetching.slow) == (True, None, None)
    server.let.set()
    assert ended(fetching, awake) == "c" * 40
    assert not fetching.under_way
    fetching.begin()
    assert ended(fetching, awake) == "c" * 40


@pytest.mark.parametrize(("error", "kind"), [(Again("away", code="SYN661"), Again), (RuntimeError("canary"), Bug)])
def test_what_a_fetch_ends_with_is_raised_where_it_is_taken(awake, error, kind):
    """An error arrives as it was; a defect as one, without its text."""
    server = Server(error)
    server.let.set()
    fetching = Fetching(server, awake.set)
    fetching.begin()
    with pytest.raises(kind) as caught:
        ended(fetching, awake)
    assert "canary" not in str(caught.value)
    assert not fetching.under_way


def test_a_slow_server_is_told_of_while_it_is_waited_for(awake, monkeypatch):
    """After a while there is something to tell, with the address, before the fetch has ended."""
    monkeypatch.setattr(module, "SLOW", 0.05)
    server = Server("c" * 40)
    fetching = Fetching(server, awake.set)
    fetching.begin()
    time.sleep(0.1)
    assert fetching.slow is not None
    assert (fetching.slow.code, server.shown in fetching.slow.message) == ("SYN740", True)
    server.let.set()
    ended(fetching, awake)
    assert fetching.slow is None


def test_closing_ends_a_fetch(awake):
    """Nothing of a fetch goes on after it, and nothing is begun any more."""
    fetching = Fetching(Server("c" * 40), awake.set)
    fetching.begin()
    fetching.close()
    with pytest.raises(Again):
        fetching.take()
