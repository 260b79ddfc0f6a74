"""Which rows of a batch are refused: every one, no other, in few tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.sql.database import Breach
from syncline.connectors.sql.sifting import sifted

BAD = Breach("", "bad")
ALONE = Breach("boss", "alone", among=True)


class Table:
    """Takes rows that aren't `bad`, and whose `boss` is there; two of one `mark` exclude each other."""

    def __init__(self, bad: set[int], marks: list[int], bosses: dict[int, int]) -> None:
        self.bad, self.marks, self.bosses = bad, marks, bosses
        self.rows: set[int] = set()
        self.tries = 0

    def write(self, first: int, end: int) -> Breach | None:
        self.tries += 1
        there = set(self.rows)
        for row in range(first, end):
            if row in self.bad or self.marks[row] in {self.marks[other] for other in there}:
                return BAD
            there.add(row)
        if any(self.bosses.get(row, row) not in there for row in range(first, end)):
            return ALONE
        self.rows = there
        return None


rows = st.integers(1, 60)


@given(rows.flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_bad_rows_are_found(case: tuple[int, set[int]]):
    """Whichever rows are bad, they are found, and what was written are all others."""
    count, bad = case
    table = Table(bad, list(range(count)), {})
    assert sifted(count, table.write, None) == [(row, BAD) for row in sorted(bad)]
    assert table.rows == {*range(count)} - bad


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_of_rows_that_exclude_each_other_the_first_is_taken(marks: list[int]):
    """The outcome is that of writing one row after another."""
    refused = sifted(len(marks), Table(set(), marks, {}).write, None)
    assert refused is not None
    assert [row for row, _ in refused] == [row for row, mark in enumerate(marks) if mark in marks[:row]]


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), max_size=3))
def test_rows_that_refer_to_each_other_are_taken_in_any_order(order: list[int], bad: set[int]):
    """Of a chain of managers in any order, who stands below one that is bad is refused, and nobody else."""
    place = {person: row for row, person in enumerate(order)}
    bosses = {place[person]: place[person + 1] for person in order if person < 11}
    refused = sifted(12, Table(bad, list(range(12)), bosses).write, None)
    assert refused is not None
    lost = {place[person] for person in order if any(place[above] in bad for above in range(person, 12))}
    assert {row for row, _ in refused} == lost


def test_few_tries_find_few_rows():
    """Three rows of 50,000 take less than a hundred tries."""
    table = Table({7, 25_000, 49_999}, list(range(50_000)), {})
    table.write = _quick(table)  # type: ignore[method-assign]
    assert [row for row, _ in sifted(50_000, table.write, None) or ()] == [7, 25_000, 49_999]
    assert table.tries < 100


def _quick(table: Table):
    def write(first: int, end: int) -> Breach | None:
        table.tries += 1
        return BAD if any(first <= row < end for row in table.bad) else None

    return write


def test_it_gives_up_where_it_takes_too_many_tries():
    """A batch of which every row is bad isn't tried to its end."""
    table = Table({*range(1000)}, list(range(1000)), {})
    assert sifted(1000, table.write, None, tries=50) is None
    assert table.tries == 50


def test_more_than_may_be_refused_end_it():
    """Where two may be refused, the third ends it."""
    table = Table({*range(1000)}, list(range(1000)), {})
    assert [row for row, _ in sifted(1000, table.write, 2) or ()] == [0, 1, 2]


def test_nothing_is_found_where_everything_is_taken():
    """Rows that can all be written have nobody to blame, and take one try; so does no row at all."""
    table = Table(set(), list(range(10)), {})
    assert sifted(10, table.write, None) == []
    assert table.tries == 1
    assert sifted(0, table.write, None) == []


def test_what_refuses_no_rows_as_well_is_about_none():
    """Where a write of nothing is refused too, no row is to blame, and none is tried alone."""
    tried: list[tuple[int, int]] = []

    def write(first: int, end: int) -> Breach:
        tried.append((first, end))
        return BAD

    assert sifted(1000, write, None) == []
    assert tried == [(0, 1000), (0, 0)]
