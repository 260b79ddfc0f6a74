"""Adopting by the daemon: a commit on a branch of a real repository, once for a cause, and nothing where it can't be."""

from __future__ import annotations

import sqlite3
import subprocess
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.daemon.git.source import GitSource, SourceRepository
from syncline.daemon.looks import Looks
from syncline.daemon.proposing import Proposer, branch_of
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.condition import ConditionType
from syncline.reconciler.look import look
from tests import repository as files
from tests.e2e.daemon import GIT, Remote
from tests.e2e.house import COPIES, FLOW, Scenario, customers, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRANCH = branch_of("", FLOW)
TEXTS = Scenario("upsert").texts
TEXTS["sync.yaml"] = TEXTS["sync.yaml"].replace("write: upsert", "write: upsert, drift: {tables: adopt}")


class House:
    """A flow that has run, whose manifests are in a repository that is followed."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.remote = Remote(folder)
        self.remote.push(TEXTS)
        root = folder / "home"
        root.mkdir()
        customers(root, 20)
        self.settings = settings_of(files.write(root, TEXTS).root, environ)
        workflow.apply(self.settings)
        workflow.run(self.settings, FLOW, progress=Silent())
        self.source = SourceRepository(GitSource(str(self.remote.path)), folder / "mirror")
        self.told: list[str] = []

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.settings.root / "warehouse.db")) as connection:
            connection.execute(statement)
            connection.commit()

    def looked(self) -> str:
        """What the condition says after a look by a daemon that has fetched."""
        self.source.head()
        with workflow.engine(self.settings) as engine:
            store = engine.facilities.store
            proposer = Proposer(engine, store, lambda _: self.source.branches(), self.told.append)
            look(engine, store, FLOW, propose=proposer.propose)
            condition = store.statuses([FLOW])[FLOW].condition(ConditionType.drifted)
        return f"{condition.reason}: {condition.message}" if condition.status == "True" else ""

    def events(self) -> list[str]:
        with workflow.engine(self.settings) as engine:
            return [e.message for e in engine.facilities.store.events(FLOW) if e.reason == "Drifted"]

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.remote.path), *arguments]
        return subprocess.run(command, env=GIT, check=True, capture_output=True, text=True).stdout.strip()

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request, tmp_path, monkeypatch) -> Iterator[House]:
    """With its state in each of the databases."""
    monkeypatch.setenv("SYNCLINE_ACTOR", "tests")
    if request.param == "sqlite":
        yield House(tmp_path, {})
        return
    from tests.servers import postgres_database

    with postgres_database(request.getfixturevalue("postgres_server_url")) as url:
        yield House(tmp_path, {"SYNCLINE_STATE": url})


@pytest.fixture
def lone(tmp_path, monkeypatch) -> House:
    """With its state in SQLite."""
    monkeypatch.setenv("SYNCLINE_ACTOR", "tests")
    return House(tmp_path, {})


def test_a_dropped_column_is_proposed_once_and_merged_by_a_person(house):
    """The branch has one commit on what is followed, that takes one line out; merged, applied and run, nothing differs."""
    house.execute("ALTER TABLE customers DROP COLUMN born")
    main = house.git("rev-parse", "main")
    said = house.looked()
    assert said == (
        "AdoptionProposed: [SYN728] column born: it was dropped or renamed; "
        f"a commit without born is proposed on branch {BRANCH}"
    )
    tip = house.git("rev-parse", BRANCH)
    assert house.git("rev-parse", f"{BRANCH}^", "main").split() == [main, main]
    assert house.git("diff", "--shortstat", "main", BRANCH) == "1 file changed, 1 deletion(-)"

    assert house.looked() == said
    assert house.git("rev-parse", BRANCH) == tip
    assert house.branches() == ["main", BRANCH]
    assert len(house.told) == 1
    assert len(house.events()) == 1

    house.git("update-ref", "refs/heads/main", tip)
    assert "declares it as it is there, and isn't applied yet" in house.looked()
    (house.settings.root / "mapping.yaml").write_text(house.git("show", "main:mapping.yaml") + "\n")
    workflow.apply(house.settings)
    workflow.run(house.settings, FLOW, progress=Silent(), full_refresh=True)
    assert house.looked() == ""


def test_what_was_dropped_between_two_runs_is_proposed(lone):
    """A run makes a missing column again; before it the daemon looks, so that the branch is there. Others aren't asked."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.source.head()
    with workflow.engine(lone.settings) as engine:
        looks = Looks(engine, engine.facilities.store, lone.told.append, branches=lambda _: lone.source.branches())
        engine.before = looks.before_run
        engine.run(Work(FLOW), Silent())
        looks.close()
    assert lone.branches() == ["main", BRANCH]
    assert lone.looked() == ""  # the column is there again, and the branch stays
    assert lone.branches() == ["main", BRANCH]


def test_a_mapping_of_several_flows_is_named_with_them(lone):
    """The commit's message says which other flows won't write the column any more either."""
    texts = {
        **TEXTS,
        "copies.yaml": COPIES.removeprefix("---\n").replace("to: warehouse/customers", "to: warehouse/copies"),
    }
    lone.remote.push(texts)
    files.write(lone.settings.root, texts)
    workflow.apply(lone.settings)
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    assert "AdoptionProposed" in lone.looked()
    assert "also that of acme/Sync/copies, which change with it" in lone.git("log", "-1", "--format=%B", BRANCH)


