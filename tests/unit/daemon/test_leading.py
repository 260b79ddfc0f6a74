"""What a daemon says that finds out late that another one works: that it goes on there, and of no object that it failed."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from syncline.daemon.follower import Follower, Standing
from syncline.daemon.loop import Daemon
from syncline.daemon.starts import Starter
from syncline.executor.engine import Engine
from syncline.model.errors import Followed
from syncline.model.key import ObjectKey
from syncline.reconciler.status import SOURCE
from tests.unit.daemon.hourly import HOURLY, IMPORT, hour, hourly_engine, ticked_until

COMMIT = "a" * 40
KEY = ObjectKey("acme", "Schedule", "other")


class Upstream:
    """A source whose newest commit is always the same."""

    shown, ref = "https://example.com/a.git", "refs/heads/main"

    def __init__(self, commit=COMMIT):
        self.commit = commit

    def head(self, stop):
        return self.commit


@pytest.fixture
def engine(tmp_path):
    with hourly_engine(tmp_path) as made:
        yield made


def followed(settings):
    """Takes the lease from the daemon that has it, as one does that is followed."""
    with closing(sqlite3.connect(settings.home / "state.db")) as state, state:
        state.execute("UPDATE leases SET token = token + 1, process = '', expires = 0 WHERE name = 'daemon'")


def test_a_start_that_ended_after_its_daemon_was_followed_is_told_as_such(engine, monkeypatch):
    """Its run counts for the daemon that works now; that the schedule's place couldn't be kept here is no failure."""
    store, said = engine.facilities.store, list[str]()
    run = Engine.run

    def slow(running, work, progress):
        found = run(running, work, progress)
        followed(engine.facilities.settings)
        return found

    monkeypatch.setattr(Engine, "run", slow)
    first = hour(engine, 1)
    with store.lease("daemon") as lease:
        starter = Starter(engine, first, 1, said.append, store.fenced(lease))
        ticked_until(starter, first, lambda: len(said) == 2)
        starter.close()

    assert said == [
        f"{IMPORT}: 1 read, 1 written, 0 rejected",
        f"{HOURLY}: another daemon works by now, and goes by what has run here",
    ]


def test_a_commit_of_a_daemon_that_was_followed_is_not_told_as_refused(engine, monkeypatch):
    """Nothing stands against it: it is the other daemon's to apply, and the source has no problem."""
    facilities, said, standing = engine.facilities, list[str](), Standing()
    store, awake = facilities.store, threading.Event()
    upstream: Any = Upstream()
    follower = Follower(facilities.settings, "", upstream, said.append, awake.set, standing, poll=100.0)
    monkeypatch.setattr(follower, "_bring", lambda mine, commit: mine.store.put_cursor(KEY, commit))
    before = store.statuses([SOURCE])
    with store.lease("daemon") as lease:
        mine = replace(facilities, store=store.fenced(lease))
        followed(facilities.settings)
        follower.look(mine)
        assert awake.wait(60)
        assert follower.look(mine)

    assert said == [f"{COMMIT[:12]}: another daemon works by now, and applies it where it isn't yet"]
    assert standing.problem == ""
    assert store.statuses([SOURCE]) == before


class Publisher:
    """Does this while it publishes, for the first time; then it has enough."""

    def __init__(self, stop, does):
        self._stop, self._does, self._looks = stop, does, 0

    def publish(self, facilities):
        self._looks += 1
        if self._looks == 1:
            self._does(facilities)
        self._stop.set()


def served(engine, does):
    """What a daemon says of who works, where it does this while it publishes."""
    said, stop = list[str](), threading.Event()
    publisher: Any = Publisher(stop, does)
    upstream: Any = Upstream("")
    Daemon(engine.facilities.settings, upstream, said.append, poll=0.1, publisher=publisher).serve(stop)
    return [line for line in said if "daemon " in line]


def test_a_daemon_that_finds_out_by_a_write_stands_by(engine):
    """Whatever it was at: it ends neither the process nor the daemon, which leads again once it can."""

    def does(facilities):
        followed(engine.facilities.settings)
        facilities.store.put_cursor(KEY, dt.datetime.now(dt.UTC).isoformat())

    leads = "this daemon works from now on"
    assert served(engine, does) == [leads, "another daemon works by now: it goes on with what this one was at", leads]
    assert engine.facilities.store.cursor(KEY) is None


def test_a_daemon_that_lost_another_lease_names_no_other_daemon(engine):
    """Where somebody else has what it was at, and no daemon works but this one, that is what it says."""

    def does(facilities):
        raise Followed("somebody no longer holds the lease of apply", lease="apply")

    leads = "this daemon works from now on"
    lost = "SYN611 somebody no longer holds the lease of apply; this daemon begins anew"
    assert served(engine, does) == [leads, lost, leads]
