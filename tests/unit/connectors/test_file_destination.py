"""Folders of parts: whatever is killed when, rows and checkpoint agree; formats, formulas, and names."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.file.runtime import RUNTIME
from syncline.model.errors import Denied, Invalid, Stalled, Waiting
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.conformance_destination import EVERY_TYPE, sample
from syncline.sdk.destination import Target, WriteMode, refusals
from syncline.sdk.frame import target_frame_schema
from tests.contract.file_places import destination, instance, parts, rows, source

FLOW = "acme/Sync/s"


def schema(**kinds: str) -> Schema:
    return Schema(tuple(Field(name, DataType.parse(kind)) for name, kind in kinds.items()))


def target(mode: WriteMode = "append", run: str = "r1", of: Schema = EVERY_TYPE, stream: str = "s", **more) -> Target:
    return Target(FLOW, run, stream, of, mode, **more)


def frame(of: Schema, *values: tuple) -> pl.DataFrame:
    return pl.DataFrame(list(values), schema=target_frame_schema(of), orient="row")


def ids(root: Path, stream: str = "s") -> list[int]:
    return rows(root, stream, EVERY_TYPE)["id"].to_list()


class Crash(BaseException):
    """Stands for a kill: nothing catches it."""


class Crashing:
    """Raises at one of the effects on the disk, counted over fsyncs, renames and removals."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "rmdir")):
            monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, inner):
        def call(*arguments, **options):
            self.left -= 1
            if self.left == 0:
                raise Crash
            return inner(*arguments, **options)

        return call


def _run(root: Path, mode: WriteMode, run: str, batches: list[list[int]]) -> None:
    """What the executor does: asks where the flow stands, writes what is left, finishes."""
    opened = destination(root)
    saved = opened.checkpoint(FLOW) or ""
    done = int(saved.split("/")[1]) if saved.startswith(f"{run}/") else 0
    writer = opened.open(target(mode, run))
    if done < 99:
        for number, batch in enumerate(batches[done:], done + 1):
            writer.write(sample(batch), f"{run}/{number}")
        writer.finish(f"{run}/99")


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_killed_at_any_effect_on_the_disk(tmp_path: Path, monkeypatch, mode):
    """After a kill at any point, rows and checkpoint agree; the run goes on to exactly the same end, without rubbish."""
    batches = [[10, 11], [], [12]]
    old = [1, 2, 3]
    for effect in range(1, 200):
        root = tmp_path / str(effect)
        _run(root, mode, "r0", [old])
        with monkeypatch.context() as patch:
            crashing = Crashing(patch, effect)
            with suppress(Crash):
                _run(root, mode, "r1", batches)
        saved = destination(root).checkpoint(FLOW)
        done = int(saved.split("/")[1]) if saved and saved.startswith("r1/") else 0
        written = [number for batch in batches[:done] for number in batch]
        if mode == "append":
            assert ids(root) == old + written
        elif done < 99:
            assert ids(root) == old
        _run(root, mode, "r1", batches)
        assert ids(root) == (old if mode == "append" else []) + [10, 11, 12]
        found = {path.name for path in (root / "s").iterdir()}
        assert found == {".lock", "_syncline.json", *(part.name for part in parts(root, "s"))}
        if crashing.left > 0:
            break
    assert 10 < effect < 199


def test_a_full_disk_stalls_and_loses_nothing(tmp_path: Path, monkeypatch):
    """A write that the disk refuses raises Stalled; what was committed stays, and the run goes on later."""
    opened = destination(tmp_path)
    writer = opened.open(target())
    writer.write(sample([1]), "1")

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Stalled, match="No space left on device"):
            writer.write(sample([2]), "2")

    assert (ids(tmp_path), opened.checkpoint(FLOW)) == ([1], "1")
    writer.write(sample([2]), "2")
    assert (ids(tmp_path), opened.checkpoint(FLOW)) == ([1, 2], "2")


def test_upserts_are_refused_at_open(tmp_path: Path):
    """An upsert into files is Invalid with a code and what to do instead, before anything is made."""
    with pytest.raises(Invalid, match="can't be upserted") as caught:
        destination(tmp_path).open(target("upsert"))

    assert caught.value.code == "SYN470"
    assert "append" in caught.value.help
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stream", ["..", ".", "", "../x", "a/b", "/etc", ".hidden", "_x", "a\0b", "x" * 64, "ü"])
def test_names_of_streams_stay_inside(tmp_path: Path, stream):
    """A stream's name is one plain folder under the root, or Invalid."""
    with pytest.raises(Invalid, match="can't be the name of a folder"):
        destination(tmp_path / "root").open(target(stream=stream))


