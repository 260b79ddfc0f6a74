"""What a saved position depends on: a new possibility of the language takes no position from flows that don't use it."""

from __future__ import annotations

from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from syncline.planner.position import position_basis
from tests.e2e.api import helpdesk
from tests.e2e.house import FLOW, Scenario
from tests.repository import desired

KEY = ObjectKey("acme", "Sync", "tickets")


def basis(read_for: str):
    texts = helpdesk("https://desk.example.com")
    connector = texts["connector.yaml"].replace("key: [id]", f"key: [id]\n      for: {read_for}", 1)
    return position_basis(compile_flows(desired({**texts, "connector.yaml": connector}))[KEY].flow)


def test_lists_that_are_combined_are_part_of_it_and_their_absence_is_not():
    """A `for` without `times` is as it was before there were any; with them, positions begin anew."""
    plain = basis("{in: [a, b], as: team}")
    [found] = plain["source"]["declaration"]["for"]
    assert found == {"each": None, "values": ["a", "b"], "name": "team", "only": None, "changed": False}
    assert basis("{in: [a, b], as: team, times: [{in: [x], as: kind}]}") != plain


def of_files(stream: str):
    texts = Scenario("upsert").texts
    source = texts["source.yaml"].replace("key: [id]", f"key: [id]{stream}")
    return position_basis(compile_flows(desired({**texts, "source.yaml": source}))[FLOW].flow)["source"]["declaration"]


def test_what_says_where_records_are_in_a_file_is_part_of_it():
    """Another worksheet, layout, list or packing begins anew; declared as they are by default they change nothing."""
    plain = of_files("")
    assert set(plain) == {"files", "format", "csv"}
    columns = "{columns: [{name: id, start: 1, width: 4}]}"
    for stream in (
        "excel: {sheet: B}",
        "excel: {header: 2}",
        f"fixed: {columns}",
        "records: 'data[]'",
        "packing: gzip",
    ):
        assert of_files(f", {stream}") != plain
    assert of_files(", excel: {header: 1}, packing: auto") == plain
