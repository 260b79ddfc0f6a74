"""Control totals: exact over batches, and against what came with the data."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.control import check_control, confirmed
from syncline.executor.batches.sums import sums_of
from syncline.kinds.sync import Control, Guards
from syncline.model.errors import Denied
from syncline.model.run import Counts


def guards(**control):
    return Guards(control=Control(**control))


def advanced(checkpoint, values, control):
    frame = pl.DataFrame({"n": values}, schema={"n": pl.Decimal(38, 2)})
    counts = Counts(read=len(values), written=len(values))
    return checkpoint.advance(
        position={}, counts=counts, read=bytes(32), written=bytes(32), sums=sums_of(frame, control)
    )


CENTS = st.integers(-(10**20), 10**20).map(lambda n: Decimal(n).scaleb(-2))


@given(st.lists(st.lists(CENTS, max_size=6), max_size=6))
def test_sums_are_exact_over_batches_and_checkpoints(batches):
    """Whatever the batches, and though each checkpoint goes through its text, not a cent is lost."""
    control = Control(sums={"n": "0"})
    checkpoint = Checkpoint("f", "r", "b")
    for values in batches:
        checkpoint = Checkpoint.loads(advanced(checkpoint, values, control).dumps())
    total = sum((value for values in batches for value in values), Decimal(0))
    records = sum(map(len, batches))
    same = guards(records=records, sums={"n": f"{total:f}"})
    check_control(same, checkpoint)
    assert len(confirmed(same, checkpoint)) == 1
    with pytest.raises(Denied):
        check_control(guards(sums={"n": f"{total + Decimal('0.01'):f}"}), checkpoint)
    with pytest.raises(Denied):
        check_control(guards(records=records + 1), checkpoint)


def test_whole_numbers_are_summed_past_64_bits():
    """A column of integers may come to more than it can hold itself."""
    frame = pl.DataFrame({"n": [2**62] * 8})
    assert sums_of(frame, Control(sums={"n": "0"})) == {"n": Decimal(2**65)}


def test_all_differences_are_told_with_what_was_rejected():
    """Records and sums at once, and how many rejects may explain it."""
    end = Checkpoint("f", "r", "b", 1, counts=Counts(read=3, written=2, rejected=1), sums={"n": "1.50"})
    with pytest.raises(Denied) as caught:
        check_control(guards(records=4, sums={"n": "2"}), end)
    assert caught.value.code == "SYN717"
    assert caught.value.message == (
        "3 records were read, and control.records is 4; the sum of n is 1.50, and control.sums has 2;"
        " 1 records were rejected"
    )


def test_a_sum_that_was_declared_on_the_way_is_not_known():
    """Rows that were committed before weren't summed: the run doesn't pretend that they are nothing."""
    control = Control(sums={"n": "1"})
    first = advanced(Checkpoint("f", "r", "b"), [Decimal(5)], None)
    second = advanced(first, [Decimal(1)], control)
    with pytest.raises(Denied) as caught:
        check_control(guards(sums={"n": "1"}), second)
    assert "declared after the run began" in caught.value.message
