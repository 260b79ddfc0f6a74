"""What validation says about imports that are to be undone and couldn't be."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from tests.e2e.house import Scenario

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
    loaded = [load_text(text, name) for name, text in texts.items()]
    assert not [d for result in loaded for d in result.diagnostics if d.severity == "error"]
    diagnostics = resolve([m for result in loaded for m in result.manifests]).diagnostics
    return [f"{d.message} {d.help}" for d in diagnostics if d.code == "SYN760"]


@pytest.mark.parametrize("destination", ["sqlite", "postgresql://db.example.com:5432/warehouse"])
def test_an_upsert_into_either_database_is_fine(destination):
    """SQLite and PostgreSQL keep what undoing needs."""
    assert found(destination=destination) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"write": "replace"}, "write: replace puts a new table in place of the old one Use write: upsert"),
        ({"write": "append"}, "write: append knows no rows by key Use write: upsert"),
        ({"destination": "jsonl"}, "what is written by file can't be taken back Write to PostgreSQL or SQLite"),
        ({"warehouse": MARIADB}, "this version keeps nothing that it needs in MariaDB Write to PostgreSQL or SQLite"),
        ({"warehouse": DUCKDB}, "this version keeps nothing that it needs in DuckDB Write to PostgreSQL or SQLite"),
    ],
    ids=["replace", "append", "files", "mariadb", "duckdb"],
)
def test_what_cannot_be_undone_is_found(how, words):
    """Each hindrance is one finding that names it and says what to do."""
    lines = found(**how)
    assert len(lines) == 1
    assert words in lines[0]
