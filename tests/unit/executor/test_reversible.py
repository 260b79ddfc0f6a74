"""Whether what is kept of a run is all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.reversible import kept_of
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.sdk.reversal import Kept
from syncline.state.store import RunRecord

KEY = ObjectKey("acme", "Import", "customers")
RECORD = RunRecord("run-1", KEY, RunState.interrupted, "manual", "", "", "2026-01-05T08:00:00Z")
KEPT = Kept("customers", 3, 1, datetime.now(UTC) + timedelta(days=1), 2)
SAVED = Checkpoint(str(KEY), "run-1", "p", sequence=2)


class Keeps:
    """A destination that keeps this of any run."""

    def __init__(self, found):
        self.found = found

    def kept(self, run):
        assert run == "run-1"
        return self.found


def refused(kept, record, saved):
    with pytest.raises(Invalid) as caught:
        kept_of(Keeps(kept), record, saved)  # type: ignore[arg-type]  # nothing else is asked of it
    assert caught.value.code == "SYN761"
    return f"{caught.value.message} {caught.value.help}"


def test_each_batch_leaves_an_image():
    """As many as the checkpoint says were committed are the whole run; fewer aren't."""
    assert kept_of(Keeps(KEPT), RECORD, SAVED) is KEPT  # type: ignore[arg-type]  # likewise
    assert "only a part of run run-1" in refused(KEPT, RECORD, replace(SAVED, sequence=3))


def test_what_is_kept_with_the_end_is_whole_when_the_run_has_ended():
    """A replacement is kept with its swap, whatever its batches; one that hasn't said its end is finished first."""
    ended = replace(KEPT, ended=True)
    assert kept_of(Keeps(ended), RECORD, replace(SAVED, sequence=9, done=True)) is ended  # type: ignore[arg-type]  # likewise
    assert "syncline run acme/Import/customers" in refused(ended, RECORD, SAVED)
    assert "Finish it first" in refused(ended, RECORD, None)


def test_what_is_over_or_never_was_is_refused():
    """Each says why."""
    assert "nothing is kept" in refused(None, RECORD, SAVED)
    assert "could be undone until" in refused(
        replace(KEPT, until=datetime.now(UTC) - timedelta(seconds=1)), RECORD, SAVED
    )
