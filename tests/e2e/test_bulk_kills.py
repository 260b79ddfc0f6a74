"""Kill -9 at any time of an import whose parts are under way at once; whoever comes next ends it as if nothing happened."""

from __future__ import annotations

import pytest

from syncline.executor.services.in_flight import PART_BYTES, PART_ROWS, PARTS
from syncline.sdk.source import BATCH_BYTES, BATCH_ROWS
from tests.e2e.bulk_kills import Amount, Part, attempts_in, bulk_at, kills, read_again
from tests.sampling import ALL


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.slow
def test_an_import_that_is_killed_at_any_time_ends_like_one_that_was_not(tmp_path, postgres_url, partitions):
    """Table, counts, rejects and digests are the same; a kill has one batch read again at most, and nothing committed."""
    with bulk_at(postgres_url, tmp_path, rows=60_000, batch=256 * 1024, partitions=partitions) as bulk:
        unbroken, *points = kills(bulk, 5 if ALL else 3, seed=partitions)

    assert unbroken["outcome"]["audit"]
    assert unbroken["outcome"]["batches"] > 10
    batch = unbroken["batch"]
    assert batch["bytes"] == PARTS * 256 * 1024 < unbroken["read"]["bytes"] / 2
    for point in points:
        assert point["outcome"] == unbroken["outcome"]
        assert len(point["again"]) == point["attempts"] - 1
        for again in point["again"]:
            assert again["parts"] <= min(partitions + 2, PARTS)
            assert again["bytes"] <= batch["bytes"]
            assert again["rows"] <= batch["rows"]


def test_a_part_of_an_import_is_a_quarter_of_a_batch():
    """So that what is under way of it at most is one batch, as a sync commits it, in bytes and in records."""
    assert PARTS * PART_BYTES == BATCH_BYTES
    assert PARTS * PART_ROWS == BATCH_ROWS


def test_what_a_kill_had_read_again_is_counted_with_what_it_had_only_begun():
    """Of four parts, one is committed: the second and third were read, and the fourth was begun."""
    log = "attempt\nbegun\npart a 5 1\nbegun\npart b 5 2\nbegun\npart c 5 3\nbegun\n"
    again = "attempt\nbegun\npart b 5 2\nbegun\npart c 5 3\nbegun\npart d 5 4\nbegun\n"
    whole = [Part("a", 5, 1), Part("b", 5, 2), Part("c", 5, 3), Part("d", 5, 4)]

    assert read_again(attempts_in(log + again), whole) == [Amount(3, 15, 9)]
    assert read_again(attempts_in(log + "attempt\n" + again), whole) == [Amount(3, 15, 9), Amount()]
    assert read_again(attempts_in(log + "attempt\nbegun\n" + again), whole) == [Amount(3, 15, 9), Amount(1, 5, 2)]
    assert read_again(attempts_in(log + "attempt\nbegun\n"), whole) == [Amount()]
