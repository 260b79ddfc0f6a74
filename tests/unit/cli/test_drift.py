"""Tests of `syncline drift`: what a person and a script see of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from syncline import workflow
from syncline.executor.progress import Silent
from tests.e2e.house import FLOW, Scenario, build, customers


def test_what_a_person_sees(tmp_path, shell):
    """The text names the flow, what differs and what brings it back; --exit-code tells scripts."""
    settings = build(tmp_path, Scenario("upsert").texts)
    customers(tmp_path, 10)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("DROP TABLE customers")
    at = ("--root", str(tmp_path), "drift")
    text, data, script = shell(*at), shell(*at, "-o", "json"), shell(*at, "--exit-code")

    assert text.out == (
        "✗ acme/Sync/customers → warehouse/customers\n"
        "  actor     table customers: it was dropped or renamed\n"
        "            syncline run --full-refresh acme/Sync/customers brings it back\n"
        "\n"
        "1 looked at: 1 drifted, 0 can't be told.\n"
    )
    (flow,) = json.loads(data.out)
    assert (flow["flow"], flow["drifted"], flow["findings"][0]["cause"]) == ("acme/Sync/customers", True, "actor")
    assert (text.code, script.code) == (0, 10)


def test_nothing_applied(tmp_path, shell):
    """Where nothing is applied there is nothing to look at."""
    found = shell("--root", str(tmp_path), "drift")
    assert (found.code, found.out) == (0, "Nothing that could be looked at is applied.\n")
