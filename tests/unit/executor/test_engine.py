"""What an engine keeps between runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from syncline.executor.engine import Engine
from syncline.executor.flows.applied import Applied
from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from tests.repository import CUSTOMERS, desired

if TYPE_CHECKING:
    from pathlib import Path

KEY = ObjectKey.parse("acme/Import/customers")


def applied(serial: int, region: str) -> Applied:
    """What is applied at a serial, with everything in a region."""
    found = desired({name: text.replace("region: eu-west", f"region: {region}") for name, text in CUSTOMERS.items()})
    return Applied(serial, "r", "p", {}, found, compile_flows(found))


@pytest.mark.parametrize("serials", [(1, 2), (1, 1)])
def test_a_decision_is_never_taken_of_anything_else(serials: tuple[int, int], tmp_path: Path) -> None:
    """
    Runs that began before and after an apply, in turn on one engine: each gets the decisions of what it began with. So
    do those that read objects in the middle of an apply, which have changed since the serial was read.
    """
    facilities: Any = SimpleNamespace(settings=SimpleNamespace(root=tmp_path))
    resolve: Any = None
    engine = Engine(facilities, resolve)
    inside, outside = applied(serials[0], "eu-west"), applied(serials[1], "us-east")

    def denied(now: Applied) -> bool:
        return any(not result.allowed for result in engine.decide(now.flow(KEY), now))

    assert [denied(now) for now in (inside, outside, inside, outside)] == [False, True, False, True]
