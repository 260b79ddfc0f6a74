"""Commitments to the rows of a run: what a row is, and the root of many of them."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import polars as pl

from syncline.audit import records, tree
from syncline.executor.batches.provable import lines, root_of

if TYPE_CHECKING:
    from pathlib import Path


def test_bytes_that_are_no_text_are_in_hex():
    """A row with any bytes is the same record as its columns as texts, the bytes in hex."""
    frame = pl.DataFrame({"id": [1, 2], "photo": [b"\xff\x00", None]})
    assert lines(frame) == [
        records.canonical({"id": 1, "photo": "ff00"}),
        records.canonical({"id": 2, "photo": None}),
    ]


def test_the_root_of_a_run_is_found_a_batch_at_a_time(tmp_path: Path):
    """Memory that it takes is that of a batch, however many there are, and the root is that of all of them."""
    leaves = [tree.leaf_hash(bytes([row % 256])) for row in range(2_000)]
    for number in range(60):
        (tmp_path / str(number)).write_bytes(b"".join(leaves))
    whole = records.root([leaves] * 60).hex()
    peaks = []
    for batches in (2, 60):
        tracemalloc.start()
        found = root_of(tmp_path, batches)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert found == whole
    assert peaks[1] < peaks[0] * 1.5
    assert root_of(tmp_path, 61) == ""
