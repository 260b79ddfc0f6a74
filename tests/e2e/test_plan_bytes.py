"""Plans of two processes: each has an order of its own for what is in no order, and none of it may be in a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.api import syncline
from tests.e2e.house import Scenario, build

if TYPE_CHECKING:
    from pathlib import Path


def test_every_process_makes_the_same_plan(tmp_path: Path):
    """The same declarations and the same state give the same bytes, whatever seed a process has for its hashes."""
    build(tmp_path, Scenario("upsert").texts)
    first, second = (
        syncline(tmp_path, "plan", "--output", "json", extra={"PYTHONHASHSEED": seed}) for seed in ("1", "2")
    )
    assert first.returncode == second.returncode == 0, first.stderr
    assert "customers" in first.stdout
    assert second.stdout == first.stdout
