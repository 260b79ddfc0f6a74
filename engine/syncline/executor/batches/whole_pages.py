"""Pages of an API none of whose values can be cast: the API writes them otherwise now, and that isn't about records.

The source sees what JSON says of a type; that a text isn't a date any more, only the mapping does. A record like that
is a reject. Where all records of whole pages are, for the same field, the batch isn't written and the run stops.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid, foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from syncline.mapping.columns import Rejected
    from syncline.sdk.batch import Batch

#: Records in a row, on pages without any others, whose values can't be cast.
ENOUGH = 10


def check_pages(batch: Batch, rejected: Sequence[Rejected]) -> None:
    """Raises `Invalid` (SYN425) for a batch with such pages; places that aren't pages of an API are left alone."""
    if len(rejected) < ENOUGH or any(span.unit != "record" for span in batch.spans):
        return
    found = {r.row: r for r in rejected if r.rule == "type" and r.field != "where"}
    field, first, count = "", "", 0
    for uri, rows in _pages(batch):
        start = found.get(rows[0])
        if start is None or any((r := found.get(row)) is None or r.field != start.field for row in rows):
            field, count = "", 0
            continue
        if field != start.field:
            field, first, count = start.field, uri, 0
        count += len(rows)
        if count >= ENOUGH:
            raise Invalid(
                f"{foreign(first)}: the values for {field!a} are no longer as the mapping declares them: in all of "
                f"{count} records in a row, {start.message}",
                code="SYN425",
                help="Nothing of this batch was written, and the position is before it. Correct the mapping (`syncline "
                "run FLOW --dry-run` shows the records), apply, and run again. `where` leaves out what is of no use.",
            )


def _pages(batch: Batch) -> Iterator[tuple[str, range]]:
    """Each page with the rows of the frame that came from it."""
    end = 0
    for uri, spans in groupby(batch.spans, key=lambda span: span.uri):
        start, end = end, end + sum(span.count for span in spans)
        if end > start:
            yield uri, range(start, end)