def test_one_more_dropped_column_updates_the_branch(lone):
    """What differs by now is one commit on the same branch, and another commit of others doesn't move it."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.looked()
    first = lone.git("rev-parse", BRANCH)
    lone.remote.push({**TEXTS, "other.yaml": "# a comment\n"})
    lone.looked()
    assert lone.git("rev-parse", BRANCH) == first

    lone.execute("ALTER TABLE customers DROP COLUMN balance")
    assert "column balance: it was dropped" in lone.looked()
    assert lone.git("diff", "--shortstat", "main", BRANCH) == "1 file changed, 2 deletions(-)"
    assert lone.branches() == ["main", BRANCH]


def test_a_mapping_that_was_changed_meanwhile_moves_the_branch(lone):
    """Where what is followed has another text of the mapping, the commit is made anew on top of it."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.looked()
    head = lone.remote.push({**TEXTS, "mapping.yaml": "# ours\n" + TEXTS["mapping.yaml"]})
    lone.looked()
    assert lone.git("rev-parse", f"{BRANCH}^") == head
    assert lone.git("show", f"{BRANCH}:mapping.yaml").startswith("# ours")


def test_what_a_person_put_on_the_branch_stays(lone):
    """A commit of somebody else on the branch is theirs: it isn't replaced, whatever is dropped besides."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.looked()
    tree = lone.git("rev-parse", f"{BRANCH}^{{tree}}")
    theirs = lone.git("commit-tree", "-p", BRANCH, "-m", "better", tree)
    lone.git("update-ref", f"refs/heads/{BRANCH}", theirs)
    lone.execute("ALTER TABLE customers DROP COLUMN balance")
    assert f"somebody went on with branch {BRANCH}" in lone.looked()
    assert lone.git("rev-parse", BRANCH) == theirs


def test_a_branch_that_was_deleted_was_declined(house):
    """It isn't proposed again for the same reason; once the column was there in between, it is."""
    house.execute("ALTER TABLE customers DROP COLUMN born")
    house.looked()
    house.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    assert "that was declined" in house.looked()
    assert "that was declined" in house.looked()
    assert house.branches() == ["main"]

    workflow.run(house.settings, FLOW, progress=Silent(), full_refresh=True)
    assert house.looked() == ""
    house.execute("ALTER TABLE customers DROP COLUMN born")
    assert "AdoptionProposed" in house.looked()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE customers", "table customers can't be adopted"),
        ("ALTER TABLE customers DROP COLUMN email", "the commit wouldn't be valid"),
    ],
)
def test_what_cannot_be_proposed_is_said(lone, statement, words):
    """The condition says why, nothing is pushed, and whatever else the daemon does goes on."""
    if "email" in statement:
        lone.remote.push({**TEXTS, "bad.yaml": TEXTS["sync.yaml"].replace("crm/customers", "crm/nothing")})
    lone.execute(statement)
    said = lone.looked()
    assert said.startswith("AdoptionFailed: [SYN729]")
    assert words in said
    assert lone.branches() == ["main"]


def test_a_server_that_takes_no_branches_is_told(lone):
    """A push that the server refuses is a condition with its reason; once it takes it, the next look proposes."""
    hook = lone.remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    said = lone.looked()
    assert said.startswith("AdoptionFailed: [SYN729]")
    assert "pre-receive hook declined" in said
    hook.unlink()
    assert lone.looked().startswith("AdoptionProposed")


def test_a_push_that_was_not_noted_is_found(lone):
    """Killed after its push, a daemon finds its branch at the next look and makes no second commit."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.looked()
    tip = lone.git("rev-parse", BRANCH)
    with workflow.engine(lone.settings) as engine:
        engine.facilities.store.proposals().put(FLOW, None)
    assert lone.looked().startswith("AdoptionProposed")
    assert lone.git("rev-parse", BRANCH) == tip


def test_the_branch_that_is_followed_is_never_pushed_to(lone):
    """A source that follows the branch that would be proposed on is told of, and its history stays as it is."""
    lone.git("update-ref", f"refs/heads/{BRANCH}", "main")
    lone.source = SourceRepository(
        GitSource(str(lone.remote.path), branch=BRANCH), lone.settings.root / f"m{uuid.uuid4()}"
    )
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    before = lone.git("rev-parse", BRANCH)
    assert lone.looked().startswith("AdoptionFailed")
    assert lone.git("rev-parse", BRANCH) == before


def test_a_column_of_another_type_is_proposed_as_that(lone):
    """Beside a dropped column, one that was made anew for whole numbers is in the same commit, with its new type."""
    lone.execute("ALTER TABLE customers DROP COLUMN born")
    lone.execute("ALTER TABLE customers DROP COLUMN balance")
    lone.execute("ALTER TABLE customers ADD COLUMN balance INTEGER")
    said = lone.looked()
    assert said.startswith("AdoptionProposed: [SYN728] column ")
    assert f"a commit without born and with balance as integer is proposed on branch {BRANCH}" in said
    assert "+  - {to: balance, from: balance, type: integer}" in lone.git("diff", "main", BRANCH)
    message = lone.git("log", "-1", "--format=%B", BRANCH)
    assert message.startswith("Adopt acme/Mapping/customer without born and with balance as integer\n")
    assert "Somebody dropped born and gave balance another type" in message

    assert lone.looked() == said
    assert len(lone.told) == 1
