"""The list of what is asked of bulk imports: every row names tests, and they are there."""

from __future__ import annotations

import re

import pytest

from tests.docs.test_list_of_faults import ROOT

PAGE = (ROOT / "docs/bulk-imports.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_what_a_row_is_shown_by_is_there(row: list[str]):
    """Each row names files of tests by their whole paths, and they exist."""
    paths = re.findall(r"`(tests/[\w/.]+)`", row[3])

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_no_row_is_left_out():
    """They are numbered from 1, without a gap."""
    assert [int(row[0]) for row in ROWS] == list(range(1, len(ROWS) + 1))
