"""What end-to-end tests ask for: where a flow writes to, and what a daemon needs. Those with other data have their own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.e2e.daemon import Remote, home
from tests.e2e.house import Scenario

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


@pytest.fixture(params=["sqlite", "postgresql"])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """A flow that writes by upsert to SQLite, or to PostgreSQL in a schema of its own."""
    if request.param == "sqlite":
        return Scenario("upsert")
    return Scenario("upsert", request.getfixturevalue("postgres_url"), f"house_{uuid4().hex[:8]}")
