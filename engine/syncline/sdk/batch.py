"""Batches: what moves between a source, the mapping and a destination. Columns, not records.

A batch is a polars frame (Arrow memory) of well-formed records, with the places they came from, the records that could
not be parsed, and the position after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

if TYPE_CHECKING:
    import polars as pl

#: A position in a source: plain JSON data, opaque to everyone but the source that made it.
Position = dict[str, Any]


class Span(Struct, frozen=True):
    """Consecutive records of one origin: `count` records, the first at number `first` (from 1) of `uri`.

    `unit` says what is counted: `line` (CSV, JSONL: physical line of the record's start), `row` (Parquet) or `record`
    (the position inside an API response, whose request is then the `uri`).

    >>> Span("crm.csv", "line", first=2, count=10).at(3)
    'crm.csv:5'
    >>> Span("GET /tickets?page=2", "record", first=1, count=10).at(0)
    'GET /tickets?page=2#1'
    """

    uri: str
    unit: str
    first: int
    count: int

    def at(self, index: int) -> str:
        """Place of the record at an index inside the span, for people: `crm.csv:12`, `GET /tickets?page=2#3`."""
        number = self.first + index
        return f"{self.uri}:{number}" if self.unit == "line" else f"{self.uri}#{number}"


class Malformed(Struct, frozen=True):
    """A record that could not be parsed: where it is, why, and its raw text (bounded to 64 KiB).

    >>> Malformed("crm.csv:7", "3 fields instead of 4", "7,Ada,x").place
    'crm.csv:7'
    """

    place: str
    message: str
    raw: str
    field: str = ""


class Batch(Struct, frozen=True):
    """Some records.

    `frame` has one row a well-formed record, columns as the source's schema says. The counts of `spans` add up to its
    height. `malformed` are records read but not in the frame. `position` is where a later read continues after this
    batch. `digest` is the SHA-256 of the raw bytes that the batch was read from (of an API, of the SHA-256
    of each body in order). `skipped` counts records that were read and left out on purpose, by a filter of the source.
    `notes` say what was wrong with an answer and accepted all the same: they come on the run's receipt. `settle`: the
    source does something lasting next, so nothing is read on before this batch, and all before it, are committed.
    `unsure` says why there may be records at the source that the read should have come to and didn't. `file` is the
    file that all of it is from, where the source was asked to tell (`SourceRequest.digests`).

    >>> import polars as pl
    >>> spans = (Span("a.csv", "line", 2, 1), Span("b.csv", "line", 2, 1))
    >>> batch = Batch(pl.DataFrame({"id": [1, 2]}), spans, position={"done": ["a.csv", "b.csv"]})
    >>> batch.read, batch.places([1])
    (2, ['b.csv:2'])
    """

    frame: pl.DataFrame
    spans: tuple[Span, ...]
    position: Position
    malformed: tuple[Malformed, ...] = ()
    digest: bytes = b""
    size: int = 0
    notes: tuple[str, ...] = field(default=())
    skipped: int = 0
    settle: bool = False
    unsure: str = ""
    file: str = ""

    @property
    def read(self) -> int:
        """Records read: well-formed, malformed and skipped."""
        return self.frame.height + len(self.malformed) + self.skipped

    def places(self, rows: Sequence[int]) -> list[str]:
        """Places of the rows at these indices (ascending or not)."""
        ends = list(accumulate(span.count for span in self.spans))
        found = []
        for row in rows:
            at = bisect_right(ends, row)
            span = self.spans[at]
            found.append(span.at(row - (ends[at] - span.count)))
        return found
