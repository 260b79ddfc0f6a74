"""What runs of a flow did to the rows of its table, added up: what is known of a table without a look at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from syncline.model.run import Counts

#: Runs that are added up at most, the newest.
RUNS: Final = 1_000


class Tally(Struct, frozen=True):
    """
    The finished runs of a flow, retries and undone ones among them. `whole`: these are all that there were.

    `read` is what runs from the source read; `inserted` and `deleted` are rows. `ended` is when the newest ended (RFC
    3339 UTC), `left` how many rows it wrote and left there (None for a retry or an undoing), and `counted` how many its
    table had afterwards, whoever wrote them (None where that wasn't asked).
    """

    runs: int
    whole: bool
    read: int
    inserted: int
    deleted: int
    ended: str
    left: int | None = None
    counted: int | None = None


def tally(ended: Iterable[tuple[Counts, bool]], last: str, counted: int | None) -> Tally | None:
    """
    The newest runs first, each with whether it is one of its own and neither retries nor undoes another; None for none.

    >>> tally([(Counts(inserted=2, deleted=1), True), (Counts(read=9, inserted=9), True)], "2026-01-01T00:00:00Z", None)
    Tally(runs=2, whole=True, read=9, inserted=11, deleted=1, ended='2026-01-01T00:00:00Z', left=2, counted=None)
    """
    found = list(ended)
    if not found:
        return None
    some = found[:RUNS]
    newest, own = some[0]
    return Tally(
        len(some),
        len(found) <= RUNS,
        sum(counts.read for counts, alone in some if alone),
        sum(counts.inserted for counts, _ in some),
        sum(counts.deleted + counts.absent for counts, _ in some),
        last,
        newest.inserted + newest.updated + newest.unchanged if own else None,
        counted,
    )
