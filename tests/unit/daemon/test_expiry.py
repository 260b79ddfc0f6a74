"""What was kept to undo imports goes when its window is over, also where nothing runs any more."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest

from syncline import workflow
from syncline.connectors.file.destination import FileDestination
from syncline.connectors.file.listing import Folder, file_name
from syncline.daemon.expiry import EVERY, Expiry
from syncline.executor.image_keys import images_of
from syncline.executor.progress import Silent
from syncline.executor.retention.expire import expire, keeping
from syncline.model.errors import Invalid, SynclineError
from tests.e2e.house import Scenario
from tests.e2e.passes import engine_with_passes, leads
from tests.e2e.test_undoing import SCENARIO, house
from tests.unit.daemon.test_leading import followed


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(root):
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute("SELECT count(*) FROM _syncline_images").fetchone()[0]


def waited(condition):
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_what_is_over_is_removed_once_an_hour(tmp_path):
    """The first pass is at once, the next an hour later; nothing is removed before its time, and then its key with it."""
    settings = house(tmp_path, window="2s")
    run = workflow.run(settings, SCENARIO.key, progress=Silent()).record.id
    clock, told = Clock(), list[str]()
    with engine_with_passes(settings) as engine:
        assert engine.facilities.keys.exists("acme", images_of(run))
        assert keeping(engine) == (SCENARIO.key,)
        expiry = Expiry(engine, leads, told.append, clock)
        expiry.tick()
        time.sleep(2.1)
        expiry.tick()
        assert kept(tmp_path)
        clock.now = EVERY
        expiry.tick()
        assert waited(lambda: told)
        assert not engine.facilities.keys.exists("acme", images_of(run))
    assert told == ["acme/Import/customers: the window of 1 run is over, and what was kept to undo them is removed"]
    assert kept(tmp_path) == 0


def test_the_key_of_what_the_next_run_removed_goes_as_well(tmp_path):
    """A run removes at its beginning what is over; that nothing is left to remove then doesn't keep the key."""
    settings = house(tmp_path, window="1s")
    first = workflow.run(settings, SCENARIO.key, progress=Silent()).record.id
    time.sleep(1.1)
    second = workflow.run(settings, SCENARIO.key, progress=Silent()).record.id
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        assert connection.execute("SELECT DISTINCT run FROM _syncline_images").fetchall() == [(second,)]
        # However slow this goes on, nothing of the second is over by then.
        connection.execute("UPDATE _syncline_images SET until = '9999-12-31T00:00:00.000000+00:00'")
        connection.commit()
    told = list[str]()
    with engine_with_passes(settings) as engine:
        Expiry(engine, leads, told.append).tick()
        assert waited(lambda: not engine.facilities.keys.exists("acme", images_of(first)))
    assert told == []


def test_what_is_kept_for_longer_keeps_its_key(tmp_path):
    """A window that is made shorter is that of later runs: what was written under the longer one can be undone."""
    settings = house(tmp_path, window="7d")
    run = workflow.run(settings, SCENARIO.key, progress=Silent()).record.id
    manifest = settings.root / "sync.yaml"
    manifest.write_text(manifest.read_text().replace("window: 7d", "window: 1s"))
    workflow.apply(settings)
    time.sleep(1.1)
    with engine_with_passes(settings) as engine:
        assert expire(engine, SCENARIO.key) == 0
    assert workflow.undo(settings, run, progress=Silent()).receipt.counts.deleted


@pytest.mark.parametrize("scenario", [SCENARIO, Scenario("replace", "jsonl", kind="Import")])
def test_what_an_import_kept_that_keeps_nothing_any_more_goes(tmp_path, scenario):
    """Rollback is taken out of its declaration: what there is goes in its time all the same, and its integration rests."""
    settings = house(tmp_path, scenario, window="1s")
    run = workflow.run(settings, scenario.key, progress=Silent()).record.id
    manifest = settings.root / "sync.yaml"
    manifest.write_text(manifest.read_text().replace(", rollback: {window: 1s}", ""))
    workflow.apply(settings)
    time.sleep(1.1)
    told = list[str]()
    with engine_with_passes(settings) as engine:
        assert keeping(engine) == (scenario.key,)
        Expiry(engine, leads, told.append).tick()
        assert waited(lambda: not engine.facilities.keys.exists("acme", images_of(run)))
        assert keeping(engine) == ()
    assert len(told) == 1


def test_a_damaged_list_of_a_folder_is_told_and_the_others_go_on(tmp_path):
    """What is over in other folders of the root goes, with its key; the key of a run of the damaged one stays."""
    scenario = Scenario("replace", "jsonl", kind="Import")
    settings = house(tmp_path, scenario, window="1s")
    first = workflow.run(settings, scenario.key, progress=Silent()).record.id
    second = workflow.run(settings, scenario.key, progress=Silent()).record.id
    lake = tmp_path / "lake"
    for name, run in (("aaa", "another"), ("zzz", second)):
        (lake / name / ".kept" / file_name(run)).mkdir(parents=True)
        (lake / name / "_syncline.json").write_text("{")
    time.sleep(1.1)
    told = list[str]()
    with engine_with_passes(settings) as engine:
        Expiry(engine, leads, told.append).tick()
        assert waited(lambda: told)
        assert not engine.facilities.keys.exists("acme", images_of(first))
        assert engine.facilities.keys.exists("acme", images_of(second))
    assert told[0].startswith("acme/Import/customers: SYN473")
    assert Folder(lake / "customers").load().kept == {}
    assert not list((lake / "customers").glob(".kept/*"))


