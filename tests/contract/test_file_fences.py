"""Fences of files: a run that was followed while it was slow adds nothing to a folder any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from syncline.connectors.file.listing import Folder
from syncline.model.errors import Denied
from syncline.sdk.destination import Fence, Target, Writer
from tests import warm
from tests.contract import file_places
from tests.contract.sql_places import FLOW, frame_of, schema_of, target_of

if TYPE_CHECKING:
    import polars as pl

    from syncline.sdk.destination import WriteMode

ORDERS = schema_of({"id": "integer"}, "id")
FIRST, SECOND = Fence("state", 1), Fence("state", 3)
REPOSITORY = Path(__file__).parents[2]


def rows(*ids: int) -> pl.DataFrame:
    return frame_of(ORDERS, *((i,) for i in ids))


def target(mode: WriteMode, run: str = "first") -> Target:
    made = target_of(ORDERS, mode)
    return Target(made.flow, run, made.stream, made.schema, mode)


def begun(root: Path, form: str, mode: WriteMode = "append", fence: Fence = FIRST) -> tuple[Any, Writer]:
    """A run that has taken its flow, and written a row and a checkpoint."""
    destination: Any = file_places.destination(root, format=form)
    destination.fence(FLOW, fence)
    writer = destination.open(target(mode))
    writer.write(rows(1), "1")
    return destination, writer


def ids(root: Path) -> list[int]:
    return file_places.rows(root, "orders", ORDERS)["id"].to_list()


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_once_a_later_run_has_the_flow_the_earlier_one_changes_nothing(tmp_path, form, mode):
    """Of the earlier run nothing counts any more, neither rows nor checkpoint nor its end; the later one goes on."""
    slow, late = begun(tmp_path, form, mode)
    follower: Any = file_places.destination(tmp_path, format=form)
    follower.fence(FLOW, SECOND)
    assert follower.checkpoint(FLOW) == "1"

    attempts = [
        lambda: late.write(rows(2), "late"),
        lambda: late.finish("late"),
        lambda: slow.forget(FLOW),
        lambda: slow.open(target(mode)),
    ]
    for attempt in attempts:
        with pytest.raises(Denied) as caught:
            attempt()
        assert caught.value.code == "SYN680"
    writer = follower.open(target(mode))
    writer.write(rows(2), "2")
    writer.finish("done")

    assert ids(tmp_path) == [1, 2]
    assert follower.checkpoint(FLOW) == "done"


def test_an_earlier_token_can_not_take_a_flow_back(tmp_path):
    """A token that is behind what the folder has seen is refused, unless the flow is read anew, or of another state."""
    begun(tmp_path, "jsonl", fence=SECOND)
    again: Any = file_places.destination(tmp_path, format="jsonl")
    with pytest.raises(Denied, match="a later run has taken") as caught:
        again.fence(FLOW, FIRST)
    assert caught.value.code == "SYN681"
    again.fence(FLOW, FIRST, anew=True)
    again.fence(FLOW, Fence("another state", 1))
    again.open(target("append")).write(rows(2), "2")
    assert ids(tmp_path) == [1, 2]


def test_who_has_a_flow_under_its_former_name_is_refused(tmp_path):
    """After a rename, a run that still writes under the old name changes nothing more."""
    _, late = begun(tmp_path, "jsonl")
    renamed: Any = file_places.destination(tmp_path, format="jsonl")
    renamed.fence("acme/Sync/renamed", Fence("state", 1))
    renamed.move(FLOW, "acme/Sync/renamed")
    with pytest.raises(Denied):
        late.write(rows(2), "2")
    assert renamed.checkpoint("acme/Sync/renamed") == "1"


def test_who_follows_waits_for_a_commit_that_is_under_way(tmp_path, monkeypatch):
    """A list that is being replaced is in place before the flow can be taken: what follows sees its checkpoint."""
    _, writer = begun(tmp_path, "jsonl")
    saving, go, taken = threading.Event(), threading.Event(), threading.Event()
    save = Folder.save

    def slow(folder, listing):
        saving.set()
        assert go.wait(60)
        save(folder, listing)

    monkeypatch.setattr(Folder, "save", slow)
    follower: Any = file_places.destination(tmp_path, format="jsonl")
    committing = threading.Thread(target=writer.write, args=(rows(2), "2"))
    committing.start()
    assert saving.wait(60)

    def take():
        follower.fence(FLOW, SECOND)
        taken.set()

    taking = threading.Thread(target=take)
    taking.start()
    assert not taken.wait(0.2)
    go.set()
    committing.join(60)
    taking.join(60)

    assert taken.is_set()
    assert follower.checkpoint(FLOW) == "2"
    assert ids(tmp_path) == [1, 2]


SLEEPER = """\
import sys
from pathlib import Path
from tests.contract.test_file_fences import begun, rows
from syncline.model.errors import Denied
_, writer = begun(Path(sys.argv[1]), "parquet")
print("begun", flush=True)
sys.stdin.readline()
try:
    writer.write(rows(2), "late")
except Denied as error:
    print(error.code, flush=True)
"""


def test_a_process_that_was_stopped_and_followed_is_refused_by_the_folder(tmp_path):
    """SIGSTOP, another process takes the flow and goes on, SIGCONT: the part that the first one writes doesn't count."""
    command = [sys.executable, "-c", SLEEPER, str(tmp_path)]
    with warm.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGSTOP)
        process.stdin.write("\n")
        process.stdin.flush()
        follower: Any = file_places.destination(tmp_path, format="parquet")
        follower.fence(FLOW, SECOND)
        follower.open(target("append")).write(rows(3), "3")
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == "SYN680\n"

    assert ids(tmp_path) == [1, 3]
    assert follower.checkpoint(FLOW) == "3"
