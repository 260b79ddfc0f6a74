"""Kill -9 at any time of an import whose parts are under way at once; whoever comes next ends it as if nothing happened."""

from __future__ import annotations

import pytest

from syncline.executor.in_flight import PARTS
from tests.e2e.bulk_kills import bulk_at, kills
from tests.sampling import ALL


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.slow
def test_an_import_that_is_killed_at_any_time_ends_like_one_that_was_not(tmp_path, postgres_url, partitions):
    """Table, counts, rejects and digests are the same; read again is what was under way, and nothing that was committed."""
    with bulk_at(postgres_url, tmp_path, rows=60_000, batch=256 * 1024, partitions=partitions) as bulk:
        unbroken, *points = kills(bulk, 5 if ALL else 3, seed=partitions)

    assert unbroken["outcome"]["audit"]
    assert unbroken["outcome"]["batches"] > 10
    for point in points:
        assert point["outcome"] == unbroken["outcome"]
        assert point["again"] <= (point["attempts"] - 1) * min(partitions + 2, PARTS)
