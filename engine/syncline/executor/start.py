"""Where a run starts: decided once, from the destination's checkpoint and the state's records of the runs before it."""

from __future__ import annotations

import datetime as dt
import secrets as random
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.executor.batches.chapters import Chapters, over
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.undone import refuse_halfway
from syncline.kinds.import_ import ImportSpec
from syncline.model.event import rfc3339
from syncline.model.run import TRANSITIONS, RunState
from syncline.sdk.chapters import apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.manifests.flow import Flow
    from syncline.planner.compiled import CompiledFlow
    from syncline.state.store import RunRecord, Standing, StateReader

#: Where a run of the state stands, by its id; None where it isn't known.
StateOf = Callable[[str], RunState | None]


def new_run_id() -> str:
    """A run id that sorts by time: `20261125T181500-1f2e3d`."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{random.token_hex(3)}"


def is_final(record: RunRecord) -> bool:
    """Whether a run can't go on."""
    return not TRANSITIONS[record.state]


def state_in(standing: Standing, reader: StateReader) -> StateOf:
    """Where runs stand: most are among those that were read, and the others are asked for."""
    known = {run.id: run.state for run in standing.runs}
    return lambda run: known[run] if run in known else reader.run_state(run)


def left_open(runs: Sequence[RunRecord], parent: str) -> tuple[RunRecord, ...]:
    """
    Of a flow's runs those that no process works on any more and that didn't end; of the retries of `parent` if it is
    given.

    Only who holds the lease of the work can say so: a run of the same work that is open then was killed or stopped.
    `Stalled` (SYN763) where one of them undoes a run: it is to be finished first.
    """
    found = tuple(run for run in runs if not is_final(run))
    refuse_halfway(found)
    return tuple(r for r in found if r.parent == parent)


def forgotten(saved: str | None, copy: str | None, state_of: StateOf) -> bool:
    """
    Whether a checkpoint at the destination was forgotten on purpose: its object was retired, or its position reset.

    The state has a copy of every checkpoint that its own runs made; without a copy, one of a run that it knows was
    forgotten, and one of a run that it doesn't know is of an earlier state, and the truth.
    """
    return saved is not None and copy is None and state_of(Checkpoint.loads(saved).run) is not None


def start_of(
    name: str,
    item: CompiledFlow,
    saved: str | None,
    left: Sequence[RunRecord],
    state_of: StateOf,
    *,
    full_refresh: bool,
    retry: bool = False,
) -> Checkpoint:
    """
    The checkpoint to start after. `left` are the runs of the same work that are open, newest first.

    - none saved, another basis, or a full refresh: a new run from the start;
    - an unfinished run: the same run goes on, with its counts; if it ended for good (a guard, an error that needed a
      person), a new run goes on from its position where reading again would double rows or lose the cursor (append,
      incremental, a retry), and else from the start, so that it accounts for everything;
    - an unfinished run whose mapping has changed since: as if it had ended for good, so that no run mixes two mappings;
    - a run that finished at the destination and was killed before it could say so: the same run, `done`;
    - a finished run: a new run, past its cursor for an incremental sync, for an import that reads what changed under
      the same mapping, and for a retry, else from the start.

    A new run takes over the id of one that was stopped before its first commit.
    """
    flow, basis = item.flow, item.basis
    chapters = over(apart(saved)[2]) if saved is not None else Chapters()
    fresh = Checkpoint(name, new_run_id(), basis, started=rfc3339(), mapping=flow.mapping.digest, chapters=chapters)
    if full_refresh:
        return fresh
    previous = None if saved is None else replace(Checkpoint.loads(saved), flow=name)  # it may have had another
    idle = next((r for r in left if previous is None or r.id != previous.run), None)
    if idle is not None:
        fresh = replace(fresh, run=idle.id, started=idle.started)
    if previous is None or previous.basis != basis:
        return fresh
    onwards = replace(fresh, position=previous.position, before=previous.position)
    state = state_of(previous.run)
    same = previous.done or previous.mapping == flow.mapping.digest
    if same and (TRANSITIONS[state] if state is not None else not previous.done):
        return replace(previous, resumed=previous.resumed + 1)
    keeps_cursor = retry or (flow.reads_on and not (_remaps(flow) and previous.mapping != flow.mapping.digest))
    if not previous.done and flow.spec.write == "append":
        return onwards
    return onwards if keeps_cursor and (previous.done or flow.spec.write != "replace") else fresh


def _remaps(flow: Flow) -> bool:
    """Whether another mapping has everything be read again: files are there, and rows are replaced by key. A queue
    doesn't tell of them again.
    """
    return isinstance(flow.spec, ImportSpec) and flow.spec.write == "upsert" and not flow.source.queue
