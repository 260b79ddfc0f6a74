"""The quality of fields, and keys that come again, over batches."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.executor.previews.quality import SAMPLE, QualityMeter
from syncline.executor.previews.seen_keys import SeenKeys
from syncline.model.run import Reason, Reject
from syncline.model.schema import INTEGER, STRING, DataType, Field, Schema

SCHEMA = Schema((Field("id", INTEGER), Field("zip", STRING), Field("born", DataType("date"))))


def frame(ids, zips, born):
    return pl.DataFrame({"id": ids, "zip": zips, "born": born}, schema_overrides={"born": pl.Date})


def test_shares_are_of_all_batches():
    """Completeness is of rows, validity of records read, the newest date of every batch."""
    meter = QualityMeter(SCHEMA)
    also = (Reason("born", "type", "x", "born is no date"),)
    bad = Reject("a.csv:9", "zip", "pattern", "x", "zip doesn't match", "{}", also)
    meter.take(frame([1, 2], ["8001", None], [dt.date(2020, 1, 1), None]), (bad,), 4)
    meter.take(frame([3, 3], ["8002", "CH-80"], [dt.date(2024, 5, 1), dt.date(2019, 1, 1)]), (), 4)
    ids, zips, born = meter.found()
    assert (ids.completeness, ids.validity, ids.distinct) == (1, 1, 0.75)
    assert (zips.completeness, zips.validity, zips.shape) == (0.75, 0.875, "9999")
    assert zips.consistency == pytest.approx(2 / 3)
    assert zips.score == pytest.approx(100 * 0.75 * 0.875)
    assert (born.newest, born.completeness, born.validity) == ("2024-05-01", 0.75, 0.875)


def test_nothing_read_says_nothing():
    """Without a row there is no share, and no score."""
    assert all(q.score is None and q.completeness is None for q in QualityMeter(SCHEMA).found())


def test_what_is_kept_is_bounded():
    """Distinct values are told from the first rows only, however many come."""
    meter = QualityMeter(Schema((Field("id", INTEGER),)))
    for start in range(0, 3 * SAMPLE, 70_000):
        meter.take(pl.DataFrame({"id": range(start, start + 70_000)}), (), 70_000)
    assert meter.sampled == SAMPLE
    assert meter.found()[0].distinct == 1


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=12), max_size=20))
def test_a_key_is_fresh_in_the_first_batch_that_has_it(batches):
    """Whatever comes in whatever batches, exactly the keys of earlier batches are known."""
    seen, before = SeenKeys(["n", "s"]), set()
    for batch in batches:
        rows = pl.DataFrame(
            {"n": [n for n, _ in batch], "s": [s for _, s in batch]}, schema={"n": pl.Int64, "s": pl.String}
        )
        assert seen.fresh(rows).to_list() == [key not in before for key in batch]
        before.update(batch)
