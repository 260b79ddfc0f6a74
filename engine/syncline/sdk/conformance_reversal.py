"""
The promises of a destination that can undo runs, as checks beside those of `conformance_destination.py`.

    @pytest.mark.parametrize("check", conformance_reversal.REVERSAL_CHECKS)
    def test_undoing(check, tmp_path):
        check(DestinationCase(lambda: MyDestination(tmp_path), rows=read_back, modes=("upsert",)))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.conformance import Broken, require
from syncline.sdk.conformance_destination import EVERY_TYPE, DestinationCase, comparable, sample
from syncline.sdk.destination import Destination, Target, WriteMode
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Keeping, Kept, Reversing, Undoing, Undone

if TYPE_CHECKING:
    import polars as pl

_FLOW = "acme/Import/conformance"
_STREAM = "conformance"
_WEEK = 7 * 86_400.0


#: The same rows without an identity.
_KEYLESS = Schema(EVERY_TYPE.fields)


def _sealed(data: bytes, about: str) -> bytes:
    """Stands for encryption: unlike what it was, and bound to what it is about."""
    return about.encode() + b"\0" + bytes(byte ^ 0x5A for byte in data)


def _opened(data: bytes, about: str) -> bytes:
    said, _, rest = data.partition(b"\0")
    require(said.decode() == about, f"what was sealed as {said!r} was opened as {about!r}")
    return bytes(byte ^ 0x5A for byte in rest)


def _reversing(destination: Destination) -> Reversing:
    if not offers(destination, Reversing):
        raise Broken("it doesn't offer to undo runs")
    return destination


def _load(
    case: DestinationCase,
    run: str,
    *frames: pl.DataFrame,
    seconds: float = _WEEK,
    mode: WriteMode = "upsert",
    schema: Schema = EVERY_TYPE,
) -> None:
    destination = case.open()
    try:
        _reversing(destination)
        target = Target(_FLOW, run, _STREAM, schema, mode, keeping=Keeping(seconds, _sealed))
        writer = destination.open(target)
        for number, frame in enumerate(frames, 1):
            writer.write(frame, f"{run}/{number}")
        writer.finish(f"{run}/end")
    finally:
        destination.close()


def _undo(case: DestinationCase, run: str, *, more: int = 0, dry: bool = False) -> Undone:
    """Undoes a run, of which `more` batches were committed than are kept."""
    destination = case.open()
    try:
        looked_at: list[int] = []
        reversing = _reversing(destination)
        kept = reversing.kept(run)
        batches = kept.batches if kept is not None else 0
        undoing = Undoing(_FLOW, run, batches + more, "undo", _opened, lambda _: "undone", looked_at.append, dry=dry)
        return reversing.undo(undoing)
    finally:
        destination.close()


def _kept(case: DestinationCase, run: str) -> Kept | None:
    destination = case.open()
    try:
        return _reversing(destination).kept(run)
    finally:
        destination.close()


def _changed(ids: Sequence[int]) -> pl.DataFrame:
    """Rows of these ids with the values of others."""
    return sample(ids).with_columns(sample([number + 1 for number in ids]).drop("id"))


def _both(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return one.vstack(other)


def _expect(case: DestinationCase, frame: pl.DataFrame, when: str) -> None:
    found, expected = comparable(case.rows(_STREAM, EVERY_TYPE)), comparable(frame)
    require(found == expected, f"{when}: rows are {found!r}; expected {expected!r}")


def takes_back_what_a_run_wrote(case: DestinationCase) -> None:
    """Values of every type are as they were, inserted rows are gone, and the flow has the checkpoint it was given."""
    _load(case, "run1", sample(range(6)))
    _load(case, "run2", _changed([0, 1, 2]), sample([7, 8]))
    kept = _kept(case, "run2")
    require(kept is not None and (kept.inserted, kept.updated) == (2, 3), f"of 2 inserts and 3 updates is kept: {kept}")
    found = _undo(case, "run2")
    require(found == Undone(deleted=2, restored=3), f"undoing 2 inserts and 3 updates gave {found}")
    _expect(case, sample(range(6)), "after undoing a run")
    require(_kept(case, "run2") is None, "what was kept of a run is still there after it was undone")
    destination = case.open()
    try:
        saved = destination.checkpoint(_FLOW)
    finally:
        destination.close()
    require(saved == "undone", f"the checkpoint after undoing is {saved!r}")


def a_dry_run_changes_nothing(case: DestinationCase) -> None:
    """It says what undoing would do, and leaves rows, checkpoint and what is kept as they are."""
    _load(case, "run1", sample([1, 2, 3]))
    said = _undo(case, "run1", dry=True)
    _expect(case, sample([1, 2, 3]), "after a dry run")
    done = _undo(case, "run1")
    require(said == done == Undone(deleted=3), f"a dry run said {said}, and undoing did {done}")
    _expect(case, sample([]), "after undoing")


def undoes_whole_runs_only(case: DestinationCase) -> None:
    """A run of which a batch isn't kept stays as it is."""
    _load(case, "run1", sample([1]), sample([2, 3]))
    try:
        _undo(case, "run1", more=1)
    except Invalid:
        _expect(case, sample([1, 2, 3]), "after an undo of a run that is kept in part")
    else:
        raise Broken("a run of which a batch isn't kept was undone")
    require(_undo(case, "run1") == Undone(deleted=3), "a refused undo took away what is kept")


