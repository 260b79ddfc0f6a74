"""Undoing imports into folders of files: what others did to them since, what is kept, and until when."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from syncline import workflow
from syncline.connectors.file.destination import FileDestination
from syncline.connectors.file.listing import KEPT, Folder, file_name
from syncline.model.errors import Invalid
from syncline.sdk.destination import Fence, Target
from syncline.sdk.reversal import Keeping, Undoing, Undone
from tests.contract.sql_places import frame_of, schema_of
from tests.e2e.house import Scenario, customers
from tests.e2e.test_undoing import house, run, table, undo

APPEND, REPLACE = (Scenario(write, "jsonl", kind="Import") for write in ("append", "replace"))


def folder(root):
    return Folder(root / "lake" / "customers")


def sealed(root):
    """The files that are kept."""
    return [path for path in (root / "lake" / "customers" / KEPT).rglob("*") if path.is_file()]


def refused(code, call, *given):
    with pytest.raises(Invalid) as caught:
        call(*given)
    assert caught.value.code == code
    return caught.value.message


def test_an_appended_part_that_somebody_changed_stays(tmp_path):
    """It is told as touched, with all of its rows; what the run wrote into other parts goes."""
    settings = house(tmp_path, APPEND)
    first = run(settings)
    customers(tmp_path, 50, 2)
    second = run(settings)
    (part,) = folder(tmp_path).load().kept[second.record.id].parts
    path = folder(tmp_path).path / part.file
    path.write_bytes(path.read_bytes().replace(b"@", b"#", 1))
    assert workflow.plan_undo(settings, second.record.id).found == Undone(touched=part.rows)
    assert undo(settings, second.record.id).receipt.counts.skipped == part.rows
    assert path.exists()
    assert undo(settings, first.record.id).receipt.counts.deleted == first.receipt.counts.written
    assert [left.file for left in folder(tmp_path).load().parts] == [part.file]


def test_what_was_replaced_is_kept_sealed(tmp_path):
    """Nobody reads it without the tenant's key, and it goes with the rollback."""
    settings = house(tmp_path, REPLACE)
    run(settings)
    before = table(tmp_path, REPLACE)
    assert "@example.com" in str(before)
    customers(tmp_path, 50, 2)
    second = run(settings)
    kept = sealed(tmp_path)
    assert kept
    assert not any(b"@example.com" in path.read_bytes() for path in kept)
    undo(settings, second.record.id)
    assert table(tmp_path, REPLACE) == before
    assert sealed(tmp_path) == []


def test_a_folder_that_was_changed_since_is_not_put_back(tmp_path):
    """A part of the new content that was changed by hand would be lost, or stand beside what it replaced."""
    settings = house(tmp_path, REPLACE)
    run(settings)
    customers(tmp_path, 50, 2)
    second = run(settings)
    path = folder(tmp_path).path / folder(tmp_path).load().parts[0].file
    path.write_bytes(path.read_bytes().replace(b"@", b"#", 1))
    after = table(tmp_path, REPLACE)
    assert "were changed" in refused("SYN578", workflow.plan_undo, settings, second.record.id)
    refused("SYN578", undo, settings, second.record.id)
    assert table(tmp_path, REPLACE) == after


@pytest.mark.parametrize("columns", ["same", "other"])
def test_what_another_flow_added_stays(tmp_path, columns):
    """Rows that came after a replacement are beside those of before, once that is undone, if they fit together."""
    before, new = (schema_of({"id": "integer", name: "string"}, "id") for name in ("name", "title"))
    after = before if columns == "same" else new
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    for number, schema in ((1, before), (2, after)):
        keeping = Keeping(60.0, lambda data, about: data[::-1] + about.encode())
        writer = destination.open(Target("flow", f"run-{number}", "orders", schema, "replace", keeping=keeping))
        writer.write(frame_of(schema, (number, "a")), f"{number}")
        writer.finish(f"{number}/end")
    destination.open(Target("other", "run-3", "orders", after, "append")).write(frame_of(after, (3, "a")), "3")

    def undone():
        opens = lambda data, about: data[: -len(about)][::-1]  # noqa: E731 - what `keeping` undoes
        return destination.undo(Undoing("flow", "run-2", 1, "run-4", opens, lambda _: "undone", lambda _: None))

    if columns == "other":
        assert "other columns" in refused("SYN578", undone)
        assert ids(tmp_path) == [2, 3]
        return
    assert undone() == Undone(deleted=1, restored=1)
    assert ids(tmp_path) == [1, 3]
    assert destination.checkpoint("flow") == "undone"


ORDERS = schema_of({"id": "integer"}, "id")


def written(destination, flow, run, number, mode="append", stream="orders"):
    """A row that a flow's run wrote, so that it can be undone; the writer."""
    keeping = Keeping(60.0, lambda data, about: data[::-1] + about.encode())
    writer = destination.open(Target(flow, run, stream, ORDERS, mode, keeping=keeping))
    writer.write(frame_of(ORDERS, (number,)), f"{run}/{number}")
    return writer


def taken_back(destination, flow, run, by, batches=1):
    """Undoes it; the checkpoint says by which run."""
    opens = lambda data, about: data[: -len(about)][::-1]  # noqa: E731 - what `keeping` undoes
    return destination.undo(Undoing(flow, run, batches, by, opens, lambda _: f"undone by {by}", lambda _: None))


def test_a_run_that_goes_on_after_a_replacement_and_before_its_rollback(tmp_path):
    """Its parts of before come back beside those that it has added since: neither is written over the other."""
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    written(destination, "adding", "run-1", 1)
    written(destination, "replacing", "run-2", 2, "replace").finish("end")
    written(destination, "adding", "run-1", 3)
    assert taken_back(destination, "replacing", "run-2", "run-3") == Undone(deleted=1, restored=1)
    assert ids(tmp_path) == [1, 3]


