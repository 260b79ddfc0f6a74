"""How many more records may be rejected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncline.executor.batches.guard import rejects_left
from syncline.kinds.sync import Guards
from syncline.model.run import Counts
from syncline.model.units import Share


@given(st.one_of(st.integers(0, 500).map(str), st.decimals(0, 100, places=2).map("{}%".format)), st.integers(0, 5000))
def test_the_most_is_the_last_that_is_not_exceeded(text: str, whole: int):
    """So many of a whole are within the bound, and one more isn't."""
    share = Share.parse(text)
    most = share.most(whole)
    assert most is not None
    assert not share.exceeded(most, whole)
    assert share.exceeded(most + 1, whole)


def test_what_is_left_is_what_was_not_rejected_yet():
    """Without a bound there is no end; past it, none is left."""
    assert rejects_left(Guards(), Counts(read=10)) is None
    assert rejects_left(Guards.model_validate({"maxRejects": "3"}), Counts(read=10, rejected=1)) == 2
    assert rejects_left(Guards.model_validate({"maxRejects": "10%"}), Counts(read=100, rejected=12)) == 0
