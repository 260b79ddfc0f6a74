"""Records by file: none is left out, however many files there are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline.model import run
from syncline.model.errors import Bug
from syncline.model.run import Counts, FileCounts, with_counts
from tests.golden.samples import RECEIPT


def test_files_beyond_the_limit_are_told_together(monkeypatch):
    """The first files have their own counts, also for batches that come later; all others share one."""
    monkeypatch.setattr(run, "MAX_FILES", 2)
    files: dict[str, FileCounts] = {}
    for name in ("a", "b", "c", "d", "a", "d"):
        files = with_counts(files, name, Counts(read=3, written=1, rejected=1, skipped=1))
    assert files == {"a": FileCounts(6, 2, 2), "b": FileCounts(3, 1, 1), "": FileCounts(9, 3, 3)}
    assert files[""].written == 3


@pytest.mark.parametrize("more", [FileCounts(read=1), FileCounts(rejected=1)])
def test_a_receipt_whose_files_do_not_add_up_is_refused(more):
    """The records of files are those of the run, each once."""
    with pytest.raises(Bug, match="of the files"):
        replace(RECEIPT, file_counts={**RECEIPT.file_counts, "x.csv": more})
