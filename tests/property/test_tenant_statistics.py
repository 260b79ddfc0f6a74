"""Figures over tenants: what is told determines no tenant's own, also for one of them, and also asked twice."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from syncline import workflow
from syncline.model.errors import Invalid
from syncline.state import tables
from syncline.state.open import open_store
from syncline.tenancy.statistics import NEAR, Part, figures, last_month, safe, statistics
from tests.e2e import house
from tests.examples import examples

TENANTS = [f"t{n}" for n in range(7)]
KINDS = ("Sync", "Import")
MONTH, AFTER = "2026-10", dt.date(2026, 11, 2)

parts_of = st.lists(
    st.builds(
        Part,
        st.sampled_from(TENANTS),
        st.sampled_from(KINDS),
        st.sampled_from(["runs", "written"]),
        st.integers(0, 50).map(float),
    ),
    max_size=40,
)
amongs = st.dictionaries(st.sampled_from(TENANTS), st.integers(3, 5))


def rank(rows):
    """The rank of a matrix of whole numbers, exactly."""
    matrix = [[Fraction(value) for value in row] for row in rows]
    found = 0
    for column in range(len(matrix[0]) if matrix else 0):
        pivot = next((row for row in range(found, len(matrix)) if matrix[row][column]), None)
        if pivot is None:
            continue
        matrix[found], matrix[pivot] = matrix[pivot], matrix[found]
        for row in range(len(matrix)):
            if row != found and matrix[row][column]:
                factor = matrix[row][column] / matrix[found][column]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[found], strict=True)]
        found += 1
    return found


@settings(max_examples=examples(300), deadline=None)
@given(parts_of, amongs)
def test_no_sum_or_difference_tells_a_tenant(parts, among):
    """
    Whatever is added to or subtracted from each other of what is told of a month, even by one tenant who knows its own,
    and who knows who has none: no other tenant's figure follows, neither in total nor of one kind.
    """
    told = figures(MONTH, parts, among)
    for counter in ("runs", "written"):
        have = {(p.tenant, p.kind) for p in parts if p.counter == counter and p.value > 0 and p.tenant in among}
        cells = sorted(have)
        known = []
        if counter in told.totals:
            known.append([1] * len(cells))
        known += [[int(cell[1] == kind) for cell in cells] for kind in told.kinds.get(counter, {})]
        for insider in [None, *sorted({tenant for tenant, _ in cells})]:
            own = [[int(cell == other) for other in cells] for cell in cells if cell[0] == insider]
            for tenant in {tenant for tenant, _ in cells} - {insider}:
                wanted = [[int(cell == (tenant, kind)) for cell in cells] for kind in KINDS if (tenant, kind) in have]
                wanted.append([int(cell[0] == tenant) for cell in cells])
                for row in wanted:
                    assert rank([*known, *own, row]) > rank([*known, *own]), (told, tenant)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.integers(0, 1_000).map(float), max_size=9), st.integers(3, 6))
def test_nobody_is_told_to_within_a_tenth(values, k):
    """What is told has at least k tenants in it, and the second largest can't tell the largest more nearly than that."""
    if not safe(values, k):
        return
    ordered = sorted((value for value in values if value), reverse=True)
    assert len(ordered) >= k
    estimate = sum(ordered) - ordered[1]
    assert estimate - ordered[0] >= NEAR * ordered[0]


@settings(max_examples=examples(200), deadline=None)
@given(parts_of, amongs)
def test_what_is_told_is_right(parts, among):
    """A figure that is told is the exact sum over the tenants that are counted, and parts add up to the total."""
    told = figures(MONTH, parts, among)
    for counter, total in told.totals.items():
        assert total == sum(p.value for p in parts if p.counter == counter and p.tenant in among)
    for counter, kinds in told.kinds.items():
        assert sum(kinds.values()) == told.totals[counter]


