"""What a destination shows and deletes of one person: the rows in which a column has a value."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from syncline.model.errors import Invalid

#: Rows of a person that are shown; a person with more is none.
MOST_ROWS = 100_000


def too_many(column: str, stream: str) -> Invalid:
    """
    For a value that more rows than `MOST_ROWS` have.

    Example: `raise too_many(column, stream)`.
    """
    return Invalid(
        f"{column} of {stream} has one value in more than {MOST_ROWS:,} rows, which no person has",
        code="SYN843",
        help="Declare a field under `subject` that tells people apart.",
    )


def untold(column: str, stream: str) -> Invalid:
    """
    For a table with rows in which nobody can be told, since it doesn't have the column.

    Example: `raise untold(column, stream)`.
    """
    return Invalid(
        f"{stream} has rows and no column {column!r}, so that nobody knows whose they are",
        code="SYN855",
        help="Run the flow if the field is a new one; give the column its name back if it was renamed; or have the "
        "person erased there by hand.",
    )


@runtime_checkable
class SubjectRows(Protocol):
    """
    What a destination may offer besides: finding and deleting the rows of a stream in which a column has a value.

    What a run keeps beside the stream, such as a table that is to take its place, belongs to it. A stream that
    isn't there (`has`) shows no such rows, which says nothing of those that were written; of a table with rows and
    without the column nobody can say (`Invalid`, SYN855).

    Example: `destination.erase("acme/Sync/people", "people", "email", "ada@example.com")` gives 1.
    """

    def has(self, stream: str) -> bool:
        """Whether the stream is there: its table, or its folder with the list of what counts in it."""

    def find(self, stream: str, column: str, value: str | int) -> list[dict[str, Any]]:
        """The rows as they are, with all columns; `Invalid` (SYN843) past `MOST_ROWS`."""

    def erase(self, flow: str, stream: str, column: str, value: str | int) -> int:
        """Deletes them for good, all or none, as the flow; the number of them."""

    def remains(self) -> str:
        """
        After `erase`, outside of it: rids what the rows are kept in of former ones, as far as that can be done at once.
        What may be left on the disk all the same, in a sentence for a certificate; '' for nothing.
        """
