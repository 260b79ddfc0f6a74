"""Undoing a run of an import: a run of its own, under the lease of its flow, with its own events and receipt.

What is to be taken back, and the flow's checkpoint afterwards, change at the destination in one transaction. So a kill
before it leaves everything as it was, and after it there is only to tell: the checkpoint says so, by this run's id.
Until that is told, the import doesn't run.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.access.permission import permitted
from syncline.executor.batches.at_rest import seal_checkpoint
from syncline.executor.batches.checkpoint import START, Checkpoint
from syncline.executor.image_keys import images_of
from syncline.executor.outcome import outcome
from syncline.executor.progress import Progress, RunInfo
from syncline.executor.reversible import kept_of
from syncline.executor.start import is_final, new_run_id
from syncline.executor.undone import LOOKED_AT, undone
from syncline.executor.work import RunResult, work_name
from syncline.model.errors import Invalid, SynclineError
from syncline.model.event import Action, Event, EventOutcome, rfc3339
from syncline.model.run import UNDOING, Counts, Receipt, RunState, next_state
from syncline.planner.position import position_digest
from syncline.sdk.destination import Fence, Fencing
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Kept, Reversing, Undoing, Undone
from syncline.state.store import Lease, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.executor.engine import Engine
    from syncline.executor.flows.opening import Opener
    from syncline.sdk.destination import Destination
    from syncline.state.store import StateStore


class UndoPlan(Struct, frozen=True):
    """What undoing a run would do: found by doing it, and taking that back."""

    record: RunRecord
    destination: str
    kept: Kept
    found: Undone


def plan_undo(engine: Engine, run_id: str) -> UndoPlan:
    """What undoing a run would do now. `Invalid` (SYN761, SYN762) where it can't be undone."""
    with engine.facilities.store.lease(f"run/{_record(engine, run_id).key}", "") as lease:
        undo = _Undo(engine, lease, run_id)
        return undo.plan()


def undo_run(engine: Engine, run_id: str, progress: Progress) -> RunResult:
    """
    Undoes a run, or goes on undoing it. Raises what stopped it, after recording that.

    `Invalid` where it can't be undone, `Denied` by policy, `Waiting` while a run of the same import is under way.
    """
    with engine.facilities.store.lease(f"run/{_record(engine, run_id).key}", "") as lease:
        undo = _Undo(engine, lease, run_id)
        result = undo.execute(progress)
        undo.tell(result.record)
        return result


def _record(engine: Engine, run_id: str) -> RunRecord:
    found = engine.facilities.store.run(run_id)
    if found is None:
        raise Invalid(f"there is no run {run_id!r}", code="SYN709", help="`syncline runs list` shows the runs.")
    return found


