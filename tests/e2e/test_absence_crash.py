"""Kill -9 of a run that deletes what its read lacks, at every lasting change: all of it goes, once, and at the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.test_crash import same

#: Of the 60 customers of the first run, those of whom a row was written; 40 are read by the second.
_WRITTEN = {n for n in range(1, 61) if n % 7 and n % 11}
_GONE = {n for n in _WRITTEN if n > 40}


def right(lines: list[dict[str, Any]]) -> None:
    """That the rows are those of the second read, and that they all were there until the end."""
    found = lines[0]["outcome"]
    assert {int(row[0]) for row in found["rows"]} == _WRITTEN - _GONE
    assert found["totals"]["absent"] == len(_GONE)
    for line in lines:
        between = line["between"]
        swept = between["done"] and between["rows"] == len(_WRITTEN - _GONE)
        assert swept or between["rows"] == len(_WRITTEN), f"{line['point']}: {line['name']}"


@pytest.mark.parametrize(("stride", "twice"), [(5, False), (17, True)])
@pytest.mark.slow
def test_what_is_absent_is_deleted_once(tmp_path, stride, twice):
    """A sample of points, inside transactions too, and of repairs that are killed: rows, counts and receipt are right."""
    scenario = {"write": "upsert", "absent": "delete"}
    lines = same(tmp_path, "run", scenario, stride=stride, first=2, deep=True, twice=twice)
    right(lines)
    assert twice or any("writer.sweep" in line["within"] for line in lines)


@pytest.mark.slow
def test_what_is_absent_on_postgresql_is_deleted_once(tmp_path, postgres_url):
    """A sample of points, with PostgreSQL as the destination."""
    scenario = {"write": "upsert", "absent": "delete", "destination": postgres_url, "schema": "kill_absence"}
    right(same(tmp_path, "run", scenario, stride=13, first=7, deep=True))
