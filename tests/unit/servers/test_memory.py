"""Folders of tests lie in memory only where that is as good as a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import memory
from tests.e2e.test_faults import small_disk


def test_no_folder_is_none(tmp_path):
    """On systems without one, folders lie where temporary ones do."""
    assert memory.in_memory(tmp_path / "none") is None


def test_a_roomy_folder_is_taken(tmp_path, monkeypatch):
    """With the room that it asks for."""
    monkeypatch.setattr(memory, "ROOM", 1)
    assert memory.in_memory(tmp_path) == tmp_path


def test_a_small_one_is_left(tmp_path):
    """A container's default of 64 MB would be full before the tests end."""
    with small_disk(tmp_path / "small", "64m") as disk:
        assert memory.in_memory(disk) is None


def test_folders_of_this_run_lie_there(tmp_path):
    """Unless somebody chose another place."""
    chosen = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    if chosen is None:
        pytest.skip("needs memory for folders, and no TMPDIR")
    assert Path(chosen) in tmp_path.parents
