"""How many rows a plan says that a change is about, from what runs have counted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline.model.key import ObjectKey
from syncline.model.tally import Tally
from syncline.planner.approval import effects_digest
from syncline.planner.serialize import dumps
from tests.repository import CUSTOMERS, edited
from tests.unit.planner.states import applied, planned, said

FLOW = ObjectKey("acme", "Import", "customers")
RUNS = Tally(12, whole=True, read=1_500, inserted=1_204, deleted=3, ended="2026-01-02T03:04:05.678901Z", left=10)
ENDED = "ended at 2026-01-02T03:04:05Z"
THERE = f"warehouse/customers had 1,199 rows when the last run {ENDED}"
SUMMED = f"its 12 runs inserted 1,204 rows and deleted 3 in warehouse/customers, of which the last run {ENDED}"
AGAIN = "they stay, and are written again where their records come again"
MORE = "they stay, and what is read again is appended to them once more"
COUNTED = replace(RUNS, counted=1_199)


def declared(more: str) -> dict[str, str]:
    """The import, with more fields."""
    return edited("import.yaml", "write: upsert", more)


def of_rows(before: dict[str, str], after: dict[str, str], tally: Tally | None) -> list[str]:
    """What the plan from one to the other says of rows."""
    state = applied(before, read={FLOW: 10}, tallies={FLOW: tally} if tally else {})
    plan = planned(after, state, allow_deletes=True)
    return [line.partition(": rows-counted: ")[2] for line in said(plan, ["rows-counted"])]


@pytest.mark.parametrize(
    ("write", "tally", "expected"),
    [
        ("upsert", COUNTED, f"{THERE}; {AGAIN}"),
        ("append", COUNTED, f"{THERE}; {MORE}"),
        ("replace", COUNTED, f"{THERE}; all of them are replaced"),
        (
            "upsert",
            RUNS,
            f"warehouse/customers had 10 rows of this flow when its last run {ENDED}; {AGAIN}",
        ),
        ("append", RUNS, f"{SUMMED}; {MORE}"),
        (
            "append",
            replace(RUNS, runs=1, inserted=1, deleted=0, whole=False),
            f"its newest 1 run inserted 1 row in warehouse/customers, of which the last run {ENDED}; {MORE}",
        ),
        (
            "upsert, read: changed",
            RUNS,
            f"{SUMMED}; {AGAIN}",
        ),
        (
            "upsert",
            replace(RUNS, left=None),
            f"{SUMMED}; {AGAIN}",
        ),
        (
            "upsert",
            None,
            f"how many rows warehouse/customers has isn't known until it is looked at; {AGAIN}",
        ),
    ],
)
def test_a_flow_that_starts_over_says_how_many_rows_are_there(write, tally, expected) -> None:
    """What runs counted last is said with its time, then what becomes of these rows; what isn't known is said as that."""
    before = declared(f"write: {write}")
    after = edited("files.yaml", "customers*.csv", "clients.csv", before)

    assert after != before
    assert of_rows(before, after, tally) == [expected]


def test_rows_stay_where_a_flow_goes_to_another_table() -> None:
    """Where the destination changes, nothing is replaced: the count is that of the table that is left."""
    before = declared("write: replace")
    assert of_rows(before, edited("import.yaml", "warehouse/customers", "warehouse/clients", before), COUNTED) == [
        f"{THERE}; they stay"
    ]


def test_a_dropped_table_says_how_many_rows_go() -> None:
    """Retiring a flow with `deletion: delete` says it; one that leaves its rows needs no count."""
    after = {name: text for name, text in CUSTOMERS.items() if name != "import.yaml"}

    assert of_rows(declared("write: upsert, deletion: delete"), after, COUNTED) == [f"{THERE}; they go with it"]
    assert of_rows(CUSTOMERS, after, COUNTED) == []


def test_what_runs_read_past_a_position_is_summed() -> None:
    """A flow that reads on reads all of it again, of which its last run tells nothing."""
    before = declared("write: upsert, read: changed")
    state = applied(before, read={FLOW: 10}, tallies={FLOW: RUNS})
    (line,) = said(planned(edited("files.yaml", "customers*.csv", "clients.csv", before), state), ["rows-reread"])

    assert line.endswith("(its last run read 10 records past its position, its 12 runs 1,500)")


def test_counts_are_no_part_of_what_is_approved() -> None:
    """A run between an approval and the merge moves counts: the plan tells others, and its effects stay those approved."""
    after = edited("files.yaml", "customers*.csv", "clients.csv")
    plans = [
        planned(after, applied(CUSTOMERS, read={FLOW: 10}, tallies={FLOW: tally}))
        for tally in (COUNTED, COUNTED, replace(COUNTED, counted=1_300))
    ]

    assert dumps(plans[0]) == dumps(plans[1]) != dumps(plans[2])
    assert effects_digest(plans[0]) == effects_digest(plans[2])
