"""Retrying rejects: their records, mapped again as the mapping is applied now, written to the flow's table.

A retry is a run of its own, under a name of its own, so that the flow's cursor stays where it is. What is still bad
becomes a reject of the new run, as does what could not be parsed: it has no fields to map, until its source is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.batches.rejects import unseal
from syncline.executor.correction import PARSE, read_correction
from syncline.executor.undone import LOOKED_AT, undone
from syncline.executor.work import Work
from syncline.mapping.records import Misplaced, frame_of_json
from syncline.model.errors import Invalid
from syncline.model.run import PAGE, RunState
from syncline.sdk.batch import Batch, Malformed, Position, Span

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from syncline.executor.engine import Engine
    from syncline.executor.flows.opening import Opener
    from syncline.model.run import Reject
    from syncline.model.schema import Schema
    from syncline.state.store import RunRecord

BATCH = 20_000


def _span(place: str) -> Span:
    for mark, unit in (("#", "record"), (":", "line")):
        uri, found, number = place.rpartition(mark)
        if found and number.isdecimal():
            return Span(uri, unit, int(number), 1)
    return Span(place, "record", 1, 1)


class RejectSource(Struct, frozen=True):
    """
    A run's rejects as a source: the schema is the flow's own, places are where the records first came from.

    `corrected` is the SHA-256 of the file that they were corrected by, if they were.
    """

    schema: Schema
    rejects: tuple[Reject, ...]
    corrected: str = ""

    def read(self, position: Position | None) -> Iterator[Batch]:
        """Batches of records; a position is the number of records read, and the file that corrected them."""
        start = position["record"] if position else 0
        if position and position.get("corrected", "") != self.corrected:
            raise Invalid(
                "a retry that was stopped had the rejects as another file corrects them",
                code="SYN714",
                help="Go on with that file; what is still rejected then can be corrected in a second retry.",
            )
        mark = {"corrected": self.corrected} if self.corrected else {}
        remaining = iter(self.rejects[start:])
        while chunk := list(islice(remaining, BATCH)):
            start += len(chunk)
            data = "\n".join(r.record for r in chunk).encode()
            frame, fitting, malformed = self._frame(chunk)
            yield Batch(
                frame=frame,
                spans=tuple(_span(r.place) for r in fitting),
                position={"record": start, **mark},
                malformed=malformed,
                digest=hashlib.sha256(data).digest(),
                size=len(data),
            )

    def _frame(self, chunk: list[Reject]) -> tuple[pl.DataFrame, list[Reject], tuple[Malformed, ...]]:
        """Records as columns; those that the source could not send, or not any more as its schema changed, apart."""
        unparsed = [Malformed(r.place, r.message, r.record, r.field) for r in chunk if r.rule == PARSE]
        chunk = [r for r in chunk if r.rule != PARSE]
        try:
            return frame_of_json([r.record for r in chunk], self.schema), chunk, tuple(unparsed)
        except Misplaced:
            fitting: list[Reject] = []
            malformed = unparsed
            for reject in chunk:
                try:
                    frame_of_json([reject.record], self.schema)
                except Misplaced as error:
                    malformed.append(Malformed(reject.place, str(error), reject.record, error.field))
                else:
                    fitting.append(reject)
            return frame_of_json([r.record for r in fitting], self.schema), fitting, tuple(malformed)

    def close(self) -> None:
        """Holds nothing."""


def _check_current(engine: Engine, record: RunRecord, *, overwrite: bool) -> None:
    """Refuses a retry whose records may be older than what is in the table by now."""
    later = next(
        (
            r
            for r in engine.facilities.store.runs(record.key, limit=50)
            if r.started > record.started and not r.parent and r.receipt is not None
        ),
        None,
    )
    flow = engine.applied().flow(record.key).flow
    if later is None or flow.spec.write == "append":
        return
    if not flow.reads_on:
        raise Invalid(
            f"run {later.id} has read {record.key} again since run {record.id}",
            code="SYN711",
            help=f"Retry what it rejected: `syncline runs retry {later.id}`.",
        )
    if not overwrite:
        raise Invalid(
            f"run {later.id} has read on since run {record.id}: a retried record could overwrite a newer one",
            code="SYN711",
            help="Where records that were rejected don't change at the source, retry with --overwrite-newer.",
        )


def retry_work(
    engine: Engine, run_id: str, *, overwrite: bool = False, corrected: Path | None = None
) -> tuple[Work, RunRecord]:
    """
    The work of retrying a run, and that run; its rejects as a file corrects them, where there is one.

    Raises `Invalid` when there is nothing to retry, or it would do harm.
    """
    facilities = engine.facilities
    record = facilities.store.run(run_id)
    if record is None:
        raise Invalid(f"there is no run {run_id!r}", code="SYN709", help="`syncline runs list` shows the runs.")
    if record.state is RunState.failed:
        raise Invalid(
            f"run {record.id} failed: what it rejected was not the last word",
            code="SYN708",
            help=f"Run {record.key} again once the mapping or the source is right.",
        )
    if by := undone(facilities.store.runs(record.key, LOOKED_AT)).get(record.id):
        raise Invalid(
            f"run {record.id} was undone by run {by}: what it rejected isn't retried",
            code="SYN765",
            help=f"Run the import again: `syncline run {record.key}`.",
        )
    sealed = tuple(facilities.store.rejects(record.id))
    done = next((s.retried for s in sealed if s.retried), "")
    if done:
        raise Invalid(
            f"the rejects of run {record.id} were retried by run {done}",
            code="SYN708",
            help=f"What was still bad is in that run: `syncline runs rejects {done}`.",
        )
    correction = corrected.read_bytes() if corrected is not None else b""
    digest = hashlib.sha256(correction).hexdigest() if corrected is not None else ""
    every = tuple(r for s in sealed for r in unseal(facilities.keys, record.key, s))
    rejects = tuple(r for r in every if r.rule != PAGE)
    if all(r.rule == PARSE for r in rejects) and not (corrected and every):
        raise Invalid(
            f"run {record.id} has no rejects that can be retried",
            code="SYN708",
            help="Records that could not be parsed need a corrected source.",
        )
    _check_current(engine, record, overwrite=overwrite)

    def open_source(opener: Opener) -> RejectSource:
        source = opener.source()
        try:
            if corrected is None:
                return RejectSource(source.schema, rejects)
            return RejectSource(
                source.schema, read_correction(corrected.name, correction, every, source.schema), digest
            )
        finally:
            source.close()

    work = Work(record.key, trigger="retry", parent=record.id, open_source=open_source, corrected=digest)
    return work, record
