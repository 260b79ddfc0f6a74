"""Whether a flow may have left rows at its destination, by what the state knows of its runs.

Where a table, a database or a folder is missing, nothing can be found in it. That is no proof that nobody is in what it
had: it may have been renamed or moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.model.run import TRANSITIONS

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.state.store import RunRecord, StateReader

#: Runs of a flow that are looked through.
RUNS: Final = 1_000_000


def may_have_rows(store: StateReader, key: ObjectKey) -> bool:
    """Not where each of its runs has ended without having written a row, nor where its table was dropped since."""
    return any(map(_may_have_written, store.runs(key, RUNS))) and not dropped(store, key)


def dropped(store: StateReader, key: ObjectKey) -> bool:
    """Whether the table of a flow is known to be dropped, after its last run."""
    return any(
        one.reason == "TableDropped" and all(one.time >= last.started for last in store.runs(key, 1))
        for one in store.events(key)
    )


def _may_have_written(run: RunRecord) -> bool:
    """Of one that hasn't ended, as after a lost answer to a commit, nobody knows."""
    return bool(run.counts.written) or bool(TRANSITIONS[run.state])
