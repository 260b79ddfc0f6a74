"""Fixtures of the contracts: a state on each database."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.state_places import PLACES, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.state.sql import SqlStore


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    """An empty place for state in each database."""
    schema = f"s{uuid.uuid4().hex[:12]}"
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/.syncline/state.db" if sqlite else request.getfixturevalue("postgres_url")
    made = Where(url, schema, [])
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(where: Where) -> SqlStore:
    """A new store."""
    return where.store()
