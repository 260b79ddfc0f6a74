"""Splitting a batch into rows to write and keys to delete, by the last word on each key."""

from __future__ import annotations

import polars as pl

from syncline.executor.batches.prepare import Prepared, Preparer, frame_digest
from syncline.executor.batches.tombstones import Tombstones
from syncline.sdk.batch import Batch, Span
from syncline.sdk.source import TOMBSTONE
from tests.unit.mapping.manifests import columns, schema

SOURCE = schema(**{"id": "string", "name": "string", TOMBSTONE: "boolean"})
MAPPING = """\
where: name != 'hidden'
key: [id]
fields: [{to: name, from: name, required: true}, {to: id, from: id, type: integer}]
"""


def prepared(*records: tuple[str | None, str | None, bool | None], mark: str = "") -> Prepared:
    """A batch of records of id, name, and whether they are tombstones."""
    bound = columns(MAPPING, SOURCE)
    tombstones = Tombstones(bound.of_fields(("id",)), mark)
    target = tombstones.target(bound.target)
    frame = pl.DataFrame(list(records), {"id": pl.String, "name": pl.String, TOMBSTONE: pl.Boolean}, orient="row")
    batch = Batch(frame, (Span("page", "record", 1, frame.height),), position={})
    return Preparer(bound, target, True, None, tombstones=tombstones).prepare(batch)


def ids(frame: pl.DataFrame | None) -> list[int]:
    return [] if frame is None else frame["id"].to_list()


def test_the_last_word_on_a_key_wins_in_both_directions():
    """What is deleted and comes back is written; what is written and deleted after is deleted. The older are skipped."""
    found = prepared(("1", "a", False), ("2", None, True), ("1", None, True), ("2", "b", None), ("3", "c", False))
    assert found.frame.to_dicts() == [{"name": "b", "id": 2}, {"name": "c", "id": 3}]
    assert ids(found.gone) == [1]
    assert (found.counts.read, found.counts.written, found.counts.skipped) == (5, 3, 2)
    assert found.counts.balanced()


def test_only_the_key_of_a_tombstone_is_mapped():
    """Required fields and `where` don't hold for it; a key that is null or no integer makes it a reject, at its place."""
    found = prepared(
        ("1", None, False), ("2", "hidden", True), ("x", None, True), (None, None, True), ("4", "d", False)
    )
    assert (ids(found.frame), ids(found.gone)) == ([4], [2])
    assert [(r.place, r.field, r.rule) for r in found.rejects] == [
        ("page#1", "name", "required"),
        ("page#3", "id", "type"),
        ("page#4", "id", "required"),
    ]
    assert found.counts.balanced()


def test_a_batch_without_tombstones_deletes_nothing():
    """Its rows, and the digest of what is written, are as they would be without deletes."""
    found = prepared(("1", "a", False), ("2", "hidden", False))
    assert (ids(found.frame), found.gone, found.counts.skipped) == ([1], None, 1)
    assert found.written_digest == frame_digest(found.frame)


def test_a_batch_of_tombstones_alone_writes_no_row():
    """Keys that are deleted are part of the digest of what was written."""
    one, other = prepared(("1", None, True)), prepared(("2", None, True))
    assert (one.frame.height, ids(one.gone), one.counts.written) == (0, [1], 1)
    assert one.written_digest != other.written_digest


def test_rows_of_a_soft_delete_have_an_empty_mark():
    """A record that comes back clears the mark, as every record that is written does."""
    found = prepared(("1", "a", False), ("2", None, True), mark="deleted_at")
    assert found.frame["deleted_at"].to_list() == [None]
    assert found.gone is not None
    assert found.gone.columns == ["id"]