def test_a_linked_folder_that_leads_out_is_refused(tmp_path: Path):
    """A symbolic link in the place of a stream's folder doesn't lead writes out of the root."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "s").symlink_to(tmp_path)

    with pytest.raises(Invalid, match="leads out of the root"):
        destination(root).open(target())


def test_runs_with_odd_names_make_plain_files(tmp_path: Path):
    """A run's id never becomes a path."""
    destination(tmp_path).open(target(run="../../x y")).write(sample([1]), "1")

    (part,) = parts(tmp_path, "s")
    assert part.parent == tmp_path / "s"
    assert part.exists()


def test_json_lines_are_exact(tmp_path: Path):
    """Decimals are numbers with all digits, JSON stands as JSON, times are ISO 8601, binary is base64."""
    of = schema(d="decimal(38,9)", j="json", t="timestamp", w="datetime", b="binary", s="string", n="integer")
    destination(tmp_path, format="jsonl").open(target(of=of)).write(
        frame(
            of,
            (
                Decimal("12345678901234567890123456789.100000000"),
                '{"a":\n [1.10]}',
                dt.datetime(1969, 12, 31, 23, 59, 59, 5, tzinfo=dt.UTC),
                dt.datetime.fromisoformat("2024-02-29T02:30"),
                b"\x00\xff",
                'a"\n\u2028',
                2**63 - 1,
            ),
            (None,) * 7,
        ),
        "1",
    )

    (part,) = parts(tmp_path, "s")
    assert part.read_text(encoding="utf-8").split("\n") == [
        '{"d":12345678901234567890123456789.100000000,"j":{"a":  [1.10]},"t":"1969-12-31T23:59:59.000005Z","w":"2024-02-29T02:30:00.000000","b":"AP8=","s":"a\\"\\n\u2028","n":9223372036854775807}',
        '{"d":null,"j":null,"t":null,"w":null,"b":null,"s":null,"n":null}',
        "",
    ]


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.floats(allow_nan=False, allow_infinity=False))))
def test_json_text_is_what_it_was(tmp_path_factory, values):
    """Any text and any finite number come back from JSON Lines unchanged."""
    of = schema(s="string", f="float")
    root = tmp_path_factory.mktemp("d")
    destination(root, format="jsonl").open(target(of=of)).write(frame(of, *values), "1")

    lines = [line for part in parts(root, "s") for line in part.read_bytes().split(b"\n")[:-1]]
    assert [tuple(json.loads(line).values()) for line in lines] == values


def test_json_has_no_nan(tmp_path: Path):
    """Rows with NaN or infinity are refused by row and column where JSON is written, and nothing of them is written."""
    of = schema(f="float")
    values = frame(of, (1.0,), (float("nan"),), (None,), (float("-inf"),))
    writer = destination(tmp_path, format="jsonl").open(target(of=of))

    assert [(r.row, r.column) for r in refusals(writer, values)] == [(1, "f"), (3, "f")]
    with pytest.raises(Invalid, match="JSON has no nan"):
        writer.write(values, "1")
    assert parts(tmp_path, "s") == []
    assert refusals(destination(tmp_path / "p").open(target(of=of)), values) == []


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]


def test_formulas_are_neutralised(tmp_path: Path):
    """Text that a spreadsheet would run gets an apostrophe; numbers, dates and other text don't; `keep` keeps all."""
    of = schema(s="string", d="decimal(5,2)", n="integer", j="json")
    harmless = ["a=1", "", "'=1", " x", "1-1"]
    values = frame(of, *((text, Decimal("-1.50"), -1, "-1") for text in [*FORMULAS, *harmless]))
    for formulas, mark in (("neutralise", "'"), ("keep", "")):
        root = tmp_path / formulas
        destination(root, format="csv", formulas=formulas).open(target(of=of)).write(values, "1")
        with parts(root, "s")[0].open(newline="", encoding="utf-8") as file:
            cells = list(csv.reader(file))
        assert cells[0] == ["s", "d", "n", "j"]
        assert [row[0] for row in cells[1:]] == [*(mark + text for text in FORMULAS), *harmless]
        assert {tuple(row[1:]) for row in cells[1:]} == {("-1.50", "-1", "-1")}


