"""Whether a flow may have left rows at its destination, by what the state knows of its runs.

Where a table, a database or a folder is missing, nothing can be found in it. That is no proof that nobody is in what it
had: it may have been renamed or moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.model.run import TRANSITIONS

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.state.store import RunRecord, StateReader, StateStore

#: Runs of a flow that are looked through.
RUNS: Final = 1_000_000


def may_have_rows(store: StateStore, key: ObjectKey) -> bool:
    """Not where each of its runs has ended without having written a row, nor where its table was dropped since."""
    return may_have_written(store, key, _since(store, key)) and not dropped(store, key)


def may_have_written(store: StateReader, key: ObjectKey, since: str = "") -> bool:
    """
    Whether a run of a flow that had not ended by a time (RFC 3339 UTC) may have written a row since: one that was
    stopped before it may have gone on after it, in another table.
    """
    return any(_may_have_written(run) for run in store.runs(key, RUNS) if not run.finished or run.finished > since)


def _since(store: StateStore, key: ObjectKey) -> str:
    """Since when a flow writes where it does now: until when it, or one that had its name, was led elsewhere."""
    known = store.object(key)
    past = store.retired_flows().of(key)
    return next((one.until for one in past if one.led or (known is not None and one.applied != known.applied)), "")


def led_since(store: StateStore, key: ObjectKey, time: str) -> bool:
    """Whether a flow, or one that had its name, was retired or led elsewhere after a time (RFC 3339 UTC)."""
    return any(one.until > time for one in store.retired_flows().of(key))


def dropped(store: StateReader, key: ObjectKey) -> bool:
    """Whether the table of a flow is known to be dropped, after its last run, which may have been begun before."""
    return any(
        one.reason == "TableDropped" and all(one.time >= (last.finished or last.started) for last in store.runs(key, 1))
        for one in store.events(key)
    )


def dropped_then(store: StateReader, key: ObjectKey, since: str, until: str) -> bool:
    """Whether a table of a flow is known to be dropped in that time, open at its end where `until` is ''."""
    return any(
        one.reason == "TableDropped" and since <= one.time and (not until or one.time < until)
        for one in store.events(key, limit=RUNS)
    )


def _may_have_written(run: RunRecord) -> bool:
    """Of one that hasn't ended, as after a lost answer to a commit, nobody knows."""
    return bool(run.counts.written) or bool(TRANSITIONS[run.state])