def leaves_what_was_written_since(case: DestinationCase) -> None:
    """A row that a later write changed stays as it is, and is counted as touched."""
    _load(case, "run1", sample([1, 2, 3]))
    _load(case, "run2", _changed([2]))
    found = _undo(case, "run1")
    require(found == Undone(deleted=2, touched=1), f"undoing 3 inserts, one of them changed since, gave {found}")
    _expect(case, _changed([2]), "after undoing under a later write")


def keeps_for_so_long(case: DestinationCase) -> None:
    """What is over can be removed, run by run, and then there is nothing to undo."""
    _load(case, "run1", sample([1]))
    destination = case.open()
    try:
        reversing = _reversing(destination)
        require(reversing.expire(datetime.now(UTC)) == 0, "what isn't over was removed")
        removed = reversing.expire(datetime.now(UTC) + timedelta(seconds=2 * _WEEK))
        require(removed == 1, f"{removed} runs were removed of the one that is over")
    finally:
        destination.close()
    require(_kept(case, "run1") is None, "what is over is still kept")
    try:
        _undo(case, "run1")
    except Invalid:
        _expect(case, sample([1]), "after an undo of what isn't kept")
    else:
        raise Broken("a run of which nothing is kept was undone")


def takes_back_appended_rows(case: DestinationCase) -> None:
    """As many of equal rows go as the run added, and values of every type are told apart exactly."""
    _load(case, "run1", sample(range(4)), mode="append", schema=_KEYLESS)
    _load(case, "run2", sample([0, 1, 7]), sample([8, 0]), mode="append", schema=_KEYLESS)
    kept = _kept(case, "run2")
    require(kept is not None and (kept.inserted, kept.updated) == (5, 0), f"of 5 appended rows is kept: {kept}")
    said = _undo(case, "run2", dry=True)
    _expect(case, _both(sample(range(4)), sample([0, 1, 7, 8, 0])), "after a dry run")
    found = _undo(case, "run2")
    require(said == found == Undone(deleted=5), f"a dry run of 5 appended rows said {said}, and undoing did {found}")
    _expect(case, sample(range(4)), "after undoing an append")


def takes_back_a_replacement(case: DestinationCase) -> None:
    """The rows of before are there again, of every type, and nothing of the new ones; with a key and without."""
    for schema in (EVERY_TYPE, _KEYLESS):
        name = "keyed" if schema.key else "keyless"
        _load(case, f"{name}1", sample(range(6)), mode="replace", schema=schema)
        _load(case, f"{name}2", _changed([0, 1]), sample([2, 3, 9]), mode="replace", schema=schema)
        kept = _kept(case, f"{name}2")
        require(kept is not None and kept.ended, f"of a replaced table is kept: {kept}")
        said = _undo(case, f"{name}2", dry=True)
        _expect(case, _both(_changed([0, 1]), sample([2, 3, 9])), "after a dry run")
        found = _undo(case, f"{name}2")
        require(said == found, f"a dry run said {said}, and undoing did {found}")
        require(not found.touched and not found.gone, f"undoing a replacement that nobody touched gave {found}")
        _expect(case, sample(range(6)), f"after undoing a replacement ({name})")


REVERSAL_CHECKS: tuple[Callable[[DestinationCase], None], ...] = (
    takes_back_what_a_run_wrote,
    a_dry_run_changes_nothing,
    undoes_whole_runs_only,
    leaves_what_was_written_since,
    keeps_for_so_long,
    takes_back_appended_rows,
    takes_back_a_replacement,
)
