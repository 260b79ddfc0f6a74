"""
Which rows of a batch a table refuses: found by writing halves, and halves of those that fail, down to single rows.

A statement that fails says what stood against one row, and not which one. What succeeds stays while the others are
tried, in the order of rows: of two rows that exclude each other, the later one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from syncline.connectors.sql.database import Breach
from syncline.model.errors import Invalid, Stalled
from syncline.sdk.destination import BLAMED

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.sql.database import Database
    from syncline.model.schema import Schema

#: Tries for one batch at most: single rows, one by one, of a thousand or more that are refused. Of a batch in which
#: there are more, something else is wrong than rows.
MOST_TRIES: Final = 20_000

#: Writes rows from one index up to another; what stands against one of them.
Write = Callable[[int, int], Breach | None]


class _TooManyError(Exception):
    """There are no tries left."""


def sifted(count: int, write: Write, most: int | None, tries: int = 0) -> list[tuple[int, Breach]] | None:
    """
    The rows of so many that are refused, with why; more than `most` of them end it early. None where it would take
    more than so many tries. Where no rows at all are refused too, as by a trigger for a statement, none is to blame.

    >>> sifted(8, lambda first, end: Breach("", "odd") if first <= 5 < end else None, None)
    [(5, Breach(column='', message='odd', among=False))]
    """
    left = tries or MOST_TRIES

    def attempt(first: int, end: int) -> Breach | None:
        nonlocal left
        if not left:
            raise _TooManyError
        left -= 1
        return write(first, end)

    try:
        refused = _halved(count, attempt, most)
        _come_round(refused, attempt)
    except _TooManyError:
        return None
    return sorted(refused.items())


def _halved(count: int, attempt: Write, most: int | None) -> dict[int, Breach]:
    refused: dict[int, Breach] = {}
    certain = 0
    waiting = [(0, count)] if count else []
    while waiting and (most is None or certain <= most):
        first, end = waiting.pop()
        breach = attempt(first, end)
        if breach is None:
            continue
        if end - first == count and attempt(0, 0) is not None:
            return {}
        if end - first == 1:
            refused[first] = breach
            certain += not breach.among
        else:
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)]
    return refused


def _come_round(refused: dict[int, Breach], attempt: Write) -> None:
    """Tries rows that refer to rows of the same table again, forwards and backwards, while that helps any of them."""
    waiting, idle = [row for row, breach in refused.items() if breach.among], 0
    while waiting and idle < 2:
        waiting.reverse()
        still = [row for row in waiting if attempt(row, row + 1) is not None]
        for row in {*waiting} - {*still}:
            del refused[row]
        idle = idle + 1 if len(still) == len(waiting) else 0
        waiting = still


def writing_parts(
    database: Database,
    table: str,
    frame: pl.DataFrame,
    schema: Schema,
    *,
    keyed: bool,
    broken: Callable[[Invalid], Breach],
) -> Write:
    """How `Trying.trial` is done by what any database with savepoints has; `broken` reads its errors."""

    def write(first: int, end: int) -> Breach | None:
        rows = database.render(frame[first:end], schema)
        database.execute("SAVEPOINT attempt")
        try:
            if keyed:
                database.merge(table, rows, schema)
            else:
                database.append(table, rows, schema)
        except Invalid as error:
            if error.code not in BLAMED:
                raise
            try:
                database.execute("ROLLBACK TO SAVEPOINT attempt")
            except Stalled:  # a trigger of SQLite may end the transaction (RAISE(ROLLBACK)): it is its word that counts
                raise error from None
            return broken(error)
        database.execute("RELEASE SAVEPOINT attempt")
        return None

    return write
