"""What validation says about reactions to drift that could never do anything."""

from __future__ import annotations

import pytest

from syncline import workflow
from tests.e2e.house import Scenario, build

UPSERT = Scenario("upsert").texts


def found(root, write, drift):
    """Code, place and message of each error."""
    text = UPSERT["sync.yaml"].replace("write: upsert", f"write: {write}, drift: {drift}")
    settings = build(root, {**UPSERT, "sync.yaml": text})
    return [f"{d.code} {d.message}" for d in workflow.validate(settings).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    ("write", "drift", "expected"),
    [
        ("upsert", "{every: 1h, tables: heal, rows: heal}", []),
        ("append", "{every: 1h, tables: report}", []),
        (
            "append",
            "{rows: heal}",
            ["SYN750 rows: heal can't be done: reading again would append every row once more"],
        ),
        ("upsert", "{every: 500ms}", ["SYN205 500ms is too short a time between looks"]),
    ],
)
def test_reactions(tmp_path, write, drift, expected):
    """A flow that appends can't heal, and nobody looks more often than once a second."""
    assert found(tmp_path, write, drift) == expected
