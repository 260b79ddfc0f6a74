"""
Fixtures that every test may ask for: reference data and a PostgreSQL database of its own. Folders of tests lie in memory
where there is room.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.compiled_statements import compiled_once
from tests.examples import examples
from tests.memory import in_memory
from tests.recorded_migrations import recorded_migrations
from tests.servers import mariadb_server, postgres_database, postgres_server, shared_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The same examples in every run, on every machine: a property that fails once fails again.
settings.register_profile("syncline", derandomize=True, database=None, deadline=None, max_examples=examples())
settings.load_profile("syncline")


def pytest_configure() -> None:
    """Puts the folders of tests into memory; whoever chose a place (`--basetemp`, `TMPDIR`) has it."""
    if "TMPDIR" not in os.environ and (folder := in_memory()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_finish() -> None:
    """What was collected, half a million objects, stays until the end: the garbage collector needn't look at it again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _migrations_once() -> Iterator[None]:
    """The migrations run once a process: see `tests/recorded_migrations.py`."""
    with recorded_migrations():
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_once() -> Iterator[None]:
    """Statements are compiled once a process: see `tests/compiled_statements.py`."""
    with compiled_once():
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test vectors and reference data; skips where there is none."""
    return shared_folder()


@pytest.fixture(scope="session")
def postgres_server_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """A superuser URL of a PostgreSQL server, for tests that make databases themselves."""
    base = tmp_path_factory.getbasetemp()
    run = base if worker_id == "master" else base.parent
    with postgres_server(run / "postgres") as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The URL (`postgresql://…`) of a database that only this test process uses, empty at its start."""
    with postgres_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_server_url() -> str:
    """The URL (`mariadb://user:password@host:port`) of a MariaDB server; skips where there is none."""
    return mariadb_server()
