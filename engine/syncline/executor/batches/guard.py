"""Guards: bounds past which a run stops before it commits more. Each is decided in one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.kinds.import_ import ImportSpec
from syncline.model.errors import Denied
from syncline.model.units import Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.kinds.sync import Guards
    from syncline.manifests.flow import Flow
    from syncline.model.run import Counts


#: A loss that only an emptied table has.
EMPTIED = 1 - 1e-12

#: Records from which on a share of them says something; a run of fewer is judged at its end, before it commits.
MIN_SAMPLE = 1_000


def may_judge(guards: Guards, counts: Counts) -> bool:
    """Whether enough was read to hold `maxRejects` against it before the end."""
    if guards.max_rejects is None or Share.parse(guards.max_rejects).percent is None:
        return True
    return counts.read >= MIN_SAMPLE


def check_rejects(guards: Guards, counts: Counts) -> None:
    """Denied when more records were rejected than `maxRejects` allows, of those read so far."""
    if guards.max_rejects is None:
        return
    bound = Share.parse(guards.max_rejects)
    if bound.exceeded(counts.rejected, counts.read):
        raise Denied(
            f"{counts.rejected:,} of {counts.read:,} records are rejected, more than maxRejects {bound} allows",
            code="SYN701",
            help="`syncline runs rejects RUN` says why; correct the source or the mapping, or raise guards.maxRejects.",
        )


def rejects_left(guards: Guards, counts: Counts) -> int | None:
    """How many more of the records may be rejected under `maxRejects`; None where there is no bound."""
    if guards.max_rejects is None or (most := Share.parse(guards.max_rejects).most(counts.read)) is None:
        return None
    return max(most - counts.rejected, 0)


def check_volume(guards: Guards, counts: Counts) -> None:
    """Denied when a run would write more rows than `maxRows`."""
    if guards.max_rows is not None and counts.written > guards.max_rows:
        raise Denied(
            f"the run would write {counts.written:,} rows, more than maxRows {guards.max_rows:,}",
            code="SYN518",
            help="Look whether the source sends what it should; if so, raise guards.maxRows and run again.",
        )


def check_deletes(guards: Guards, deleted: int, there: Callable[[], int]) -> None:
    """Denied when a run would delete more rows than `maxDeletes` allows, of those `there` without its deletes."""
    if guards.max_deletes is None or not deleted:
        return
    bound = Share.parse(guards.max_deletes)
    rows = there() if bound.percent is not None else 0
    if bound.exceeded(deleted, rows):
        of = f" of {rows:,}" if bound.percent is not None else ""
        raise Denied(
            f"the run would delete {deleted:,}{of} rows, more than maxDeletes {bound} allows",
            code="SYN527",
            help="Look whether they are really gone at the source; if so, raise guards.maxDeletes and run again.",
        )


def enough_rows(guards: Guards, counts: Counts) -> bool:
    """Whether there are as many rows as `minRows` asks for."""
    return guards.min_rows is None or counts.written >= guards.min_rows


def check_rows(guards: Guards, counts: Counts) -> None:
    """Denied when fewer rows than `minRows` would be the outcome of the run."""
    if not enough_rows(guards, counts):
        raise Denied(
            f"minRows asks for {guards.min_rows:,} rows, and the run has {counts.written:,}",
            code="SYN702",
            help="Look whether the source is complete.",
        )


def max_shrink(guards: Guards) -> float | None:
    """
    `maxShrink` as the fraction that a replaced table may lose. Undeclared, anything but all of it.

    `minRows: 0` says that an empty outcome is meant.
    """
    if guards.max_shrink is None:
        return None if guards.min_rows == 0 else EMPTIED
    percent = Share.parse(guards.max_shrink).percent
    return None if percent is None else percent / 100


def unchanged(flow: Flow, end: Checkpoint) -> bool:
    """Whether an import had nothing to read, since no file has changed: guards have nothing to say of that."""
    reads_changed = isinstance(flow.spec, ImportSpec) and flow.reads_on
    return reads_changed and end.before is not None and not end.counts.read
