"""Tests of watching a folder: every change of what would be loaded, once it is at rest, and nothing else."""

from __future__ import annotations

import os

from syncline.daemon.working import WorkingFolder


def test_changes_are_told_once_they_are_at_rest(tmp_path):
    """New, changed and removed files are told of together, after a look that found them as they were before it."""
    (tmp_path / "a.yaml").write_text("a: 1\n")
    folder = WorkingFolder(tmp_path)
    assert folder.changes() == ()
    assert folder.changes() == ("a.yaml",)
    assert folder.changes() == ()

    (tmp_path / "a.yaml").write_text("a: 22\n")
    assert folder.changes() == ()
    (tmp_path / "b.yml").write_text("b: 1\n")
    assert folder.changes() == ()  # it is still being written
    assert folder.changes() == ("a.yaml", "b.yml")
    (tmp_path / "b.yml").unlink()
    assert (folder.changes(), folder.changes()) == ((), ("b.yml",))


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_has_changed(tmp_path):
    """Editors write a new file and rename it."""
    (tmp_path / "a.yaml").write_text("a: 1\n")
    os.utime(tmp_path / "a.yaml", (1, 1))
    folder = WorkingFolder(tmp_path)
    folder.changes()
    folder.changes()
    (tmp_path / "a.new").write_text("a: 2\n")
    os.utime(tmp_path / "a.new", (1, 1))
    (tmp_path / "a.new").rename(tmp_path / "a.yaml")
    assert (folder.changes(), folder.changes()) == ((), ("a.yaml",))


def test_what_isn_t_loaded_doesn_t_count(tmp_path):
    """Other endings and hidden folders, such as the state's own, are no changes."""
    folder = WorkingFolder(tmp_path)
    (tmp_path / ".syncline").mkdir()
    (tmp_path / ".syncline" / "x.yaml").write_text("x: 1\n")
    (tmp_path / "data.csv").write_text("1\n")
    assert (folder.changes(), folder.changes()) == ((), ())
