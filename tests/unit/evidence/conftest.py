"""A house with a log in which runs are told, made once; each test gets a copy."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, build, customers, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evidence") / "home"
    root.mkdir()
    customers(root, 50)
    settings = build(root, Scenario("upsert").texts)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    workflow.run(settings, FLOW, progress=Silent())
    return root


@pytest.fixture
def house(_made: Path, tmp_path: Path) -> Settings:
    """Its settings. The flow ran twice."""
    shutil.copytree(_made, tmp_path / "home")
    return settings_of(tmp_path / "home")


@pytest.fixture
def run(house: Settings) -> str:
    """The id of the last run."""
    return workflow.runs(house, FLOW, 1)[0].id
