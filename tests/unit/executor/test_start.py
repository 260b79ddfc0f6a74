"""Where a run starts, for everything that may have been before."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.start import StateOf, forgotten, left_open, start_of, state_in
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.planner.compiled import compile_flows
from syncline.state.empty import EmptyState
from syncline.state.store import RunRecord, Standing
from tests.repository import CUSTOMERS, desired

NAME = "acme/Import/customers"
KEY = ObjectKey.parse(NAME)


def states(*known: RunRecord) -> StateOf:
    """Of a state that knows these runs only."""
    return state_in(Standing(None, known), EmptyState())


def record(name: str, state: RunState, parent: str = "") -> RunRecord:
    return RunRecord(name, KEY, state, "manual", "r", "p", f"started {name}", parent=parent)


def start(write: str = "upsert", saved: Checkpoint | None = None, *known: RunRecord, **how: Any) -> Checkpoint:
    """What is decided for an import, with a checkpoint at the destination and runs in the state."""
    texts = {**CUSTOMERS, "import.yaml": CUSTOMERS["import.yaml"].replace("write: upsert", f"write: {write}")}
    item = compile_flows(desired(texts))[KEY]
    if saved is not None and saved.basis == "same":
        saved = replace(saved, basis=item.basis, mapping=saved.mapping or item.flow.mapping.digest)
    left = left_open(known, "")
    text = saved.dumps() if saved else None
    return start_of(NAME, item, text, left, states(*known), **{"full_refresh": False, **how})


def saved(*, done: bool = False, flow: str = NAME, basis: str = "same") -> Checkpoint:
    return Checkpoint(flow, "before", basis, sequence=3, position={"at": 9}, done=done)


def test_without_a_checkpoint_a_run_is_new():
    """A new id, no position."""
    found = start()
    assert (found.sequence, found.position, found.done) == (0, None, False)


def test_a_run_that_never_committed_gives_its_id_to_the_next():
    """The one that was killed before its first commit is the one that runs now."""
    found = start("upsert", None, record("idle", RunState.running))
    assert (found.run, found.started, found.sequence) == ("idle", "started idle", 0)


@pytest.mark.parametrize("state", [RunState.running, RunState.interrupted])
@pytest.mark.parametrize("write", ["append", "upsert", "replace"])
def test_an_open_run_goes_on(state, write):
    """With its id, position, counts, and one more in `resumed`."""
    found = start(write, saved(), record("before", state))
    assert (found.run, found.sequence, found.position, found.resumed) == ("before", 3, {"at": 9}, 1)


def test_an_open_run_whose_basis_changed_does_not_go_on():
    """Another stream or table: from the start, and never under the id that the old rows belong to."""
    found = start("upsert", saved(basis="other"), record("before", RunState.interrupted))
    assert found.position is None
    assert found.run != "before"


@pytest.mark.parametrize(("write", "position"), [("append", {"at": 9}), ("replace", None)])
def test_after_a_failure_a_new_run_begins(write, position):
    """Appending goes on where it stood, so that no row is there twice; what would have been replaced starts over."""
    found = start(write, saved(), record("before", RunState.failed))
    assert found.run != "before"
    assert (found.position, found.sequence) == (position, 0)


@pytest.mark.parametrize(("write", "position"), [("append", {"at": 9}), ("upsert", None), ("replace", None)])
def test_no_run_mixes_two_mappings(write, position):
    """An open run whose mapping changed is not continued: a new one begins."""
    found = start(write, replace(saved(), mapping="another"), record("before", RunState.interrupted))
    assert found.run != "before"
    assert found.position == position


def test_a_run_that_was_killed_after_its_end_is_only_told():
    """Done at the destination, open in the state: the same run, and nothing to move."""
    found = start("append", saved(done=True), record("before", RunState.running))
    assert (found.run, found.done) == ("before", True)


def test_a_finished_run_is_followed_by_a_new_one():
    """From the start; past the position for a retry, which has nothing else to do."""
    ended = record("before", RunState.succeeded)
    assert start("upsert", saved(done=True), ended).position is None
    assert start("upsert", saved(done=True), ended, retry=True).position == {"at": 9}


def test_a_full_refresh_takes_over_nothing():
    """Neither id nor position."""
    found = start("upsert", saved(), record("idle", RunState.running), full_refresh=True)
    assert found.run not in {"idle", "before"}
    assert found.position is None


def test_a_renamed_flow_continues_under_its_new_name():
    """The checkpoint had the old name; what is saved from now on has the new one."""
    found = start("append", saved(flow="acme/Import/former"), record("before", RunState.interrupted))
    assert (found.flow, found.run) == (NAME, "before")


def test_only_runs_of_the_same_work_are_left_open():
    """Not the ended ones, and not those of retries, which have a lease of their own."""
    known = record("a", RunState.running), record("b", RunState.failed), record("c", RunState.running, parent="a")
    assert [r.id for r in left_open(known, "")] == ["a"]
    assert [r.id for r in left_open(known, "a")] == ["c"]


def test_a_checkpoint_without_its_copy_was_forgotten_if_its_run_is_known():
    """Known run, no copy: retired or reset. Unknown run: of an earlier state, and the truth."""
    text = saved().dumps()
    known, nothing = states(record("before", RunState.succeeded)), states()
    assert forgotten(text, None, known)
    assert not forgotten(text, text, known)
    assert not forgotten(text, None, nothing)
    assert not forgotten(None, None, known)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1}', "null"])
def test_a_checkpoint_of_another_version_is_refused(text):
    """With what to do about it."""
    with pytest.raises(Invalid) as error:
        Checkpoint.loads(text)
    assert error.value.code == "SYN705"
    assert "--full-refresh" in error.value.help


def test_a_checkpoint_reads_back_as_it_was():
    """Whatever was in it."""
    found = replace(saved(done=True), before={"x": [1, "é"]}, resumed=2)
    assert Checkpoint.loads(found.dumps()) == found