def lived_in(root, count=5, **specs):
    """A state with so many tenants that had runs in the month, each a little more than the one before."""
    texts = {
        f"{name}.yaml": house.TENANT.replace("name: acme", f"name: {name}").replace(
            "spec: {", f"spec: {{{specs.get(name, '')}"
        )
        for name in TENANTS[:count]
    }
    made = house.build(root, texts)
    workflow.apply(made)
    rows = [
        {
            "tenant": name,
            "kind": kind,
            "name": "x",
            "period": f"{MONTH}-03T10:00:00Z",
            "counter": counter,
            "value": value,
        }
        for n, name in enumerate(TENANTS[:count], 1)
        for kind in KINDS
        for counter, value in (("runs", 2.0 + n), ("written", 10.0 * n), ("elapsed", 3.5))
    ]
    with closing(open_store(made.state_url)) as store, store._database.write() as connection:
        connection.execute(insert(tables.metrics), rows)
    return made


def test_figures_of_a_month(tmp_path):
    """Sums over the state's counters, by kind of flow as well; of other months nothing is in them."""
    found = statistics(lived_in(tmp_path), MONTH, AFTER)
    assert (found.tenants, found.totals["runs"], found.totals["written"]) == (5, 50.0, 300.0)
    assert found.kinds["runs"] == {"Import": 25.0, "Sync": 25.0}
    assert "failures" not in found.totals
    (tmp_path / "later").mkdir()
    assert statistics(lived_in(tmp_path / "later"), "2026-09", AFTER).totals == {}


def test_a_tenant_says_among_how_many_it_wants_to_be(tmp_path):
    """The largest demand holds for all; one that doesn't join is in no figure."""
    found = statistics(lived_in(tmp_path, t2="statistics: {among: 6}, "), MONTH, AFTER)
    assert (found.tenants, found.totals) == (None, {})
    (tmp_path / "six").mkdir()
    found = statistics(lived_in(tmp_path / "six", 6, t5="statistics: {join: false}, "), MONTH, AFTER)
    assert (found.tenants, found.totals["runs"]) == (5, 50.0)


def test_asked_twice_nothing_follows_from_the_difference(tmp_path):
    """Between two questions tenants leave, join or opt out and rows come or go: the answer stays the same."""
    made = lived_in(tmp_path)
    first = statistics(made, MONTH, AFTER)
    with closing(open_store(made.state_url)) as store:
        store.tenants().delete("t4", "metrics")
    (tmp_path / "t3.yaml").unlink()
    workflow.apply(made, allow_deletes=True)
    assert statistics(made, MONTH, AFTER) == first
    another = replace(made, home=tmp_path / "home of another machine")
    another.home.mkdir()
    assert statistics(another, MONTH, AFTER) == first


def test_what_was_told_before_it_was_kept_in_the_state(tmp_path):
    """An answer that an earlier version left in the home folder is the answer, from then on for all."""
    made = lived_in(tmp_path)
    kept = made.home / "statistics" / f"{MONTH}.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"month": MONTH, "tenants": 9, "totals": {"runs": 1.0}, "kinds": {}}))
    first = statistics(made, MONTH, AFTER)
    assert (first.tenants, first.totals) == (9, {"runs": 1.0})
    kept.unlink()
    assert statistics(made, MONTH, AFTER) == first


def test_the_first_of_two_tells_for_both(tmp_path):
    """Two that count at once give the same answer, the one that was kept first."""
    made = lived_in(tmp_path)
    with closing(open_store(made.state_url)) as store:
        book = store.statistics()
        assert [book.tell(MONTH, "first"), book.tell(MONTH, "second"), book.told(MONTH)] == ["first"] * 3


@pytest.mark.parametrize("month", ["2026-11", "2027-01", "2026-13", "october"])
def test_only_months_that_are_over(tmp_path, month):
    """A month that goes on is refused, since what ran between two questions would follow; so is what is no month."""
    with pytest.raises(Invalid) as raised:
        statistics(lived_in(tmp_path), month, AFTER)
    assert raised.value.code == "SYN866"
    assert last_month(AFTER) == "2026-10"
