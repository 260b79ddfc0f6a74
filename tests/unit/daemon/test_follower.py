"""Tests of when a source is looked at: about once in each poll, and not by all daemons at once."""

from __future__ import annotations

import threading
import time
from typing import Any

from syncline.daemon.follower import Follower, Standing

POLL = 100.0


class Upstream:
    """A source that has no commit that isn't applied."""

    shown, ref = "https://example.com/a.git", "refs/heads/main"

    def head(self, stop):
        return ""


def next_look(tmp_path):
    """Seconds until the look after the first one, of a daemon that begins now."""
    awake = threading.Event()
    upstream: Any = Upstream()
    state: Any = None  # nothing is to be said of it
    follower = Follower(tmp_path, "", upstream, print, awake.set, Standing(), poll=POLL)
    began = time.monotonic()
    assert not follower.look(state)
    assert awake.wait(30)
    assert follower.look(state)
    return follower._next_look - began


def test_daemons_that_begin_together_do_not_look_together(tmp_path):
    """Each look is put off or brought forward by up to a tenth, drawn anew, so that servers aren't asked all at once."""
    found = [next_look(tmp_path) for _ in range(20)]
    assert all(0.9 * POLL <= pause <= 1.1 * POLL + 10 for pause in found), found
    assert max(found) - min(found) > 0.02 * POLL, found
