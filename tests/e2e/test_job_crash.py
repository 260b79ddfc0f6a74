"""Kill -9 of a run that reads a job of an API, at every request and lasting change: one job, and no record lost."""

from __future__ import annotations

import pytest

from tests.api_server import api_server
from tests.e2e.exporting import Exports
from tests.e2e.test_crash import agrees, same
from tests.sampling import ALL, stride


@pytest.mark.slow
def test_a_run_with_a_job_that_is_killed_at_any_point_uses_one_job(tmp_path):
    """
    At every request, between its effect and its answer too, and at every commit: one job is created, its records are in
    the table once, and it is deleted once, after they are. Every third point; `make test-kills` tries all.
    """
    with api_server(Exports(tmp_path / "work" / "warehouse.db").handle) as server:
        lines = same(tmp_path, "run", {"write": "append", "api": server.url, "jobs": "one"}, stride=stride(3))
    agrees(lines, "append")
    fetched = sum(line["name"] == "after source.fetch" for line in lines)
    assert fetched == 10 if ALL else fetched > 1
    assert {line["outcome"]["jobs"]["early"] for line in lines} == {0}
    assert lines[0]["outcome"]["jobs"] == {"created": 1, "deleted": 1, "early": 0}
    assert lines[0]["outcome"]["totals"] == {
        "read": 40,
        "written": 36,
        "rejected": 4,
        "skipped": 0,
        "deleted": 0,
        "absent": 0,
    }


@pytest.mark.slow
def test_a_run_with_a_job_for_each_partition_that_is_killed_uses_one_for_each(tmp_path):
    """A sample of points of a stream with `for`, whose jobs are at URLs that the API gives: as many jobs as partitions."""
    with api_server(Exports(tmp_path / "work" / "warehouse.db").handle) as server:
        lines = same(tmp_path, "run", {"write": "append", "api": server.url, "jobs": "each"}, stride=9, first=4)
    agrees(lines, "append")
    assert lines[0]["outcome"]["jobs"] == {"created": 2, "deleted": 2, "early": 0}
    assert lines[0]["outcome"]["totals"] == {
        "read": 80,
        "written": 72,
        "rejected": 8,
        "skipped": 0,
        "deleted": 0,
        "absent": 0,
    }
