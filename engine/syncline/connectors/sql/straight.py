"""Which batches of an upsert go straight into their table, without a staging table and a merge.

That takes half of the server's time, and works as long as no key of a batch is in the table: from the first batch on
if the table is empty, and after a batch of which every row was new. The first key that is there after all ends it, at
the price of that one batch: the server finds it, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable

from syncline.sdk.destination import Written

#: Rows of a batch from which it pays to ask whether a table is empty, and to risk a batch.
WORTHWHILE = 500


class Straight:
    """What is known of the tables of one connection.

    >>> straight = Straight()
    >>> straight.worth_trying("t", 10_000, lambda: False), straight.worth_trying("t", 10, lambda: True)
    (False, False)
    >>> straight.merged("t", 10_000, Written(10_000))
    >>> straight.worth_trying("t", 10_000, lambda: False)
    True
    >>> straight.refused("t")
    >>> straight.merged("t", 10_000, Written(10_000))
    >>> straight.worth_trying("t", 10_000, lambda: False)
    False
    """

    def __init__(self) -> None:
        self._fresh: dict[str, bool] = {}
        self._refused: set[str] = set()

    def worth_trying(self, table: str, rows: int, empty: Callable[[], bool]) -> bool:
        """Whether so many rows are likely to be new in a table; `empty` is asked at most once."""
        if rows < WORTHWHILE or table in self._refused:
            return False
        if table not in self._fresh:
            self._fresh[table] = empty()
        return self._fresh[table]

    def merged(self, table: str, rows: int, written: Written) -> None:
        """A batch of so many rows was merged."""
        if rows >= WORTHWHILE:
            self._fresh[table] = written.inserted == rows

    def refused(self, table: str) -> None:
        """A key was there: from now on batches are merged."""
        self._refused.add(table)
