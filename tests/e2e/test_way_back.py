"""Going back to an earlier commit: configuration and position, in a real repository, exactly and at any step of it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from syncline import workflow
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.progress import Silent
from syncline.manifests.revert import applied_at, revert
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.model.step import PutObject, ResetCursor, RestoreCursor
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.daemon import GIT, Remote, serving, until
from tests.e2e.house import Scenario, audit_ok, settings_of
from tests.e2e.test_status import asked as command
from tests.look import Look, copy_of
from tests.repository import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = ObjectKey("acme", "Sync", "tickets")
TITLE = "from: title"
BAD = "\"'bad'\""


class Tickets:
    """An API of tickets that gives those after the number that it is asked for, and remembers what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.last = 10
        self.asked: list[int] = []

    def __call__(self, asked: Asked) -> Reply:
        after = int(asked.query.get("after", 0))
        self.asked.append(after)
        tickets = [{"id": n, "title": f"t{n}", "hours": 1} for n in range(after + 1, self.last + 1)]
        return Reply({"data": tickets, "next": None})

    def texts(self, write: str = "upsert", title: str = "title", *, table: str = "tickets") -> dict[str, str]:
        """Manifests of an incremental sync, with a mapping that may be a bad one."""
        found = helpdesk(self.url, write=write, read="incremental")
        sync = found["sync.yaml"].replace("warehouse/tickets", f"warehouse/{table}")
        assert TITLE in sync
        return {**found, "sync.yaml": sync.replace(TITLE, f"from: {title}")}


@pytest.fixture
def tickets() -> Iterator[Tickets]:
    service = Tickets()
    with api_server(service) as server:
        service.url = server.url
        yield service


class House:
    """A configuration repository that is committed to and applied from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = settings_of(root)
        self.git("init", "--quiet", "--initial-branch=main")
        (root / ".gitignore").write_text("/.syncline\n*.db*\n")

    def git(self, *arguments: str) -> str:
        environ = {**os.environ, **GIT}
        done = subprocess.run(["git", "-C", str(self.root), *arguments], env=environ, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def commit(self, texts: dict[str, str]) -> str:
        """Commits these manifests and applies them."""
        write(self.root, texts)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", "change")
        workflow.apply(self.settings)
        return self.git("rev-parse", "HEAD")

    def run(self) -> Any:
        return workflow.run(self.settings, KEY, progress=Silent()).record.counts

    def back(self, revision: str) -> None:
        """Rolls back and merges it, so that the trailer is in a commit below the one that is applied."""
        positions = applied_at(self.root, revision, workflow.kept_revisions(self.settings))
        made = revert(self.root, revision, positions=positions)
        self.git("merge", "--quiet", "--no-ff", "-m", "merged", made.branch)

    def rows(self, table: str = "tickets") -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / "warehouse.db")) as connection:
            return connection.execute(f"SELECT id, title FROM {table} ORDER BY id").fetchall()


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    return House(tmp_path)


def good(last: int) -> list[tuple[int, str]]:
    return [(n, f"t{n}") for n in range(1, last + 1)]


def spoilt(house: House, tickets: Tickets, **bad: Any) -> str:
    """A first commit with ten tickets, and a second, bad one under which ten more were read; the first."""
    first = house.commit(tickets.texts())
    house.run()
    house.commit(tickets.texts(**bad))
    tickets.last = 20
    house.run()
    return first


def effects(plan: Any) -> list[str]:
    return [str(effect.kind) for change in plan.changes for effect in change.effects]


def test_what_was_read_under_a_bad_commit_is_read_again(house, tickets):
    """The plan says how far back it goes and what it can't undo; the next run reads from there, and rows are right."""
    first = spoilt(house, tickets, title=BAD)
    assert house.rows()[-1] == (20, "bad")
    house.back(first)

    plan = workflow.plan(house.settings)
    assert [s for s in plan.steps if isinstance(s, RestoreCursor)] == [RestoreCursor(KEY, first)]
    told = {str(e.kind): e.message for c in plan.changes for e in c.effects}
    assert told["cursor-restored"].endswith("since then it read 10 records in 1 runs, which the next run reads again")
    assert "deleted since come back only" in told["runs-changed"]

    workflow.apply(house.settings)
    assert workflow.plan(house.settings).empty
    before = len(tickets.asked)
    counts = house.run()
    assert (tickets.asked[before:], counts.read, counts.updated) == ([10], 10, 10)
    assert house.rows() == good(20)
    assert house.run().read == 0
    assert [e.reason for e in Look(house.settings.state_url).events(KEY)].count("PositionRestored") == 1
    assert audit_ok(house.settings)