def test_csv_parts_are_read_back_by_the_source(tmp_path: Path):
    """What the CSV destination writes, the CSV source reads, with null and empty text apart."""
    of = schema(a="string", b="string")
    values = [(None, ""), ("x\ny", 'q"'), ("", None), (",", "\r")]
    destination(tmp_path, format="csv", formulas="keep").open(target(of=of)).write(frame(of, *values), "1")

    (batch,) = source(tmp_path, "s/*.csv").read(None)
    assert batch.frame.rows() == values


def test_columns_are_added_never_changed(tmp_path: Path):
    """A new column is added to later parts, one that is left out is null in them, another type or format is refused."""
    destination(tmp_path).open(target(of=schema(a="integer", b="string"))).write(
        frame(schema(a="integer", b="string"), (1, "x")), "1"
    )
    wider = schema(a="integer", c="date")
    destination(tmp_path).open(target(of=wider)).write(frame(wider, (2, dt.date(2024, 1, 1))), "2")

    assert rows(tmp_path, "s", schema(a="integer", b="string", c="date")).rows() == [
        (1, "x", None),
        (2, None, dt.date(2024, 1, 1)),
    ]
    with pytest.raises(Invalid, match="column 'c' was written as date and is string now"):
        destination(tmp_path).open(target(of=schema(c="string")))
    with pytest.raises(Invalid, match="parquet parts and csv would be added"):
        destination(tmp_path, format="csv").open(target(of=wider))
    replacing = destination(tmp_path, format="csv").open(target("replace", "r2", schema(c="string")))
    replacing.write(frame(schema(c="string"), ("now",)), "1")
    replacing.finish("2")
    assert [part.suffix for part in parts(tmp_path, "s")] == [".csv"]


def test_a_replacement_that_shrinks_too_much_is_denied(tmp_path: Path):
    """Past the bound the old content stays and the run ends denied; at the bound it is replaced."""
    first = destination(tmp_path).open(target("replace", "r1"))
    first.write(sample(range(10)), "1")
    first.finish("2")
    for kept, denied in ((4, True), (5, False)):
        writer = destination(tmp_path).open(target("replace", f"keep{kept}", max_shrink=0.5))
        writer.write(sample(range(kept)), "1")
        if denied:
            with pytest.raises(Denied, match="would shrink from 10 rows to 4"):
                writer.finish("2")
            assert len(ids(tmp_path)) == 10
        else:
            writer.finish("2")
            assert len(ids(tmp_path)) == 5


def test_of_two_replacing_runs_the_later_wins(tmp_path: Path):
    """The earlier run's next write waits; its rows don't mix with those of the later."""
    early = destination(tmp_path).open(target("replace", "early"))
    early.write(sample([1]), "early/1")
    late = destination(tmp_path).open(target("replace", "late"))
    with pytest.raises(Waiting, match="another run replaces 's'"):
        early.write(sample([2]), "early/2")
    late.write(sample([3]), "late/1")
    late.finish("late/2")

    assert ids(tmp_path) == [3]


def test_a_flow_that_changes_its_stream_has_one_checkpoint(tmp_path: Path):
    """The checkpoint follows the flow to another folder, and forgetting it there doesn't revive the old one."""
    opened = destination(tmp_path)
    opened.open(target(stream="a")).write(sample([1]), "1")
    writer = opened.open(target(stream="b"))
    assert opened.checkpoint(FLOW) == "1"
    writer.write(sample([2]), "2")
    assert opened.checkpoint(FLOW) == "2"
    opened.forget(FLOW)
    assert opened.checkpoint(FLOW) is None


def test_a_damaged_list_stops_the_flows_it_may_say_something_of(tmp_path: Path):
    """Whose checkpoint may be in it can't go on, wherever it writes to by now; others write, move and leave beside it."""
    destination(tmp_path).open(target(stream="a")).write(sample([1]), "1")
    (tmp_path / "a" / "_syncline.json").write_bytes(b"{")
    opened: Any = destination(tmp_path)
    for attempt in (
        lambda: opened.checkpoint(FLOW),
        lambda: opened.open(target(stream="b")),
        lambda: opened.move(FLOW, "acme/Sync/renamed"),
        lambda: opened.leave("b", FLOW),
    ):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert caught.value.code == "SYN473"
    assert not list((tmp_path / "b").glob("part-*"))

    other = Target("acme/Sync/other", "r1", "c", EVERY_TYPE, "append")
    assert opened.checkpoint(other.flow) is None
    opened.open(other).write(sample([2]), "2")
    opened.move(other.flow, "acme/Sync/renamed")
    assert opened.checkpoint("acme/Sync/renamed") == "2"
    opened.leave("c", "acme/Sync/renamed")
    assert opened.checkpoint("acme/Sync/renamed") is None
    assert ids(tmp_path, "c") == [2]


