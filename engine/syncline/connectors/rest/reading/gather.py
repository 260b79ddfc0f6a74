"""Pages on their way to a batch: gathered until there are enough of them, then columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.rest.reading.partition import Partition, scope_columns
from syncline.sdk.batch import Batch, Malformed, Position, Span

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.decoding import Decoding
    from syncline.connectors.rest.reading.step import PageRead, Step
    from syncline.model.schema import Schema
    from syncline.sdk.source import SourceRequest

#: Pages of a batch that make it full with so many records: at 100 records a page, a commit each 10,000 records.
PAGES = 100
ROWS = 10_000
#: Most pages of a batch, however few records they have, as where each partition gives one.
MAX_PAGES = 1000
#: Longest time, in seconds, that records wait for others before they make a batch: slow APIs commit all the same.
MAX_AGE = 30.0
#: Records that are held as objects before they become columns: few enough to stay in the processor's cache, which makes
#: decoding the pages after them a third faster than gathering a whole batch of objects does.
CHUNK = 1000


@dataclass(slots=True)
class Gathered:
    """Pages of the next batch. `schema` is that of its columns, of which some tell what records were read for.

    `since` is the monotonic time of its start.
    """

    decoding: Decoding
    schema: Schema
    since: float
    rows: int = 0
    records: list[Any] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    pages: int = 0
    skipped: int = 0
    runs: list[tuple[Partition, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsure: str = ""

    @property
    def anything(self) -> bool:
        """Whether there is more than a position."""
        return bool(self.pages or self.malformed)

    def take(self, step: Step) -> None:
        """Takes in what a step of a read gave."""
        if step.page is not None:
            self._add(step.page, step.around)
        self.malformed += step.malformed
        self.notes += step.notes
        self.unsure = self.unsure or step.unsure

    def _add(self, page: PageRead, partition: Partition) -> None:
        if page.records:
            self.runs.append((partition, len(page.records)))
        self.records += page.records
        self.rows += len(page.records)
        if len(self.records) >= CHUNK:
            self._to_columns()
        self.spans += page.spans
        self.malformed += page.malformed
        self.notes += page.notes
        self.unsure = self.unsure or page.unsure
        self.digest.update(bytes.fromhex(page.digest))
        self.size += page.size
        self.pages += 1
        self.skipped += page.skipped

    def full(self, request: SourceRequest, now: float) -> bool:
        """Whether it is time for a batch."""
        read = self.rows + len(self.malformed) + self.skipped
        return (
            read >= request.batch_rows
            or (self.pages >= PAGES and read >= ROWS)
            or self.size >= request.batch_bytes
            or self.pages >= MAX_PAGES
            or now - self.since >= MAX_AGE
        )

    def batch(self, position: Position, *, settle: bool = False) -> Batch:
        """All that was gathered, with the position after it; see `Batch.settle`."""
        if self.records or not self.frames:
            self._to_columns()
        frame = pl.concat(self.frames, rechunk=True)
        if len(self.schema.fields) > len(self.decoding.schema.fields):
            own = set(self.decoding.schema.names)
            read_for = scope_columns([f for f in self.schema.fields if f.name not in own], self.runs)
            frame = frame.with_columns(read_for).select(self.schema.names)
        return Batch(
            frame=frame,
            spans=tuple(self.spans),
            position=position,
            malformed=tuple(self.malformed),
            digest=self.digest.digest(),
            size=self.size,
            skipped=self.skipped,
            notes=tuple(self.notes),
            settle=settle,
            unsure=self.unsure,
        )

    def _to_columns(self) -> None:
        self.frames.append(self.decoding.frame(self.records))
        self.records = []


def spans_of(place: str, rows: Sequence[int]) -> tuple[Span, ...]:
    """Runs of consecutive records of a page, by their indices on it; their numbers count from 1."""
    if not rows:
        return ()
    if rows[-1] - rows[0] == len(rows) - 1:
        return (Span(place, "record", rows[0] + 1, len(rows)),)
    found: list[Span] = []
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or rows[index] != rows[index - 1] + 1:
            found.append(Span(place, "record", rows[start] + 1, index - start))
            start = index
    return tuple(found)
