"""The tutorial does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, differences, edited, fits


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path: Path):
    """Followed from its first line to its last in an empty folder, every command prints what the page shows."""
    found = differences(ROOT / "docs" / "tutorial.md", tmp_path)

    assert not found, "\n\n".join(map(str, found))


def test_only_what_differs_each_time_is_masked():
    """Ids, times and durations may differ; a number, a word or a missing line may not."""
    shown = "run 20260105T080000-aaaaaa in 5 ms\n  read 5\n…\nend\n"

    assert fits(shown, "run 20261231T235959-0a1b2c in 1.2 s\n  read 5\none\ntwo\nend\n")
    assert not fits(shown, "run 20261231T235959-0a1b2c in 1.2 s\n  read 6\none\nend\n")
    assert not fits(shown, "run 20261231T235959-0a1b2c in 1.2 s\n  read 5\none\n")


def test_a_change_must_find_its_lines():
    """A change replaces lines that are there once, and is refused otherwise."""
    assert edited("a\nb\n", " a\n-b\n+c\n") == "a\nc\n"
    with pytest.raises(ValueError, match="0 times"):
        edited("a\n", "-b\n+c\n")