def test_a_flow_that_comes_back_to_a_folder_needs_the_one_it_was_in(tmp_path: Path):
    """What it had written to the first folder isn't added again because the second's list is damaged."""
    opened = destination(tmp_path)
    opened.open(target(stream="a")).write(sample([1]), "1")
    opened.open(target(stream="b")).write(sample([2]), "2")
    (tmp_path / "b" / "_syncline.json").write_bytes(b"")
    with pytest.raises(Invalid, match="_syncline"):
        destination(tmp_path).checkpoint(FLOW)


def test_where_a_flow_is_isnt_lost_with_the_note_of_it(tmp_path: Path):
    """Restored without hidden folders, a root says it by its lists."""
    opened = destination(tmp_path)
    opened.open(target(stream="a")).write(sample([1]), "1")
    shutil.rmtree(tmp_path / ".fences")
    assert destination(tmp_path).checkpoint(FLOW) == "1"
    opened.open(target(stream="b")).write(sample([2]), "2")
    assert destination(tmp_path).checkpoint(FLOW) == "2"


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"version": 2, "format": "csv", "columns": []}', b'{"format": 1, "columns": []}']
)
def test_a_damaged_list_is_refused(tmp_path: Path, data):
    """A list that can't be understood is one clear error, and the folder stays as it is."""
    destination(tmp_path).open(target()).write(sample([1]), "1")
    (tmp_path / "s" / "_syncline.json").write_bytes(data)

    with pytest.raises(Invalid, match=r"_syncline\.json can't be used") as caught:
        destination(tmp_path).open(target())
    assert caught.value.code == "SYN473"
    assert len(list((tmp_path / "s").glob("part-*"))) == 1


def test_parts_without_their_list_are_refused(tmp_path: Path):
    """Parts whose list is gone, and lists whose parts are gone, are errors: nothing is deleted."""
    destination(tmp_path).open(target()).write(sample([1]), "1")
    (part,) = parts(tmp_path, "s")
    listing = tmp_path / "s" / "_syncline.json"
    kept = listing.read_bytes()
    listing.unlink()
    with pytest.raises(Invalid, match="has parts and no list"):
        destination(tmp_path).open(target())
    listing.write_bytes(kept)
    part.unlink()
    with pytest.raises(Invalid, match="which is gone"):
        destination(tmp_path).open(target())


def test_unknown_options_are_refused(tmp_path: Path):
    """A format or a treatment of formulas that doesn't exist is Invalid and lists those that do."""
    for options in ({"format": "xlsx"}, {"formulas": "run"}):
        with pytest.raises(Invalid, match="can't be") as caught:
            destination(tmp_path, **options)
        assert caught.value.code == "SYN474"


def test_check_says_what_can_be_done(tmp_path: Path):
    """The check is one line about the root, and stalls where there is none."""
    assert RUNTIME.check(instance(tmp_path)).place == f"{tmp_path}: readable and writable"
    with pytest.raises(Stalled, match="doesn't exist"):
        RUNTIME.check(instance(tmp_path / "nowhere"))


def test_new_folders_and_files_are_their_owners(tmp_path: Path):
    """Folders, parts, list and lock are made for their owner only; a root that is there keeps its permissions."""
    (tmp_path / "shared").mkdir(mode=0o755)
    for root in ("shared", "a/b"):
        _run(tmp_path / root, "append", "r1", [[1]])
    modes = {p.relative_to(tmp_path).as_posix(): p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    folders = {name for name in modes if (tmp_path / name).is_dir()}

    assert {name for name in folders if modes[name] != 0o700} == {"shared"}
    assert {modes[name] for name in modes.keys() - folders} == {0o600}
    assert {"a", "a/b", "a/b/s", "shared/s"} <= folders
