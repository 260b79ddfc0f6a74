"""Whether a run can still be taken back: all that it committed is kept, and its window isn't over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.sdk.reversal import Kept, Reversing
    from syncline.state.store import RunRecord


def kept_of(destination: Reversing, record: RunRecord, saved: Checkpoint | None) -> Kept:
    """
    What is kept of a run, which is all of it; `Invalid` (SYN761) where it can't be undone.

    `saved` is the flow's checkpoint at the destination.
    """
    kept = destination.kept(record.id)
    if kept is None:
        raise Invalid(
            f"nothing is kept of run {record.id} of {record.key}, so it can't be undone",
            code="SYN761",
            help="An import keeps what undoing it needs where it declares rollback: {window: 7d}, for that long, and "
            "until somebody is erased from its table.",
        )
    if kept.until < datetime.now(UTC):
        raise Invalid(
            f"run {record.id} could be undone until {kept.until:%Y-%m-%d %H:%M} UTC",
            code="SYN761",
            help="What was there before it can be brought back from a backup only.",
        )
    if kept.ended and not _whole(kept, record, saved):
        # Where renaming a table commits, a kill may come between that and the end of the run.
        raise Invalid(
            f"run {record.id} of {record.key} put new content in place of its table and was stopped before its end",
            code="SYN761",
            help=f"Finish it first (`syncline run {record.key}`); it can be undone then.",
        )
    if not _whole(kept, record, saved):
        raise Invalid(
            f"only a part of run {record.id} of {record.key} is kept ({kept.batches:,} of its batches),"
            " so it can't be undone",
            code="SYN761",
            help="The rest went when somebody was erased from the table or the run had paused for longer than the "
            "window, or was written before the import declared rollback. It can be brought back from a backup only.",
        )
    return kept


def _whole(kept: Kept, record: RunRecord, saved: Checkpoint | None) -> bool:
    """Whether all batches of a run are kept: it leaves one image with each, or all of them with its end."""
    if kept.ended:
        return record.receipt is not None or (saved is not None and saved.run == record.id and saved.done)
    if record.receipt is not None:
        return bool(kept.batches == record.receipt["batches"])
    if saved is not None and saved.run == record.id:
        return kept.batches == saved.sequence
    # It failed, and another run followed: what it changed is known, unless it was killed.
    counts = record.counts
    told = counts.written == counts.inserted + counts.updated + counts.unchanged
    return told and record.error_code != "SYN710" and (kept.inserted, kept.updated) == (counts.inserted, counts.updated)
