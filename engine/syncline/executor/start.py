"""Where a run starts: decided once, from the destination's checkpoint and the state's record of the run that wrote it."""

from __future__ import annotations

import datetime as dt
import secrets as random
from dataclasses import replace
from typing import TYPE_CHECKING

from syncline.executor.checkpoint import Checkpoint
from syncline.kinds.sync import SyncSpec
from syncline.model.event import rfc3339
from syncline.model.run import TRANSITIONS
from syncline.planner.position import position_digest

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.state.store import RunRecord, StateReader


def new_run_id() -> str:
    """A run id that sorts by time: `20261125T181500-1f2e3d`."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{random.token_hex(3)}"


def is_final(record: RunRecord | None) -> bool:
    """Whether a run can't go on."""
    return record is not None and not TRANSITIONS[record.state]


def start_of(name: str, flow: Flow, saved: str | None, reader: StateReader, *, full_refresh: bool) -> Checkpoint:
    """
    The checkpoint to start after.

    - none saved, another basis, or a full refresh: a new run from the start;
    - an unfinished run: the same run goes on, with its counts; if it ended for good (a guard, an error that needed a
      person), a new run goes on from its position (from the start in replace mode, whose unfinished table is void);
    - a finished run: a new run, past its cursor for an incremental sync, else from the start.
    """
    basis = position_digest(flow)
    fresh = Checkpoint(name, new_run_id(), basis, started=rfc3339())
    if saved is None or full_refresh:
        return fresh
    previous = Checkpoint.loads(saved)
    if previous.basis != basis:
        return fresh
    onwards = replace(fresh, position=previous.position, before=previous.position)
    if not previous.done:
        if not is_final(reader.run(previous.run)):
            return replace(previous, resumed=previous.resumed + 1)
        return fresh if flow.spec.write == "replace" else onwards
    incremental = isinstance(flow.spec, SyncSpec) and flow.spec.read == "incremental"
    return onwards if incremental else fresh
