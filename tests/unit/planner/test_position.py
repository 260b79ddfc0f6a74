"""What a saved position depends on: a new possibility of the language takes no position from flows that don't use it."""

from __future__ import annotations

from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from syncline.planner.position import position_basis
from tests.e2e.api import helpdesk
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