def test_a_part_that_went_is_not_told_as_the_one_of_its_name(tmp_path):
    """A flow that keeps nothing replaced the first part of a run, which went on: one row goes, and one was gone."""
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    written(destination, "adding", "run-1", 1)
    other = destination.open(Target("replacing", "run-2", "orders", ORDERS, "replace"))
    other.write(frame_of(ORDERS, (2,)), "2")
    other.finish("end")
    written(destination, "adding", "run-1", 3)
    assert taken_back(destination, "adding", "run-1", "run-3", batches=2) == Undone(deleted=1, gone=1)
    assert ids(tmp_path) == [2]


def test_a_rollback_that_was_killed_before_it_tidied_is_ended_by_who_takes_the_flow(tmp_path):
    """The list has changed and nothing was removed yet: the same command takes the flow and finds it committed."""
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    written(destination, "flow", "run-1", 1, "replace").finish("end")
    written(destination, "flow", "run-2", 2, "replace").finish("end")
    before = {path: path.read_bytes() for path in (tmp_path / "orders").rglob("*") if path.is_file()}
    taken_back(destination, "flow", "run-2", "run-3")
    after = {path for path in (tmp_path / "orders").rglob("*") if path.is_file()}
    assert before.keys() - after
    for path in before.keys() - after:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before[path])
    FileDestination(tmp_path, "jsonl", neutralise=True).fence("flow", Fence("state", 1))
    assert {path for path in (tmp_path / "orders").rglob("*") if path.is_file()} == after
    assert ids(tmp_path) == [1]


def test_a_rollback_in_a_folder_that_the_flow_has_left_is_the_newest_that_is_known(tmp_path):
    """The flow's checkpoint is that of its last rollback, whichever of its folders that was in."""
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    written(destination, "flow", "run-1", 1)
    written(destination, "flow", "run-2", 2, stream="others")
    taken_back(destination, "flow", "run-2", "run-3")
    taken_back(destination, "flow", "run-1", "run-4")
    assert destination.checkpoint("flow") == "undone by run-4"


def test_what_somebody_put_beside_what_is_kept_holds_nothing_up(tmp_path):
    """A file browser leaves files of its own in folders; they go with whatever isn't listed."""
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    for number in (1, 2):
        written(destination, "flow", f"run-{number}", number, "replace").finish("end")
    kept = tmp_path / "orders" / KEPT
    (kept / ".DS_Store").write_bytes(b"")
    (kept / "elsewhere").symlink_to(tmp_path)
    written(destination, "flow", "run-3", 3, "replace").finish("end")
    assert {path.name for path in kept.iterdir()} == {file_name(f"run-{number}") for number in (2, 3)}
    assert taken_back(destination, "flow", "run-3", "run-4") == Undone(deleted=1, restored=1)


def ids(root):
    """The ids of the rows of a folder, in order."""
    names = [part.file for part in Folder(root / "orders").load().parts]
    return [json.loads(line)["id"] for name in names for line in (root / "orders" / name).read_text().splitlines()]


def test_what_is_kept_goes_with_its_time_and_with_whom_it_is_about(tmp_path):
    """Once the window is over it is removed; so it is where somebody is erased from the folder."""
    brief = house(tmp_path / "brief", REPLACE, window="1s")
    only = run(brief)
    time.sleep(1.1)
    refused("SYN761", workflow.plan_undo, brief, only.record.id)

    lasting = tmp_path / "lasting"
    settings = house(lasting, REPLACE, window="1h")
    run(settings)
    customers(lasting, 50, 2)
    run(settings)
    destination = FileDestination(lasting / "lake", "jsonl", neutralise=True)
    assert destination.expire(datetime.now(UTC)) == 0
    assert sealed(lasting)
    over = datetime.now(UTC) + timedelta(hours=2)
    assert destination.expire(over) == 2
    assert sealed(lasting) == []
    assert destination.expire(over) == 0

    customers(lasting, 60, 3)
    third = run(settings)
    assert sealed(lasting)
    assert destination.erase("nobody", "customers", "id", 1) == 1
    assert sealed(lasting) == []
    assert destination.kept(third.record.id) is None


def test_who_leaves_takes_along_what_is_kept(tmp_path):
    """Of a flow that is retired for good, nothing stays but the rows."""
    settings = house(tmp_path, REPLACE)
    run(settings)
    customers(tmp_path, 50, 2)
    run(settings)
    rows = table(tmp_path, REPLACE)
    FileDestination(tmp_path / "lake", "jsonl", neutralise=True).leave("customers", str(REPLACE.key))
    assert sealed(tmp_path) == []
    assert folder(tmp_path).load().kept == {}
    assert table(tmp_path, REPLACE) == rows


def test_a_list_of_before_is_read(tmp_path):
    """A folder that an older version wrote has no runs that can be undone, and is written to as ever."""
    orders = schema_of({"id": "integer"}, "id")
    destination = FileDestination(tmp_path, "jsonl", neutralise=True)
    destination.open(Target("flow", "run-1", "orders", orders, "append")).write(frame_of(orders, (1,)), "1")
    path = tmp_path / "orders" / "_syncline.json"
    text = path.read_text()
    assert '"kept": {},\n' in text
    path.write_text(text.replace('"kept": {},\n', ""))
    destination.open(Target("flow", "run-2", "orders", orders, "append")).write(frame_of(orders, (2,)), "2")
    assert Folder(tmp_path / "orders").load().rows == 2
