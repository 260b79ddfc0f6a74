"""The list of faults: every one has its row, and every test that a row names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [line.split(" | ") for line in (ROOT / "docs/faults.md").read_text().splitlines() if re.match(r"\| \d", line)]
FILES = sorted((ROOT / "tests").rglob("test_*.py"))
#: A file, and in parentheses after it, parts of names of its tests.
NAMED = re.compile(r"`(?:[\w/]+/)?(?P<file>test_\w+\.py)`(?: \((?P<tests>[^)]*)\))?")


def test_every_fault_has_a_row():
    """From 1 to 40, in order, none is left out."""
    numbers = [int(re.findall(r"\d+", row[0])[0]) for row in ROWS]

    assert sorted(set(numbers)) == list(range(1, 41))
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0].strip('| ')} {row[1]}")
def test_what_a_row_names_is_there(row: list[str]):
    """Files exist, by their whole path where that is given, and have tests of these names."""
    for path in re.findall(r"`(tests/[\w/.]+)`", row[2]):
        assert (ROOT / path).exists(), path
    for found in NAMED.finditer(" ".join(row[2:])):
        texts = [path.read_text() for path in FILES if path.name == found["file"]]
        assert texts, found["file"]
        for part in re.findall(r"`(\w+_\w+)`", found["tests"] or ""):
            assert any(re.search(rf"def \w*{part}", text) for text in texts), f"{part} in {found['file']}"
