"""Kill -9 at every lasting change of an apply and of a run; whoever comes next ends it as if nothing had happened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import warm
from tests.api_server import Asked, Reply, api_server
from tests.e2e.reporting import report
from tests.sampling import stride
from tests.writing_api import Contacts

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]


def crash(root: Path, what: str, scenario: dict[str, str], **how: Any) -> Iterator[dict[str, Any]]:
    """The lines of `tests.e2e.crash`: what an unbroken one gives, then what each kill and its repair gave."""
    spec = json.dumps({"root": str(root), "what": what, "scenario": scenario, **how})
    done = warm.run(
        [sys.executable, "-m", "tests.e2e.crash", spec],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return map(json.loads, done.stdout.splitlines())


def same(root: Path, what: str, scenario: dict[str, str], **how: Any) -> list[dict[str, Any]]:
    """Kills and repairs; each outcome must be that of the unbroken one. The lines, for what else they tell."""
    unbroken, *lines = crash(root, what, scenario, **how)
    assert unbroken["outcome"]["audit"]
    assert what != "run" or unbroken["outcome"]["batches"] > 2
    assert len(lines) == len(range(how.get("first", 1), len(unbroken["points"]) + 1, how.get("stride", 1)))
    for line in lines:
        at = f"{line['point']}: {line['name']}"
        assert line["killed"], at
        assert line["outcome"] == unbroken["outcome"], at
    return lines


def agrees(lines: list[dict[str, Any]], write: str) -> None:
    """At the moment of each kill the destination's rows and its checkpoint agreed, and the state wasn't ahead."""
    for line in lines:
        between, at = line["between"], f"{line['point']}: {line['name']}"
        assert not between["ahead"], at
        if write == "append":
            assert between["rows"] == between["written"], at
        if write == "replace":
            new = between["done"] and between["rows"] == len(line["outcome"]["rows"])
            assert new or between["rows"] == lines[0]["between"]["rows"], at


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_point_ends_like_one_that_was_not(tmp_path):
    """Appending to SQLite, at every second point or at all: no row is lost or doubled, and what is told is the same."""
    agrees(same(tmp_path, "run", {"write": "append"}, stride=stride(2)), "append")


@pytest.mark.slow
def test_an_apply_that_is_killed_at_any_point_is_ended_by_the_next(tmp_path):
    """Creates, updates, a move, a delete and a reset: all are there once, with cursors, history and evidence."""
    for line in same(tmp_path, "apply", {"write": "upsert"}, stride=stride(2)):
        assert line["outcome"]["plan"]
        assert line["outcome"]["open"] == 0


@pytest.mark.parametrize(
    ("write", "destination", "stride"),
    [("upsert", "sqlite", 13), ("replace", "sqlite", 17), ("append", "parquet", 13), ("replace", "jsonl", 13)],
)
@pytest.mark.slow
def test_kills_inside_transactions_are_repaired_in_every_mode(tmp_path, write, destination, stride):
    """A sample of all points, statements of a transaction included; a replaced table is the old or the new one."""
    agrees(same(tmp_path, "run", {"write": write, "destination": destination}, stride=stride, deep=True), write)


@pytest.mark.parametrize(("write", "stride"), [("append", 17), ("upsert", 19), ("replace", 23)])
@pytest.mark.slow
def test_kills_are_repaired_on_postgresql(tmp_path, postgres_url, write, stride):
    """A sample of points, with PostgreSQL as the destination."""
    scenario = {"write": write, "destination": postgres_url, "schema": f"kill_{write}"}
    agrees(same(tmp_path, "run", scenario, stride=stride, deep=True, first=stride // 2), write)


@pytest.mark.parametrize("write", ["append", "replace"])
@pytest.mark.slow
def test_a_repair_that_is_killed_is_repaired(tmp_path, write):
    """A run that is killed twice, at different points, still ends like one that was not."""
    lines = same(tmp_path, "run", {"write": write}, stride=11, first=5, twice=True)
    assert any(line["again"] for line in lines)


@pytest.mark.slow
def test_an_import_that_is_killed_while_it_validates_ends_like_one_that_was_not(tmp_path):
    """A sample of points of an import that checks everything before its first write."""
    agrees(same(tmp_path, "run", {"write": "append", "kind": "Import"}, stride=7, first=4), "append")


@pytest.mark.parametrize(("write", "stride"), [("append", 13), ("upsert", 29), ("replace", 31)])
@pytest.mark.slow
def test_an_import_of_several_files_that_is_killed_tells_the_records_of_each_once(tmp_path, write, stride):
    """A sample of points, inside transactions too, where each commit makes a chapter of the checkpoint."""
    lines = same(tmp_path, "run", {"write": write, "kind": "Import"}, stride=stride, first=6, deep=True, files=8)
    agrees(lines, write)
    (files,) = {json.dumps(line["outcome"]["files"]) for line in lines}
    assert [each["read"] for each in json.loads(files).values()] == [6, 6, 6, 6, 6, 6, 6, 0]


@pytest.mark.parametrize(
    ("way", "write", "stride"),
    [
        ("keys", "upsert", 13),
        ("keys", "append", 19),
        ("search", "upsert", 23),
        ("put", "upsert", 23),
        ("batch", "upsert", stride(11, 5)),
        ("search", "append", 29),
    ],
)
@pytest.mark.slow
def test_a_run_into_an_api_that_is_killed_at_any_point_ends_like_one_that_was_not(tmp_path, way, write, stride):
    """A sample of points, between a request's effect and its answer too: every record is there, and none twice."""
    api = Contacts(unique="")
    with api_server(api.handle) as server:
        lines = same(tmp_path, "run", {"write": write, "sink": server.url, "way": way}, stride=stride, first=2)
    assert any("client.fetch" in line["name"] for line in lines)
    assert not any(line["between"]["ahead"] for line in lines)


