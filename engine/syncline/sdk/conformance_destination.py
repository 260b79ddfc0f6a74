"""The promises of a destination as checks that a connector's developer runs, like those of `conformance.py`.

    @pytest.mark.parametrize("check", conformance_destination.DESTINATION_CHECKS)
    def test_destination(check, tmp_path):
        check(DestinationCase(lambda: MyDestination(tmp_path), rows=read_back, modes=("append",)))

`DestinationCase` says how to open the system and how to read it back by other means; a check writes to it and looks.
Each check wants a system that was never written to. `failing_destination.py` has one that fails on demand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
from msgspec import Struct

from syncline.model.errors import Again, Invalid
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.chapters import Chaptered
from syncline.sdk.conformance import Broken, require
from syncline.sdk.destination import BLAMED, Destination, Sifting, Target, WriteMode, Writer, Written
from syncline.sdk.failing_destination import FailingDestination
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.offers import offers

_FLOW = "acme/Sync/conformance"
_STREAM = "conformance"


class DestinationCase(Struct, frozen=True):
    """A destination under test: `open` opens the same (at first empty) system each time; `rows` reads a stream back by
    other means, as a frame with the schema's columns and types, in any order; an absent stream is an empty frame.

    `transactional` says that rows and checkpoint appear together or not at all; without it, a batch that ended in an
    error may have written some of its rows. `losing(n)` opens a destination that loses the answer to its n-th effect;
    without it, the answer to a commit is lost. `guarded(stream)` has a stream that is there refuse, from then on, a row
    with a value of `small` that another one has; without it, no row of the system is ever refused by itself.

    Example: `DestinationCase(lambda: MyDestination(path), lambda stream, schema: look(stream), modes=("append",))`.
    """

    open: Callable[[], Destination]
    rows: Callable[[str, Schema], pl.DataFrame]
    modes: tuple[WriteMode, ...]
    transactional: bool = True
    losing: Callable[[int], Destination] | None = None
    guarded: Callable[[str], None] | None = None


#: Every logical type that a target may have.
EVERY_TYPE = Schema(
    (
        Field("id", DataType("integer"), nullable=False),
        Field("name", DataType("string")),
        Field("small", DataType("int32")),
        Field("price", DataType("decimal", 38, 9)),
        Field("ratio", DataType("float")),
        Field("active", DataType("boolean")),
        Field("born", DataType("date")),
        Field("daily", DataType("time")),
        Field("seen", DataType("timestamp")),
        Field("local", DataType("datetime")),
        Field("extra", DataType("json")),
        Field("raw", DataType("binary")),
    ),
    key=("id",),
)


def sample(ids: Sequence[int]) -> pl.DataFrame:
    """Rows of `EVERY_TYPE` with values at the edges: the same row for the same id.

    >>> sample([1, 2])["name"].to_list()
    ['', None]
    """
    edges: tuple[tuple[Any, ...], ...] = (
        (
            'O\'Brien, "é"\\\n😀',
            2**31 - 1,
            Decimal("12345678901234567890123456789.123456789"),
            0.1,
            True,
            date(1969, 12, 31),
            time(23, 59, 59, 999999),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2024, 2, 29, 2, 30),  # noqa: DTZ001 - a wall-clock time has no zone
            '{"a": [1.10, "\\u00e9", null]}',
            b"\x00\xff'\\",
        ),
        (
            "",
            -(2**31),
            Decimal("-0.000000001"),
            -1e300,
            False,
            date(9999, 12, 31),
            time(0),
            datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=UTC),
            datetime(1, 1, 1),  # noqa: DTZ001 - likewise
            "12345678901234567890.10",
            b"",
        ),
        (None,) * 11,
    )
    rows = [(number, *edges[number % 3]) for number in ids]
    return pl.DataFrame(rows, schema=target_frame_schema(EVERY_TYPE), orient="row")


def _target(mode: WriteMode, run: str = "run1", schema: Schema = EVERY_TYPE, stream: str = _STREAM) -> Target:
    return Target(_FLOW, run, stream, schema, mode)


def _rows(case: DestinationCase, schema: Schema = EVERY_TYPE, stream: str = _STREAM) -> list[tuple[Any, ...]]:
    return comparable(case.rows(stream, schema), schema)


def comparable(frame: pl.DataFrame, schema: Schema = EVERY_TYPE) -> list[tuple[Any, ...]]:
    """
    Rows in one order, with the meaning of JSON text: databases may keep it in another form, with all digits.

    Example: `comparable(case.rows(stream, EVERY_TYPE)) == comparable(sample(range(3)))`.
    """
    json_columns = [index for index, field in enumerate(schema.fields) if field.type.name == "json"]
    found = []
    for row in frame.select(schema.names).rows():
        values = list(row)
        for index in json_columns:
            if values[index] is not None:
                values[index] = json.loads(values[index], parse_float=Decimal, parse_int=Decimal)
        found.append(tuple(values))
    return sorted(found, key=lambda row: (row[0], repr(row)))


def _wrote(
    case: DestinationCase, mode: WriteMode, *batches: Sequence[int], run: str = "run1", finish: bool = True
) -> list[Written]:
    """A run: one write a batch, with checkpoints `run/1`, `run/2` and so on; `run/end` at its end."""
    destination = case.open()
    try:
        writer = destination.open(_target(mode, run))
        written = [writer.write(sample(ids), f"{run}/{n}") for n, ids in enumerate(batches, 1)]
        if finish:
            writer.finish(f"{run}/end")
        else:
            writer.abort()
        return written
    finally:
        destination.close()


def _checkpoint(case: DestinationCase, flow: str = _FLOW) -> str | None:
    destination = case.open()
    try:
        return destination.checkpoint(flow)
    finally:
        destination.close()


def _expect(case: DestinationCase, ids: Sequence[int], checkpoint: str | None, when: str) -> None:
    expected = comparable(sample(ids))
    found = _rows(case)
    require(found == expected, f"{when}: rows are {found!r}; expected {expected!r}")
    saved = _checkpoint(case)
    require(saved == checkpoint, f"{when}: the checkpoint is {saved!r}; expected {checkpoint!r}")


def knows_nothing_at_first(case: DestinationCase) -> None:
    """A flow that never wrote has no checkpoint; forgetting and moving it has no effect."""
    destination = case.open()
    try:
        destination.forget(_FLOW)
        destination.move(_FLOW, "acme/Sync/other")
        for flow in (_FLOW, "acme/Sync/other"):
            require(destination.checkpoint(flow) is None, f"{flow} never wrote and has a checkpoint")
    finally:
        destination.close()


def keeps_every_value(case: DestinationCase) -> None:
    """Values of every type, at their edges, and nulls come back as they were given, in every mode."""
    for mode in case.modes:
        destination = case.open()
        try:
            writer = destination.open(_target(mode, f"run_{mode}", stream=f"{_STREAM}_{mode}"))
            written = writer.write(sample(range(6)), "1")
            require(written.inserted + written.updated + written.unchanged == 6, f"{mode}: {written} for 6 rows")
            writer.finish("2")
        finally:
            destination.close()
        found = _rows(case, stream=f"{_STREAM}_{mode}")
        expected = comparable(sample(range(6)))
        require(found == expected, f"{mode}: {found!r} came back of {expected!r}")


def rows_and_checkpoint_appear_together(case: DestinationCase) -> None:
    """After each write both are durable, for a newly opened destination; also when the batch has no rows."""
    mode: WriteMode = "append" if "append" in case.modes else "upsert"
    if mode not in case.modes:
        return
    destination = case.open()
    try:
        writer = destination.open(_target(mode))
        writer.write(sample([1, 2]), "a")
        _expect(case, [1, 2], "a", "after the first write")
        writer.write(sample([]), "b")
        _expect(case, [1, 2], "b", "after a write without rows")
        writer.write(sample([3]), "c")
        _expect(case, [1, 2, 3], "c", "after the third write")
        writer.abort()
        _expect(case, [1, 2, 3], "c", "after aborting")
    finally:
        destination.close()


def a_refused_batch_changes_nothing(case: DestinationCase) -> None:
    """A frame that isn't the schema's raises, and neither its rows nor its checkpoint appear."""
    mode: WriteMode = case.modes[0]
    destination = case.open()
    try:
        writer = destination.open(_target(mode))
        writer.write(sample([1]), "good")
        try:
            writer.write(sample([2]).drop("name"), "bad")
        except Exception:  # noqa: S110 - any error will do, what counts is what it leaves
            pass
        else:
            raise Broken("a frame without a column of the schema was accepted")
        writer.write(sample([3]), "good again")
        writer.finish("end")
    finally:
        destination.close()
    _expect(case, [1, 3], "end", "after a refused batch between two good ones")


def upserts_once(case: DestinationCase) -> None:
    """Upserting the same rows again changes nothing, and the counts say so; other values update by key."""
    if "upsert" not in case.modes:
        return
    first, again = _wrote(case, "upsert", [0, 1, 2]), _wrote(case, "upsert", [0, 1, 2, 3], run="run2")
    require(first == [Written(3)], f"inserting 3 rows was counted as {first}")
    require(again == [Written(1, 0, 3)], f"3 equal rows and a new one were counted as {again}")
    _expect(case, [0, 1, 2, 3], "run2/end", "after upserting twice")
    destination = case.open()
    try:
        changed = sample([0, 1]).with_columns(pl.lit("changed").alias("name"))
        written = destination.open(_target("upsert", "run3")).write(changed, "x")
    finally:
        destination.close()
    require(written == Written(0, 2, 0), f"2 changed rows were counted as {written}")
    require([row[1] for row in _rows(case)][:2] == ["changed"] * 2, "an upsert didn't change the values of its keys")


def replaces_at_the_end_only(case: DestinationCase) -> None:
    """While it is replaced, and when the run gives up, the old content stays; finishing puts the new one in place."""
    if "replace" not in case.modes:
        return
    _wrote(case, "replace", [1, 2], [3])
    _expect(case, [1, 2, 3], "run1/end", "after a first replacing run")
    _wrote(case, "replace", [4], run="run2", finish=False)
    _expect(case, [1, 2, 3], "run2/1", "after a replacing run gave up")
    _wrote(case, "replace", [5], [6], run="run3")
    _expect(case, [5, 6], "run3/end", "after a third replacing run")


def a_replacing_run_continues(case: DestinationCase) -> None:
    """A replacing run that is opened again goes on where its checkpoint is; finishing it twice does nothing more."""
    if "replace" not in case.modes:
        return
    _wrote(case, "replace", [1])
    _wrote(case, "replace", [2, 3], run="run2", finish=False)
    destination = case.open()
    try:
        writer = destination.open(_target("replace", "run2"))
        writer.write(sample([4]), "run2/2")
        writer.finish("run2/end")
        writer.finish("run2/end")
        destination.open(_target("replace", "run2")).finish("run2/end")
    finally:
        destination.close()
    _expect(case, [2, 3, 4], "run2/end", "after a replacing run went on")


def checkpoints_move_and_are_forgotten(case: DestinationCase) -> None:
    """A renamed flow finds its checkpoint under the new name only; a forgotten one has none. Rows stay."""
    _wrote(case, case.modes[0], [1])
    destination = case.open()
    try:
        destination.move(_FLOW, "acme/Sync/renamed")
        require(destination.checkpoint(_FLOW) is None, "a moved checkpoint is still under its old name")
        require(
            destination.checkpoint("acme/Sync/renamed") == "run1/end", "a moved checkpoint isn't under its new name"
        )
        destination.forget("acme/Sync/renamed")
    finally:
        destination.close()
    require(_checkpoint(case, "acme/Sync/renamed") is None, "a forgotten checkpoint is still there")
    require(len(_rows(case)) == 1, "forgetting a checkpoint changed the rows")


def chapters_are_kept_beside_a_checkpoint(case: DestinationCase) -> None:
    """Each once, in the order of their numbers, until a text has them go; they move and are forgotten with the flow."""
    mode = case.modes[0]
    destination = case.open()
    try:
        writer = destination.open(_target(mode))
        if not _keeps_chapters(writer):
            return
        for text, expected in (
            ("a\n1 x", "a\n1 x"),
            ("b", "b\n1 x"),
            ("c\n2 y", "c\n1 x\n2 y"),
            ("d\n0\n3 z", "d\n3 z"),
            *(
                (f"e\n{number} z", "\n".join(("e", *(f"{n} z" for n in range(3, number + 1)))))
                for number in range(4, 12)
            ),
        ):
            writer.write(sample([]), text)
            require(_checkpoint(case) == expected, f"after {text!r}, the checkpoint is {_checkpoint(case)!r}")
        others = Target(_FLOW + "-2", "run9", _STREAM, EVERY_TYPE, mode)
        destination.move(_FLOW, others.flow)
        require(_checkpoint(case) is None, "a moved checkpoint is still under its old name")
        require(_checkpoint(case, others.flow) == expected, "chapters don't move with the checkpoint")
        destination.move(others.flow, _FLOW)
        writer.finish("f\n0")
        require(_checkpoint(case) == "f", f"at the end, the checkpoint is {_checkpoint(case)!r}")
        if mode != "replace":
            writer.write(sample([]), "g\n1 x")
            destination.forget(_FLOW)
            writer.write(sample([]), "h")
            require(_checkpoint(case) == "h", "a chapter of a forgotten checkpoint is there")
    finally:
        destination.close()


def _keeps_chapters(writer: Writer) -> bool:
    return offers(writer, Chaptered) and writer.keeps_chapters


def schemas_grow_and_nothing_else(case: DestinationCase) -> None:
    """A new column is added and is null in old rows; a column that now has another type is Invalid and stays."""
    if case.modes == ("replace",):
        return
    mode: WriteMode = "append" if "append" in case.modes else "upsert"
    _wrote(case, mode, [0])
    wider = Schema((*EVERY_TYPE.fields, Field("added", DataType("string"))), EVERY_TYPE.key)
    destination = case.open()
    try:
        frame = sample([1]).with_columns(pl.lit("new").alias("added"))
        destination.open(_target(mode, "run2", wider)).write(frame, "wider")
        other = Schema((EVERY_TYPE.fields[0], Field("born", DataType("boolean"))), EVERY_TYPE.key)
        try:
            destination.open(_target(mode, "run3", other))
        except Invalid as error:
            require("born" in error.message, f"the error doesn't name the column: {error.message}")
        else:
            raise Broken("a column was accepted with another type")
    finally:
        destination.close()
    added = [row[-1] for row in _rows(case, wider)]
    require(added == [None, "new"], f"the added column holds {added!r}")


def flows_are_kept_apart(case: DestinationCase) -> None:
    """Two flows into one stream have checkpoints of their own."""
    _wrote(case, case.modes[0], [1])
    destination = case.open()
    try:
        other = Target("acme/Sync/other", "run9", _STREAM, EVERY_TYPE, case.modes[0])
        destination.open(other).write(sample([2]), "theirs")
        require(destination.checkpoint("acme/Sync/other") == "theirs", "the second flow has no checkpoint")
    finally:
        destination.close()
    require(_checkpoint(case) == "run1/end", "another flow's write changed the checkpoint")


def a_lost_answer_has_one_effect(case: DestinationCase) -> None:
    """
    A batch whose outcome is unknown, written again if the checkpoint says so, is there once: no row lost, none twice.

    A checkpoint is never ahead of its rows; of a transactional destination, rows aren't ahead of it either.
    """
    for mode in (mode for mode in case.modes if mode != "replace"):
        stream, expected = f"{_STREAM}_{mode}", 0
        for effect in (1, 2, 3):
            ids, checkpoint = [10 * effect, 10 * effect + 1, 10 * effect + 2], f"{mode}/{effect}"
            target = _target(mode, stream=stream)
            lossy = case.losing(effect) if case.losing else FailingDestination(case.open(), at=1, after=True)
            try:
                lossy.open(target).write(sample(ids), checkpoint)
            except Again:
                pass
            finally:
                lossy.close()
            saved, there = _checkpoint(case), case.rows(stream, EVERY_TYPE).height
            whole = there == expected + 3
            require(saved != checkpoint or whole, f"{mode}: the checkpoint is ahead of the rows, of which {there} came")
            if case.transactional:
                require(saved == checkpoint or there == expected, f"{mode}: {there} rows came without their checkpoint")
            if saved != checkpoint:
                again = case.open()
                try:
                    again.open(target).write(sample(ids), checkpoint)
                finally:
                    again.close()
            expected += 3
            found = _rows(case, stream=stream)
            wanted = comparable(sample([10 * n + i for n in range(1, effect + 1) for i in range(3)]))
            require(found == wanted, f"{mode}: after effect {effect} was lost, rows are {found!r}; expected {wanted!r}")
            require(_checkpoint(case) == checkpoint, f"{mode}: the checkpoint is {_checkpoint(case)!r}")


def names_the_rows_that_are_refused(case: DestinationCase) -> None:
    """Of a batch with rows that a stream refuses, these are named and no others; nothing is written but the rest."""
    if case.guarded is None:
        return
    mode: WriteMode = "append" if "append" in case.modes else "upsert"
    _wrote(case, mode, [0])
    case.guarded(_STREAM)
    destination = case.open()
    try:
        writer = destination.open(_target(mode, "run2"))
        asked: object = writer
        if not offers(asked, Sifting) or not asked.sifts:
            raise Broken("a writer to a stream that refuses rows doesn't offer to say which")
        frame = sample([1, 2, 3, 4, 5])
        try:
            writer.write(frame, "bad")
        except Invalid as error:
            require(error.code in BLAMED, f"the code of a batch with refused rows is {error.code}")
        else:
            raise Broken("a batch with rows that the stream refuses was written")
        refused = [refusal.row for refusal in asked.sift(frame, None, None) or ()]
        require(refused == [2, 3], f"of five rows, the third and fourth are refused; found are {refused!r}")
        _expect(case, [0], "run1/end", "after looking which rows are refused")
        writer.write(sample([1, 2, 5]), "rest")
    finally:
        destination.close()
    _expect(case, [0, 1, 2, 5], "rest", "after writing the rows that aren't refused")


DESTINATION_CHECKS: tuple[Callable[[DestinationCase], None], ...] = (
    knows_nothing_at_first,
    keeps_every_value,
    rows_and_checkpoint_appear_together,
    a_refused_batch_changes_nothing,
    upserts_once,
    replaces_at_the_end_only,
    a_replacing_run_continues,
    checkpoints_move_and_are_forgotten,
    chapters_are_kept_beside_a_checkpoint,
    schemas_grow_and_nothing_else,
    flows_are_kept_apart,
    a_lost_answer_has_one_effect,
    names_the_rows_that_are_refused,
)
