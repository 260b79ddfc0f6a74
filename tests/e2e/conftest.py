"""What tests of a daemon ask for; those with other data have a `root` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.daemon import Remote, home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """The repository that the daemon follows."""
    return Remote(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The daemon's own folder, with the data that its flows read."""
    return home(tmp_path, 200)
