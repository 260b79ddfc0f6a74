"""What validation says about imports that are to be undone and couldn't be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from tests.e2e import writing
from tests.e2e.house import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

MARIADB = "connector: mariadb@^1\n  config: {url: mariadb://db.example.com/warehouse}"
DUCKDB = "connector: duckdb@^1\n  config: {path: warehouse.duckdb}"


def found(write="upsert", destination="sqlite", warehouse="") -> list[str]:
    """Code, message and help of each finding about undoing."""
    texts = dict(Scenario(write, destination, "crm", kind="Import").texts)
    texts["sync.yaml"] = texts["sync.yaml"].replace(f"write: {write}", f"write: {write}, rollback: {{window: 7d}}")
    if warehouse:
        texts["warehouse.yaml"] = texts["warehouse.yaml"].replace(
            "connector: sqlite@^1\n  config: {path: warehouse.db}", warehouse
        )
    return findings(texts)


def findings(texts: Mapping[str, str]) -> list[str]:
    """The same of these manifests."""
    loaded = [load_text(text, name) for name, text in texts.items()]
    assert not [d for result in loaded for d in result.diagnostics if d.severity == "error"]
    diagnostics = resolve([m for result in loaded for m in result.manifests]).diagnostics
    return [f"{d.message} {d.help}" for d in diagnostics if d.code == "SYN760"]


@pytest.mark.parametrize("write", ["upsert", "append", "replace"])
@pytest.mark.parametrize("warehouse", ["", MARIADB, DUCKDB], ids=["sqlite", "mariadb", "duckdb"])
def test_any_database_is_fine(write, warehouse):
    """Databases keep what undoing needs, however they are written to."""
    assert found(write, warehouse=warehouse) == []
    assert found(write, "postgresql://db.example.com:5432/warehouse") == []


def test_what_cannot_be_undone_is_found():
    """What an API was sent can't be taken back: one finding says so, and what to do."""
    texts = writing.repository("https://crm.example.com", "put")
    texts["sync.yaml"] = texts["sync.yaml"].replace("kind: Sync", "kind: Import")
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full, write: upsert", "rollback: {window: 7d}")
    (line,) = findings(texts)
    assert "what is written by rest can't be taken back Write to PostgreSQL, MariaDB, SQLite, DuckDB" in line


@pytest.mark.parametrize("write", ["append", "replace"])
def test_folders_of_files_are_fine(write):
    """Their lists of parts say what a run wrote."""
    assert found(write, "jsonl") == []