@pytest.mark.slow
def test_a_run_from_an_api_that_is_killed_between_pages_ends_like_one_that_was_not(tmp_path):
    """A sample of points of an incremental append from an API: every ticket is there once, in order."""
    tickets = [{"id": n, "title": "x" * (120 if n % 9 == 0 else 60), "hours": n / 4} for n in range(1, 61)]

    def api(asked: Asked) -> Reply:
        start = int(asked.query.get("cursor") or asked.query.get("after") or 0)
        return Reply({"data": tickets[start : start + 7], "next": str(start + 7) if start + 7 < len(tickets) else None})

    with api_server(api) as server:
        agrees(same(tmp_path, "run", {"write": "append", "api": server.url}, stride=7, first=2), "append")


@pytest.mark.slow
def test_a_run_by_windows_that_is_killed_ends_like_one_that_was_not(tmp_path):
    """A sample of points of an append of a report, quarter by quarter: each row of each quarter is there once."""
    with api_server(report) as server:
        scenario = {"write": "append", "api": server.url, "windows": "quarters"}
        lines = same(tmp_path, "run", scenario, stride=7, first=2)
    agrees(lines, "append")
    quarters = [row[0] for row in lines[0]["outcome"]["rows"]]
    assert quarters[0] == "2023-01-01"
    assert quarters == sorted(quarters)
    assert len(set(quarters)) > 10


@pytest.mark.slow
def test_a_retry_that_is_killed_is_ended_by_the_next(tmp_path):
    """A sample of points of a retry that appends: no reject is written twice, and the flow's position stays."""
    same(tmp_path, "retry", {"write": "append"}, stride=2)


@pytest.mark.slow
def test_a_killed_run_is_repaired_with_state_and_data_in_postgresql(tmp_path, postgres_url):
    """A sample of points of a run, with everything in PostgreSQL."""
    scenario = {"write": "append", "destination": postgres_url, "schema": "kill_both"}
    agrees(same(tmp_path, "run", scenario, stride=9, first=3, state=postgres_url), "append")


@pytest.mark.slow
def test_a_killed_apply_is_repaired_with_its_state_in_postgresql(tmp_path, postgres_url):
    """A sample of points of an apply, with the state in PostgreSQL."""
    same(tmp_path, "apply", {"write": "upsert"}, stride=13, first=7, state=postgres_url)