def test_a_position_that_a_bad_commit_made_void_applies_again(house, tickets):
    """A sync that was sent to another table, and read everything there, goes back without reading everything."""
    first = spoilt(house, tickets, table="elsewhere")
    assert len(house.rows("elsewhere")) == 20
    house.back(first)
    plan = workflow.plan(house.settings)
    assert not [s for s in plan.steps if isinstance(s, ResetCursor)]
    assert "cursor-reset" not in effects(plan)

    workflow.apply(house.settings)
    before = len(tickets.asked)
    assert house.run().read == 10
    assert tickets.asked[before:] == [10]
    assert house.rows() == good(20)


def test_rows_that_were_appended_are_not_doubled(house, tickets):
    """The position of a sync that appends stays, and the plan says so."""
    first = house.commit(tickets.texts("append"))
    house.run()
    house.commit(tickets.texts("append", title=BAD))
    tickets.last = 20
    house.run()
    house.back(first)

    plan = workflow.plan(house.settings)
    assert not [s for s in plan.steps if isinstance(s, RestoreCursor)]
    assert any("its position stays" in e.message for c in plan.changes for e in c.effects)
    workflow.apply(house.settings)
    assert house.run().read == 0
    assert len(house.rows()) == 20


def test_a_retired_sync_comes_back_where_it_was(house, tickets):
    """A commit that retired it forgot its position; going back restores it."""
    texts = tickets.texts()
    first = house.commit(texts)
    house.run()
    (house.root / "sync.yaml").unlink()
    house.commit({name: text for name, text in texts.items() if name != "sync.yaml"})
    assert Look(house.settings.state_url).cursor(KEY) is None
    tickets.last = 12
    house.back(first)
    workflow.apply(house.settings)
    assert house.run().read == 2
    assert house.rows() == good(12)


def test_an_apply_that_was_killed_after_the_position_goes_on(house, tickets, monkeypatch):
    """After a kill between restoring and recording, the next plan has the rest, and resets nothing."""
    first = spoilt(house, tickets, table="elsewhere")
    house.back(first)
    from syncline.reconciler.steps import take

    def dying(store, lease, name, index, step, *rest):
        if isinstance(step, PutObject):
            raise KeyboardInterrupt
        take(store, lease, name, index, step, *rest)

    monkeypatch.setattr("syncline.reconciler.apply.take", dying)
    with pytest.raises(KeyboardInterrupt):
        workflow.apply(house.settings)
    monkeypatch.setattr("syncline.reconciler.apply.take", take)
    plan = workflow.plan(house.settings)
    assert "cursor-reset" not in effects(plan)
    workflow.apply(house.settings)
    assert house.run().read == 10
    assert house.rows() == good(20)


def test_a_run_that_was_killed_before_it_went_back_goes_back(house, tickets, monkeypatch):
    """A kill after the destination's checkpoint moved and before the state knows repeats only that."""
    from syncline.state.sql import SqlStore

    first = spoilt(house, tickets, title=BAD)
    house.back(first)
    workflow.apply(house.settings)
    put = SqlStore.put_cursor

    def dying(*args):
        del args
        raise KeyboardInterrupt

    monkeypatch.setattr(SqlStore, "put_cursor", dying)
    with pytest.raises(KeyboardInterrupt):
        house.run()
    monkeypatch.setattr(SqlStore, "put_cursor", put)
    assert house.run().read == 10
    assert house.rows() == good(20)
    kept = copy_of(house.settings, KEY) or ""
    assert not Checkpoint.loads(kept).restored


def test_a_later_commit_goes_nowhere(house, tickets):
    """What a rollback says counts once: a commit on top of it leaves positions alone."""
    first = spoilt(house, tickets, title=BAD)
    house.back(first)
    workflow.apply(house.settings)
    house.run()
    house.commit(tickets.texts(title=BAD))
    assert house.run().read == 0


