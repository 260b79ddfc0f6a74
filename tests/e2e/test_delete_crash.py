"""Kill -9 of a run that deletes, at every lasting change: none is lost, none deleted twice, and the receipt is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api_server import api_server
from tests.e2e.deleting import Feed, outcome
from tests.e2e.test_crash import same
from tests.writing_api import Contacts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def feed() -> Iterator[str]:
    """The feed's URL."""
    with api_server(Feed().handle) as server:
        yield server.url


def right(lines: list[dict[str, Any]], *, soft: bool = False) -> None:
    """That what all repairs came to is what the feed says, and that kills came between deletes."""
    there, deleted = outcome()
    found = lines[0]["outcome"]
    rows = [int(row["id"] if isinstance(row, dict) else row[0]) for row in found["rows"] if not soft or not row[-1]]
    assert sorted(rows) == sorted(there)
    assert found["totals"]["deleted"] == deleted
    assert found["accounted"]
    assert found["totals"]["rejected"] == 2


@pytest.mark.parametrize(("deletes", "stride", "first"), [("hard", 29, 15), ("soft", 47, 30)])
@pytest.mark.slow
def test_deletes_in_a_table_are_made_once(tmp_path, feed, deletes, stride, first):
    """A sample of points, inside transactions too: rows, marks and counts are those of a run that wasn't killed."""
    scenario = {"write": "upsert", "api": feed, "deletes": deletes}
    lines = same(tmp_path, "run", scenario, stride=stride, first=first, deep=True)
    right(lines, soft=deletes == "soft")
    assert any("writer.write_removing" in line["within"] for line in lines)


@pytest.mark.slow
def test_a_repair_of_deletes_that_is_killed_is_repaired(tmp_path, feed):
    """A run that is killed twice, at different points, still deletes each row once."""
    lines = same(tmp_path, "run", {"write": "upsert", "api": feed, "deletes": "hard"}, stride=23, first=9, twice=True)
    right(lines)
    assert any(line["again"] for line in lines)


@pytest.mark.slow
def test_deletes_on_postgresql_are_made_once(tmp_path, feed, postgres_url):
    """A sample of points, with PostgreSQL as the destination."""
    scenario = {
        "write": "upsert",
        "api": feed,
        "deletes": "hard",
        "destination": postgres_url,
        "schema": "kill_deletes",
    }
    right(same(tmp_path, "run", scenario, stride=61, first=31, deep=True))


@pytest.mark.parametrize(("way", "first", "stride"), [("put", 43, 97), ("ids", 37, 71)])
@pytest.mark.slow
def test_deletes_in_an_api_are_made_once(tmp_path, feed, way, first, stride):
    """A sample of points, between a delete and its answer too: each record is deleted once, and counted so."""
    api = Contacts(unique="")
    with api_server(api.handle) as server:
        scenario = {"write": "upsert", "api": feed, "deletes": "hard", "sink": server.url, "way": way}
        lines = same(tmp_path, "run", scenario, stride=stride, first=first)
    right(lines)
    assert any("writer.delete" in line["within"] and line["name"] == "after client.fetch" for line in lines)
    assert lines[0]["outcome"]["removed"] == outcome()[1]