class _Undo:
    """One run that undoes another, under the lease of their flow."""

    def __init__(self, engine: Engine, lease: Lease, run_id: str) -> None:
        self._engine = engine
        self._lease = lease
        facilities = engine.facilities
        self._facilities = replace(facilities, store=facilities.store.fenced(lease))
        self._undone = _record(engine, run_id)
        key = self._undone.key
        applied = engine.applied()
        self._item = applied.flow(key)
        self._name = work_name(key, self._undone.parent)
        self._opener: Opener = engine.opener(self._item, applied, facilities.settings, engine.resolve, facilities.keep)
        revision, plan = applied.under(key)
        self._run = self._left() or RunRecord(
            id=new_run_id(),
            key=key,
            state=RunState.pending,
            trigger=UNDOING,
            revision=revision,
            plan=plan,
            started=rfc3339(),
            parent=self._undone.id,
        )

    def plan(self) -> UndoPlan:
        self._check()
        recorder, key = self._facilities.recorder, self._undone.key
        self._permitted()
        with closing(self._opener.destination()) as destination:
            kept = kept_of(_reversing(destination), self._undone, self._saved(destination))
            found = _reversing(destination).undo(self._undoing(kept, lambda _: None, dry=True))
        looked = recorder.event(
            Action.run_preview,
            key=key,
            undoes=self._undone.id,
            deleted=found.deleted,
            restored=found.restored,
            left=found.touched + found.gone,
        )
        recorder.record([*self._secrets(), looked])
        return UndoPlan(self._undone, self._item.flow.spec.to, kept, found)

    def execute(self, progress: Progress) -> RunResult:
        clock = time.perf_counter()
        self._check()
        try:
            events = [self._permitted()]
            with closing(self._opener.destination()) as destination:
                if offers(destination, Fencing):
                    store = self._facilities.store
                    destination.fence(self._name, Fence(store.lineage, self._lease.token))
                done = self._saved(destination)
                if done is not None and done.run == self._run.id:  # it has committed, and was killed
                    self._begin(events, progress)
                else:
                    kept = kept_of(_reversing(destination), self._undone, done)
                    self._begin(events, progress)
                    progress.phase("undoing")
                    done = self._move(destination, kept, progress)
            return self._finish(done, progress, time.perf_counter() - clock)
        except BaseException as error:
            self._stopped(error)
            raise

    def tell(self, record: RunRecord) -> None:
        """Tells how the flow stands now. Should that fail, it is undone all the same: the next run tells anew."""
        with suppress(SynclineError):
            self._engine.ended(self._facilities.store, self._engine.applied(), record, None)

    # --- What may be undone -------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Refuses what can't be undone, or not now."""
        record, store = self._undone, self._facilities.store
        if record.trigger == UNDOING:
            raise Invalid(
                f"run {record.id} undid run {record.parent}, and can't be undone itself",
                code="SYN761",
                help="Run the import again.",
            )
        runs = store.runs(record.key, LOOKED_AT)
        known = undone(runs)
        if record.id in known:
            raise Invalid(f"run {record.id} was undone by run {known[record.id]}", code="SYN761")
        for run in runs:
            if run.started > record.started and run.trigger != UNDOING and run.id not in known and _wrote(run):
                raise Invalid(
                    f"run {run.id} of {record.key} has written since run {record.id}",
                    code="SYN762",
                    help=f"Undo that first: `syncline runs rollback {run.id}`."
                    if is_final(run)
                    else f"It isn't finished. Finish it (`syncline run {record.key}`), or undo it first.",
                )

    def _left(self) -> RunRecord | None:
        """The run that was to undo this one, and was stopped."""
        runs = self._facilities.store.open_runs(self._undone.key, LOOKED_AT)
        return next((run for run in runs if run.trigger == UNDOING and run.parent == self._undone.id), None)

    def _permitted(self) -> Event:
        """Policy decides as for any other run."""
        results = self._engine.decide(self._item, self._engine.applied())
        return permitted(self._facilities.recorder, self._undone.key, results, UNDOING)

    # --- Doing it -----------------------------------------------------------------------------------------------------

    def _begin(self, events: list[Event], progress: Progress) -> None:
        store, recorder, run = self._facilities.store, self._facilities.recorder, self._run
        if run.state is RunState.running:  # it was killed
            run = replace(run, state=next_state(run.state, "interrupt"))
            store.put_run(run)
        again = run.state is RunState.interrupted
        self._run = replace(run, state=next_state(run.state, "start"), finished="", error="", error_code="")
        store.put_run(self._run)
        if not is_final(self._undone):
            self._give_up(store)
        begun = recorder.event(
            Action.run_start,
            key=run.key,
            run=run.id,
            trigger=UNDOING,
            undoes=self._undone.id,
            revision=run.revision,
            plan=run.plan,
            sequence=0,
            resumed=int(again),
        )
        recorder.record([*events, *self._secrets(), begun])
        spec = self._item.flow.spec
        progress.started(RunInfo(run.id, str(run.key), spec.source, spec.to))

    def _give_up(self, store: StateStore) -> None:
        """A run that was stopped isn't continued: half of what it wrote would be missing."""
        record = self._undone
        if record.state is RunState.running:
            record = replace(record, state=next_state(record.state, "interrupt"))
            store.put_run(record)
        store.put_run(
            replace(
                record,
                state=next_state(record.state, "fail"),
                finished=rfc3339(),
                error=f"it was undone by run {self._run.id}",
                error_code="SYN765",
            )
        )

    def _saved(self, destination: Destination) -> Checkpoint | None:
        """The flow's checkpoint: this run's own says that the destination has committed."""
        saved = destination.checkpoint(self._name)
        return None if saved is None else Checkpoint.loads(saved)

    def _move(self, destination: Destination, kept: Kept, progress: Progress) -> Checkpoint:
        total = kept.inserted + kept.updated

        def advanced(looked_at: int) -> None:
            progress.advanced(Counts(read=looked_at), looked_at / total if total else None)

        found = _reversing(destination).undo(self._undoing(kept, advanced))
        return self._checkpoint(found)

    def _undoing(self, kept: Kept, advanced: Callable[[int], None], *, dry: bool = False) -> Undoing:
        opens = self._facilities.keys.opening(self._undone.key.tenant, images_of(self._undone.id)).open
        return Undoing(
            self._name,
            self._undone.id,
            kept.batches,
            self._run.id,
            opens,
            lambda found: self._checkpoint(found).dumps(),
            advanced,
            dry=dry,
        )

    def _checkpoint(self, found: Undone) -> Checkpoint:
        """Where the flow stands afterwards: before the start, and at the end of a run."""
        flow = self._item.flow
        return Checkpoint(
            self._name,
            self._run.id,
            position_digest(flow),
            counts=_counts(found),
            done=True,
            mapping=flow.mapping.digest,
            started=self._run.started,
            notes=_notes(found),
        )

    # --- Telling ------------------------------------------------------------------------------------------------------

    def _finish(self, done: Checkpoint, progress: Progress, seconds: float) -> RunResult:
        store, recorder, spec = self._facilities.store, self._facilities.recorder, self._item.flow.spec
        state = next_state(self._run.state, "succeed")
        receipt = Receipt(
            run=self._run.id,
            object=str(self._run.key),
            state=state,
            counts=done.counts,
            cursor_before=None,
            cursor_after=None,
            read_digest=START,
            written_digest=START,
            started=self._run.started,
            finished=rfc3339(),
            seconds=round(seconds, 3),
            revision=self._run.revision,
            plan=self._run.plan,
            batches=0,
            source=spec.source,
            destination=spec.to,
            notes=(f"what run {self._undone.id} wrote was taken back", *done.notes),
        )
        if self._undone.parent:
            store.mark_retried(self._undone.parent, "")  # what was rejected then can be retried again
        finish = recorder.event(
            Action.run_finish,
            key=self._run.key,
            run=self._run.id,
            state=str(state),
            undoes=self._undone.id,
            deleted=done.counts.deleted,
            restored=done.counts.updated,
            left=done.counts.skipped,
            revision=receipt.revision,
            plan=receipt.plan,
        )
        recorder.record([finish])
        self._run = replace(
            self._run, state=state, finished=receipt.finished, counts=done.counts, receipt=receipt.to_json()
        )
        text = seal_checkpoint(self._facilities.keys, self._run.key.tenant, done.dumps())
        store.finish_run(self._run, None if self._undone.parent else text, {"runs": 1})
        progress.finished(done.counts, seconds)
        return RunResult(self._run, receipt)

    def _stopped(self, error: BaseException) -> None:
        """Records how it ended, if it had begun. A failure to record is noted on the error and doesn't hide it."""
        if self._run.state is not RunState.running:
            return
        ended = outcome(error)
        recorder = self._facilities.recorder
        self._run = replace(
            self._run,
            state=next_state(self._run.state, ended.event),
            finished=rfc3339(),
            error=ended.message,
            error_code=ended.error.code,
        )
        try:
            self._facilities.store.put_run(self._run)
            recorder.record(
                [
                    recorder.event(
                        Action.run_finish,
                        outcome=EventOutcome.failure,
                        key=self._run.key,
                        run=self._run.id,
                        state=str(self._run.state),
                        undoes=self._undone.id,
                        code=ended.error.code,
                    )
                ]
            )
        except SynclineError as second:
            error.add_note(f"Recording how it ended failed as well: {second}")

    def _secrets(self) -> list[Event]:
        return self._facilities.recorder.secret_uses(self._undone.key, self._opener.secrets.names)


def _wrote(run: RunRecord) -> bool:
    """Whether a run wrote rows, or may have: what is known of one that was killed may be a second old."""
    return bool(run.counts.written) or not is_final(run)


def _reversing(destination: Destination) -> Reversing:
    if not offers(destination, Reversing):
        raise Invalid(
            "the destination keeps nothing that undoing needs", code="SYN760", help="Write to a database or a folder."
        )
    return destination


def _counts(found: Undone) -> Counts:
    written = found.deleted + found.restored
    left = found.touched + found.gone
    return Counts(written + left, written, 0, left, updated=found.restored, deleted=found.deleted)


def _notes(found: Undone) -> tuple[str, ...]:
    notes = []
    if found.touched:
        notes.append(f"left as they are, since they were written to later: {_rows(found.touched)}")
    if found.gone:
        notes.append(f"no longer there as they were left: {_rows(found.gone)}")
    return tuple(notes)


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