def test_a_destination_that_was_emptied_is_read_anew(house, tickets):
    """Where the destination knows nothing of the sync any more, its rows are gone too: everything is read."""
    first = spoilt(house, tickets, title=BAD)
    (house.root / "warehouse.db").unlink()
    house.back(first)
    workflow.apply(house.settings)
    assert house.run().read == 20
    assert house.rows() == good(20)


def test_a_full_refresh_after_it_reads_everything(house, tickets):
    """Whoever asks for everything gets everything, and what was to be restored is done with."""
    first = spoilt(house, tickets, title=BAD)
    house.back(first)
    workflow.apply(house.settings)
    counts = workflow.run(house.settings, KEY, progress=Silent(), full_refresh=True).record.counts
    assert counts.read == 20
    assert house.run().read == 0


def test_a_full_refresh_is_the_way_out_where_its_position_cant_be_opened(house, tickets):
    """A flow that is to go back to a position which nobody can open says so; read from the start, it goes on."""
    house.back(spoilt(house, tickets, title=BAD))
    workflow.apply(house.settings)
    (house.settings.keys / "tenants" / "acme.key").unlink()
    with pytest.raises(Stalled, match="cannot be opened"):
        house.run()
    counts = workflow.run(house.settings, KEY, full_refresh=True, progress=Silent()).record.counts
    assert (counts.read, house.rows()) == (20, good(20))
    tickets.last = 21
    assert house.run().read == 1


def test_what_a_snapshot_says_is_what_the_state_says(house, tickets):
    """A plan in CI, against a snapshot of the state, has the same steps and effects."""
    from syncline.reconciler import snapshot

    first = spoilt(house, tickets, table="elsewhere")
    with closing(workflow_reader(house)) as reader:
        text = snapshot.take(reader, "2026-11-26T00:00:00Z", "1").text
    house.back(first)
    known = snapshot.parse(text)
    there, here = workflow.plan(house.settings, state=snapshot.SnapshotState(known)), workflow.plan(house.settings)
    assert (there.steps, there.changes) == (here.steps, here.changes)
    assert [s for s in here.steps if isinstance(s, RestoreCursor)]
    assert "position" not in text


def workflow_reader(house: House) -> Any:
    from syncline.state.open import open_reader

    return open_reader(house.settings.state_url)


@pytest.mark.slow
def test_a_daemon_goes_back_when_the_commit_is_merged(tmp_path, tickets, postgres_url, monkeypatch):
    """With a daemon and PostgreSQL: the rollback is pushed, applied, and the next run reads again what came since."""
    import psycopg

    monkeypatch.setenv("WAREHOUSE_PASSWORD", "postgres")
    scenario = Scenario("upsert", postgres_url, schema=f"w_{uuid4().hex[:10]}")
    warehouse = scenario.texts["warehouse.yaml"]
    root, remote = tmp_path / "home", Remote(tmp_path)
    root.mkdir()

    def texts(title: str) -> dict[str, str]:
        return {**tickets.texts(title=title), "warehouse.yaml": warehouse}

    table = f'"{scenario.schema}".tickets'
    with serving(root, remote) as daemon, psycopg.connect(postgres_url, autocommit=True) as connection:

        def pushed(commit: str) -> str:
            daemon.says(f"{commit[:12]} is applied")
            assert command(root, "run", "Sync/tickets")[0] == 0
            return commit

        first = pushed(remote.push(texts("title")))
        tickets.last = 20
        pushed(remote.push(texts(BAD)))
        assert connection.execute(f"SELECT title FROM {table} WHERE id = 20").fetchall() == [("bad",)]

        made = revert(remote.work, first, positions=first)
        remote._git(remote.work, "merge", "--quiet", made.branch)
        remote._git(remote.work, "push", "--quiet", "origin", "main")
        daemon.says(f"{made.commit[:12]} is applied")
        before = len(tickets.asked)
        assert command(root, "run", "Sync/tickets")[0] == 0
        until(lambda: tickets.asked[before:] == [10])
        assert connection.execute(f"SELECT id, title FROM {table} ORDER BY id").fetchall() == good(20)
    assert audit_ok(settings_of(root))
