"""Kill -9 of an import whose writes are kept, and of its rollback, at lasting changes and inside transactions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.e2e.house import Scenario, customers
from tests.e2e.test_undoing import SCENARIO, house, run, table

if TYPE_CHECKING:
    from pathlib import Path


def crash(root: Path, what: str, scenario: Scenario, stride: int, first: int) -> tuple[list[Any], Any, list[Any]]:
    """The rows before the import, what an unbroken one leaves, and a line for each point that it was killed at."""
    template = root / "template"
    template.mkdir()
    settings = house(template, scenario)
    last = run(settings).record.id
    rows = table(template, scenario)
    customers(template, 50, 2)
    if what == "undo":
        run(settings)
    if scenario.schema:
        with psycopg.connect(scenario.destination, autocommit=True) as connection:
            connection.execute(f'ALTER SCHEMA "{scenario.schema}" RENAME TO "{scenario.schema}_kept"')
    spec = {
        "what": what,
        "root": str(root),
        "stride": stride,
        "first": first,
        "scenario": asdict(scenario),
        "run": last,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.undo_crash", json.dumps(spec)],
        capture_output=True,
        check=False,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    unbroken, *lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(range(first, unbroken["points"] + 1, stride))
    assert all(line["killed"] and line["audit"] for line in lines)
    return rows, unbroken, lines


PLACES = [("sqlite", 17), ("postgresql", 19)]
#: A rollback has fewer points.
FEWER = [("sqlite", 11), ("postgresql", 7)]


def scenario_of(place, what, request):
    if place == "sqlite":
        return SCENARIO
    url = request.getfixturevalue("postgres_url")
    return Scenario("upsert", url, f"undo_{what}_{os.getpid()}", kind="Import")


@pytest.mark.parametrize(("place", "stride"), PLACES)
@pytest.mark.slow
def test_an_import_that_is_killed_anywhere_is_undone_to_the_row(tmp_path, request, place, stride):
    """What is kept is what was committed, exactly: the rows before it come back, and it can be run again from there."""
    rows, unbroken, lines = crash(tmp_path, "import", scenario_of(place, "import", request), stride, 7)
    assert unbroken["rows"] != rows
    for line in lines:
        assert line["undone"] in {"done", "not begun", "SYN761"}, line["point"]
        assert line["rows"] == rows, line["point"]
        assert line["last"] == unbroken["rows"], line["point"]
    assert any(line["undone"] == "done" and line["between"] not in (rows, unbroken["rows"]) for line in lines)


@pytest.mark.parametrize(("place", "stride"), FEWER)
@pytest.mark.slow
def test_a_rollback_that_is_killed_anywhere_is_ended_by_the_same_command(tmp_path, request, place, stride):
    """At the kill all of the import is there, or nothing; then it is undone once, with the receipt of an unbroken one."""
    rows, unbroken, lines = crash(tmp_path, "undo", scenario_of(place, "undo", request), stride, 5)
    assert unbroken["rows"] == rows
    whole = lines[0]["last"]
    for line in lines:
        assert line["between"] in (rows, whole), line["point"]
        assert line["undone"] in {"done", "SYN761"}, line["point"]
        assert line["rows"] == rows, line["point"]
        assert line["newest"] == unbroken["newest"], line["point"]
        assert line["rollbacks"] == 1, line["point"]
        assert line["last"] == whole, line["point"]
    assert {line["between"] == rows for line in lines} == {True, False}
