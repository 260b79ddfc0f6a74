"""What tests of the daemon share."""

from __future__ import annotations

import pytest

from syncline.daemon.git.source import GitSource, SourceRepository
from tests.unit.daemon.upstream import Upstream


@pytest.fixture
def upstream(tmp_path):
    return Upstream(tmp_path)


@pytest.fixture
def follow(upstream, tmp_path):
    """A mirror of the repository."""

    def make(**options):
        return SourceRepository(GitSource(str(upstream.path), **options), tmp_path / "home")

    return make
