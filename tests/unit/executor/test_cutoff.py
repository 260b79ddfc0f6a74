"""What is too old is left out by the last word on its key."""

from __future__ import annotations

import datetime as dt

import polars as pl

from syncline.executor.batches.cutoff import Cutoff
from syncline.executor.batches.prepare import Prepared, Preparer
from syncline.executor.batches.tombstones import Tombstones
from syncline.sdk.batch import Batch, Span
from syncline.sdk.retention import Aged
from syncline.sdk.source import TOMBSTONE
from tests.unit.mapping.manifests import columns, schema

MAPPING = """\
key: [id]
fields: [{to: id, from: id, type: integer}, {to: born, from: born, type: date}]
"""
CUTOFF = Cutoff(Aged("born", "date", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
OLD, NEW = "2019-12-31", "2020-01-01"


def prepared(*records: tuple[str, str | None, bool], unique: bool = True) -> Prepared:
    """A batch of records of id, date, and whether they are tombstones; these are looked for if there is one."""
    dead = any(record[2] for record in records)
    source = {"id": "string", "born": "string"} | ({TOMBSTONE: "boolean"} if dead else {})
    bound = columns(MAPPING, schema(**source))
    frame = pl.DataFrame(list(records), {"id": pl.String, "born": pl.String, TOMBSTONE: pl.Boolean}, orient="row")
    batch = Batch(frame if dead else frame.drop(TOMBSTONE), (Span("page", "record", 1, frame.height),), position={})
    tombstones = Tombstones(bound.of_fields(("id",)), "") if dead else None
    preparer = Preparer(bound, bound.target, unique, None, tombstones=tombstones)
    preparer.cutoff = CUTOFF
    return preparer.prepare(batch)


def test_an_older_version_that_is_the_last_takes_the_earlier_ones_along():
    """Neither is written: the row is too old by now. A newer one after it is, and so is a row without an age."""
    found = prepared(("1", NEW, False), ("1", OLD, False), ("2", OLD, False), ("2", NEW, False), ("3", None, False))
    assert found.frame["id"].to_list() == [2, 3]
    assert (found.counts.read, found.counts.written, found.counts.skipped) == (5, 2, 3)
    assert found.counts.balanced()


def test_rows_that_are_appended_are_judged_one_by_one():
    """Where a key may come again, each row is left out or written by its own age."""
    found = prepared(("1", NEW, False), ("1", OLD, False), unique=False)
    assert found.frame["born"].to_list() == [dt.date(2020, 1, 1)]


def test_tombstones_pass():
    """One before a row that is too old still deletes, and one after it is the last word."""
    found = prepared(("1", None, True), ("1", OLD, False), ("2", OLD, False), ("2", None, True), ("3", NEW, False))
    assert found.frame["id"].to_list() == [3]
    assert found.gone is not None
    assert sorted(found.gone["id"].to_list()) == [1, 2]
    assert found.counts.balanced()
