"""Kill -9 of an import whose writes are kept, and of its rollback, at lasting changes and inside transactions."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import warm
from tests.e2e.house import customers, mariadb
from tests.e2e.test_undoing import house, placed, run, table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.house import Scenario


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
    if scenario.destination.startswith("mariadb:"):
        with closing(mariadb(scenario.destination)) as connection, connection.cursor() as cursor:
            name = urlsplit(scenario.destination).path[1:]
            cursor.execute("SHOW TABLES")
            for (found,) in cursor.fetchall():
                cursor.execute(f"RENAME TABLE {name}.{found} TO {name}_kept.{found}")
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
    done = warm.run(
        [sys.executable, "-m", "tests.e2e.undo_crash", json.dumps(spec)],
        capture_output=True,
        check=False,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    unbroken, *lines = [json.loads(line) for line in done.stdout.splitlines()]
    first = first if first > 0 else unbroken["points"] + first
    assert len(lines) == len({*range(first, unbroken["points"] + 1, stride), unbroken["points"] - 3})
    assert all(line["audit"] for line in lines)
    # How many points a run has differs by some, since copies to the state go by time; it may end before its last ones.
    assert sum(line["killed"] for line in lines) >= len(lines) / 2
    return rows, unbroken, lines


#: Where to, how, and at every which point.
PLACES = [
    ("sqlite", "upsert", 17),
    ("postgresql", "upsert", 19),
    ("mariadb", "upsert", 61),
    ("duckdb", "upsert", 61),
    ("postgresql", "append", 59),
    ("sqlite", "append", 59),
    ("sqlite", "replace", 9),
    ("postgresql", "replace", 9),
    ("mariadb", "replace", 5),
    ("jsonl", "append", 13),
    ("parquet", "replace", 7),
]
#: A rollback has fewer points.
FEWER = [
    ("sqlite", "upsert", 11),
    ("postgresql", "upsert", 7),
    ("mariadb", "append", 19),
    ("duckdb", "replace", 19),
    ("postgresql", "replace", 11),
    ("parquet", "append", 5),
    ("jsonl", "replace", 5),
]


@pytest.mark.parametrize(("place", "write", "stride"), PLACES)
@pytest.mark.slow
def test_an_import_that_is_killed_anywhere_is_undone_to_the_row(tmp_path, request, place, write, stride):
    """What is kept is what was committed, exactly: the rows before it come back, and it can be run again from there."""
    with placed(place, write, request) as scenario:
        # Half of a replacement isn't in the table yet, and there is nothing to take back: its end is what matters.
        rows, unbroken, lines = crash(tmp_path, "import", scenario, stride, -40 if write == "replace" else 7)
    assert unbroken["rows"] != rows
    for line in lines:
        assert line["undone"] in {"done", "not begun", "SYN761"}, line["point"]
        # Renaming a table commits in MariaDB: between that and its end, a run has to be finished before it is undone.
        unfinished = (place, write, line["undone"]) == ("mariadb", "replace", "SYN761")
        assert line["rows"] == rows or (unfinished and line["rows"] == unbroken["rows"]), line["point"]
        assert line["last"] == unbroken["rows"], line["point"]
    halves = [line["between"] not in (rows, unbroken["rows"]) for line in lines if line["undone"] == "done"]
    assert halves if write == "replace" else any(halves)


@pytest.mark.parametrize(("place", "write", "stride"), FEWER)
@pytest.mark.slow
def test_a_rollback_that_is_killed_anywhere_is_ended_by_the_same_command(tmp_path, request, place, write, stride):
    """At the kill all of the import is there, or nothing; then it is undone once, with the receipt of an unbroken one."""
    with placed(place, write, request) as scenario:
        rows, unbroken, lines = crash(tmp_path, "undo", scenario, stride, 5)
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