def test_all_damaged_lists_are_told(tmp_path):
    """One after the other, by the folder that each is of."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "_syncline.json").write_text("{")
    with pytest.raises(Invalid) as caught:
        FileDestination(tmp_path, "jsonl", neutralise=False).expire(datetime.now(UTC))
    assert caught.value.code == "SYN473"
    assert all(str(tmp_path / name) in caught.value.message for name in ("one", "two"))


@pytest.mark.parametrize("scenario", [SCENARIO, Scenario("replace", "jsonl", kind="Import")])
def test_what_is_over_goes_with_the_next_run_where_there_is_no_daemon(tmp_path, scenario):
    """Its key is destroyed when a run has ended; what isn't over stays."""
    settings = house(tmp_path, scenario, window="2s")
    first = workflow.run(settings, scenario.key, progress=Silent()).record.id
    with engine_with_passes(settings) as engine:
        assert engine.facilities.keys.exists("acme", images_of(first))
    time.sleep(2.1)
    told = list[str]()
    second = workflow.run(settings, scenario.key, progress=Silent(), tell=told.append).record.id
    with engine_with_passes(settings) as engine:
        assert not engine.facilities.keys.exists("acme", images_of(first))
        assert engine.facilities.keys.exists("acme", images_of(second))


def test_a_run_is_done_though_what_is_over_cannot_go(tmp_path):
    """It has its receipt; what is the matter is told, by its code."""
    scenario = Scenario("replace", "jsonl", kind="Import")
    settings = house(tmp_path, scenario)
    workflow.run(settings, scenario.key, progress=Silent())
    told = list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileDestination, "expire", _half)
        receipt = workflow.run(settings, scenario.key, progress=Silent(), tell=told.append).receipt
    assert receipt is not None
    assert told == ["acme/Import/customers: SYN473 it is half"]


def _half(self, now):
    raise Invalid("it is half", code="SYN473")


def test_a_database_that_is_broken_is_told(tmp_path):
    """Trouble of one database is said, by its code, and ends nothing else."""
    settings = house(tmp_path)
    workflow.run(settings, SCENARIO.key, progress=Silent())
    (tmp_path / "warehouse.db").write_bytes(b"no database at all" * 100)
    told: list[str] = []
    with engine_with_passes(settings) as engine:
        Expiry(engine, leads, told.append).tick()
        assert waited(lambda: told)
    assert told[0].startswith("acme/Import/customers: SYN490")


def test_a_daemon_that_was_followed_removes_nothing_more(tmp_path):
    """What is over is the other daemon's to remove; that this one was at it is no trouble of anything."""
    settings = house(tmp_path, window="1s")
    workflow.run(settings, SCENARIO.key, progress=Silent())
    time.sleep(1.1)
    told = list[str]()
    with engine_with_passes(settings) as engine, engine.facilities.store.lease("daemon") as lease:
        expiry = Expiry(engine, partial(engine.facilities.store.prove, lease), told.append)
        followed(settings)
        expiry._expire()
    assert told == []
    assert kept(tmp_path)


def test_a_daemon_that_is_stopped_goes_on_with_no_pass(tmp_path):
    """What it is at ends; nothing else is begun, since the state is closed after it."""
    settings = house(tmp_path, window="1s")
    workflow.run(settings, SCENARIO.key, progress=Silent())
    time.sleep(1.1)
    with engine_with_passes(settings) as engine:
        expiry = Expiry(engine, leads, print)
        expiry.close()
        expiry._expire()
    assert kept(tmp_path)


def test_a_state_that_is_down_is_told(tmp_path, monkeypatch):
    """Gone between the daemon's look and the pass: it is said by its code, and no traceback ends the thread."""
    settings = house(tmp_path)
    told, traces = list[str](), list[object]()
    monkeypatch.setattr("threading.excepthook", traces.append)
    with engine_with_passes(settings) as engine:
        expiry = Expiry(engine, leads, told.append)
        engine.facilities.store.close()
        for path in tmp_path.rglob("state.db*"):
            path.unlink()
            path.mkdir()
        expiry._expire()
    assert len(told) == 1
    assert told[0].startswith("what is kept for a time: SYN")
    assert not traces


def test_what_is_over_goes_with_a_run_that_failed(tmp_path):
    """A run whose file is gone fails, by what it failed; what was kept of the run before is over, and goes."""
    settings = house(tmp_path, window="2s")
    first = workflow.run(settings, SCENARIO.key, progress=Silent()).record.id
    time.sleep(2.1)
    (tmp_path / "data" / "customers.csv").unlink()
    told = list[str]()
    with pytest.raises(SynclineError) as caught:
        workflow.run(settings, SCENARIO.key, progress=Silent(), tell=told.append)
    assert caught.value.code == "SYN450"
    assert told == ["acme/Import/customers: the window of 1 run is over, and what was kept to undo them is removed"]
    assert kept(tmp_path) == 0
    with engine_with_passes(settings) as engine:
        assert not engine.facilities.keys.exists("acme", images_of(first))


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_damaged_list_of_another_folder_is_in_no_ones_way(tmp_path, mode):
    """Runs, also of a flow that is new, and their undoing go on beside it; doctor says that it is damaged."""
    scenario = Scenario(mode, "jsonl", kind="Import")
    settings = house(tmp_path, scenario, window="1h")
    other = tmp_path / "lake" / "another"
    other.mkdir(parents=True)
    (other / "_syncline.json").write_text("{")
    first = workflow.run(settings, scenario.key, progress=Silent()).record.id
    assert workflow.run(settings, scenario.key, progress=Silent()).record.id != first
    undone = workflow.undo(settings, workflow.runs(settings, scenario.key, 1)[0].id, progress=Silent())
    assert undone.receipt.counts.deleted
    told = [finding for finding in workflow.doctor(settings) if finding.ok is False and "folder" in finding.name]
    assert [str(other) in finding.message for finding in told] == [True]
    assert (other / "_syncline.json").read_text() == "{"
