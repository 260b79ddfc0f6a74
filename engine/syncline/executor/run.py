"""One run, from its start to its receipt.

It is checked by policy, continued from the destination's checkpoint where one is unfinished, moved by `pipeline.load`,
finished at the destination, and told in the state and the audit log (`ending.py`). `engine.py` begins it under a lease.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from msgspec import structs

from syncline.audit.records import run_key
from syncline.executor.access.admission import DailyRows, Disk, tenant_spec
from syncline.executor.access.permission import permitted
from syncline.executor.adopting import take_over
from syncline.executor.batches.accounting import Accounted, accounted_of, rows_at
from syncline.executor.batches.anonymity import Groups
from syncline.executor.batches.at_rest import position_of, put_position, put_run, rename_position, shut_copy
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.commit import Committer, FirstPass
from syncline.executor.batches.control import check_control, differences
from syncline.executor.batches.guard import check_rows, enough_rows, max_shrink, unchanged
from syncline.executor.batches.in_order import InOrder
from syncline.executor.batches.moves import moves_of
from syncline.executor.batches.patience import Patience
from syncline.executor.batches.pipeline import load
from syncline.executor.batches.provable import Provable, folder_of, refuse_sending
from syncline.executor.batches.read_ahead import read_ahead
from syncline.executor.batches.serial import Serial
from syncline.executor.ending import finish, moved, stopped
from syncline.executor.flows.credentials import note_credential
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.executor.image_keys import images_of
from syncline.executor.progress import Progress, RunInfo
from syncline.executor.services.in_flight import PARTS, InFlight, Seat
from syncline.executor.start import forgotten, left_open, new_run_id, start_of, state_in
from syncline.executor.waits import Waits
from syncline.executor.work import RunResult, Work
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.sync import Guards, SyncSpec
from syncline.model import units
from syncline.model.errors import Denied, Invalid
from syncline.model.event import Action, Event, EventOutcome, rfc3339
from syncline.model.run import Counts, RunState, next_state
from syncline.sdk.destination import Alike, Cutting, Fence, Fencing, Restoring, Sending, Target, WriteMode
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Keeping, Reversing
from syncline.sdk.source import Measured
from syncline.state.store import Lease, RunRecord, Standing, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.executor.batches.moves import Moves
    from syncline.executor.batches.pipeline import Advanced, Sink
    from syncline.executor.batches.read_ahead import ReadAhead
    from syncline.executor.batches.suppressor import Suppressor
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.batch import Batch
    from syncline.sdk.destination import Destination, Writer
    from syncline.sdk.source import Source


#: Parts of an import that are worked on at the same time, unless it says how many. Each takes up to 100 MB.
MOST_PARTITIONS = 4


def _terms(item: CompiledFlow, work: Work) -> tuple[WriteMode, Guards]:
    """How to write, and within which bounds. A retry adds to what is there, and all that it moves was rejected once."""
    spec = item.flow.spec
    if not work.parent:
        return spec.write, spec.guards
    if spec.guards.anonymity is not None:
        raise Denied(
            f"what {item.flow.key} rejected can't be added alone: its floor of anonymity is about all rows together",
            code="SYN870",
            help="Correct the records at the source, and run the flow again.",
        )
    return ("upsert" if item.flow.target_key and spec.write != "append" else "append"), Guards()


class Run:
    """One run, under the lease of its flow. `execute` reads from top to bottom."""

    def __init__(
        self, engine: Engine, lease: Lease, work: Work, applied: Applied, item: CompiledFlow, progress: Progress
    ) -> None:
        self.engine = engine
        self.lease = lease
        self.work = work
        self.applied = applied
        self.item = item
        self.flow = item.flow
        self.progress = progress
        # Who was taken for dead, and followed, can't change what the state says of the flow any more.
        self.facilities = structs.replace(engine.facilities, store=engine.facilities.store.fenced(lease))
        self.mode, self.guards = _terms(item, work)
        settings = self.facilities.settings
        self.opener = engine.opener(item, applied, settings, engine.resolve, self.facilities.keep)
        self.opener.ledgers = ledgers(self.facilities)
        self.opener.patience = work.patience
        self.opener.waits = Waits(progress, self._noted)
        self.counted = Counts()  # what the counters have of it
        self.suppressor: Suppressor | None = None  # who isn't to come back
        self.standing = Standing()  # before it began
        self.complete = False  # everything is at the destination, and what is left is to tell
        self.clock = time.perf_counter()
        revision, plan = applied.under(work.key)
        self.record = RunRecord(
            id=new_run_id(),
            key=work.key,
            state=RunState.pending,
            trigger=work.trigger,
            revision=revision,
            plan=plan,
            started=rfc3339(),
            parent=work.parent,
        )

    def _noted(self, seconds: float, why: str) -> None:
        """Notes in the state that it waits, for who looks at it meanwhile."""
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        self.facilities.store.note_wait(self.record.id, Wait(rfc3339(until), why))

    def execute(self) -> RunResult:
        serial = Serial(self._patience())
        with ExitStack() as stack:
            opened = ExitStack()  # by that thread, also after a signal has ended the wait for it
            stack.callback(serial.close, opened.close)
            try:
                self.standing = self.facilities.store.standing(self.flow.key)
                results = self.engine.decide(self.item, self.applied)
                events = [permitted(self.facilities.recorder, self.flow.key, results, "run")]
                copy = None if self.work.parent else shut_copy(self.standing.checkpoint)
                destination, saved = serial.call(lambda: self._opened(serial, opened, copy))
                start = self._begin(saved, copy, events)
                # Where it has written under what is declared now, the table is its own.
                former = self._known(saved)
                if not self.work.parent and (former is None or former.basis != start.basis):
                    flows, store = self.applied.flows, self.facilities.store
                    serial.call(lambda: take_over(destination, self.flow, flows, store))
                source = self.work.open_source(self.opener)
                stack.callback(source.close)
                self._record_start(start, events)
                return self._move(serial, source, destination, start)
            except BaseException as error:
                stopped(self, error)
                raise

    def _opened(self, serial: Serial, opened: ExitStack, copy: str | None) -> tuple[Destination, str | None]:
        """Opens the destination, and takes the flow there by the token of our lease: nobody who had it writes any more.

        Gives the destination's checkpoint as well; `copy` is the one in the state.
        """
        destination = self.opener.destination()
        opened.callback(destination.close)
        if offers(destination, Cutting):
            serial.cut = destination.cut
        if offers(destination, Fencing):
            fence = Fence(self.facilities.store.lineage, self.lease.token)
            destination.fence(self.work.name, fence, anew=self.work.full_refresh)
        return destination, self._saved(destination, copy)

    def _saved(self, destination: Destination, copy: str | None) -> str | None:
        """The destination's checkpoint, under the flow's name of today."""
        store = self.facilities.store
        known = self._known(copy)
        if known is not None and known.restored:
            return self._restored(destination, known)
        if self.work.parent or self.work.full_refresh:
            return destination.checkpoint(self.work.name)
        if known is not None and known.flow != self.work.name:
            store.prove(self.lease)
            destination.move(known.flow, self.work.name)  # the object was renamed since: its checkpoint follows
            rename_position(store, self.flow.key, self.work.name)
        saved = destination.checkpoint(self.work.name)
        if forgotten(saved, copy, state_in(self.standing, store)):
            # To who was followed meanwhile, a flow that was renamed looks as if it were retired.
            store.prove(self.lease)
            destination.forget(self.work.name)
            return None
        return saved

    def _known(self, text: str | None) -> Checkpoint | None:
        """A checkpoint, if there is one. Who starts over needs none that can't be read (SYN705), as was advised."""
        try:
            return None if text is None else Checkpoint.loads(text)
        except Invalid:
            if not self.work.full_refresh:
                raise
            return None

    def _restored(self, destination: Destination, known: Checkpoint) -> str | None:
        """Takes the flow back to where it was, at its destination first, so that a kill in between repeats only that.

        Where the destination knows nothing of the flow, what was read before that position may be gone as well.
        """
        saved = destination.checkpoint(self.work.name)
        if not self.work.full_refresh:  # which needs no position, also where the key of that is gone
            known = Checkpoint.loads(position_of(self.facilities, self.flow.key) or "")
        position = structs.replace(known, flow=self.work.name, restored=False)
        text = position.dumps()
        if saved is not None and offers(destination, Restoring) and not self.work.full_refresh:
            destination.restore(self.work.name, position.run, text)
            saved = text
        put_position(self.facilities, self.flow.key, position)
        return saved

    def _begin(self, saved: str | None, copy: str | None, events: list[Event]) -> Checkpoint:
        store = self.facilities.store
        if self.work.full_refresh and self.mode == "append" and saved is not None:
            raise Invalid(
                f"reading {self.flow.key} from the start would append every row again",
                code="SYN712",
                help="Write by upsert or replace, or append to a new table.",
            )
        left = left_open(self.standing.runs, self.work.parent)
        start = start_of(
            self.work.name,
            self.item,
            saved,
            left,
            state_in(self.standing, store),
            full_refresh=self.work.full_refresh,
            retry=bool(self.work.parent),
        )
        events += [self._superseded(record, start.run) for record in left if record.id != start.run]
        before = next((record for record in left if record.id == start.run), None)
        if before is None and start.resumed:
            before = store.run(start.run)
        if before is not None:
            if before.state is RunState.running:
                before = structs.replace(before, state=next_state(before.state, "interrupt"))
                store.put_run(before)
            store.drop_rejects(start.run, start.sequence + 1)
            store.add_metrics(self.flow.key, moved(before.counts, start.counts))  # by one that was killed
        else:
            before = structs.replace(self.record, id=start.run)
        self.counted = start.counts
        self.record = structs.replace(
            before,
            state=next_state(before.state, "start"),
            trigger=self.work.trigger,  # a start that goes on with somebody's run has been made by it
            revision=self.record.revision,
            plan=self.record.plan,
            finished="",
            error="",
            error_code="",
            requests=(),
            counts=start.counts,
        )
        if not self.work.parent and copy is None:
            put_run(self.facilities, self.record, start)
        else:
            store.put_run(self.record)
        return start

    def _superseded(self, record: RunRecord, run: str) -> Event:
        """Ends a run that can't be continued any more, since another one starts over."""
        state = next_state(record.state, "fail")
        error = f"it was stopped, and run {run} started over"
        self.facilities.store.put_run(
            structs.replace(record, state=state, finished=rfc3339(), error=error, error_code="SYN710")
        )
        return self.facilities.recorder.event(
            Action.run_finish,
            outcome=EventOutcome.failure,
            key=self.flow.key,
            run=record.id,
            state=str(state),
            code="SYN710",
        )

    def _record_start(self, start: Checkpoint, events: list[Event]) -> None:
        recorder = self.facilities.recorder
        events += recorder.secret_uses(self.flow.key, self.opener.secrets.names, run=start.run)
        begun = recorder.event(
            Action.run_start,
            key=self.flow.key,
            run=start.run,
            trigger=self.work.trigger,
            revision=self.record.revision,
            plan=self.record.plan,
            sequence=start.sequence,
            resumed=start.resumed,
        )
        asked = {"asked": self.work.asked, "corrected": self.work.corrected}
        if more := {name: value for name, value in asked.items() if value}:
            begun = replace(begun, details={**begun.details, **more})
        events.append(begun)
        recorder.record(events)
        for key, secrets in self.opener.secrets.aged.items():
            note_credential(self.facilities, key, secrets)
        info = RunInfo(
            start.run,
            str(self.flow.key),
            self.flow.spec.source,
            self.flow.spec.to,
            resumed=start.counts.read,
        )
        self.progress.started(info)

    def _move(self, serial: Serial, source: Source, destination: Destination, start: Checkpoint) -> RunResult:
        facilities = self.facilities
        moves = moves_of(
            self.item,
            self.applied,
            self.engine.columns(self.item, source),
            self.engine.watch(self.item, self.applied, dt.date.fromisoformat(self.record.started[:10])),
            facilities.store,
            lambda: facilities.keys,
            facilities.settings.root,
        )
        self.suppressor = moves.suppressor
        total = source.total_bytes if offers(source, Measured) else None
        if self._validates_first() and not start.sequence:
            self.progress.phase("validating")
            self._first_pass(source.read(start.position), moves, start, total)
        self.progress.phase("loading")
        sweeps = moves.absence is not None and not (self.work.parent or start.done)
        into, advanced = self._into(destination, moves, start, sweeps=sweeps), self._advancing(start, total)
        # One that was killed between its end and telling it has nothing left to read.
        batches = () if start.done else source.read(start.position)
        with read_ahead(batches, self._patience(), self.work.halt, self._seat()) as incoming:
            writer = serial.call(lambda: destination.open(into))
            committer, done = self._load(serial, incoming, writer, moves, start, advanced, sweeps=sweeps)
        self.complete, self.record = True, structs.replace(self.record, counts=done.counts)
        self.opener.notices += moves.watch.notes
        accounted = Accounted()
        if isinstance(self.flow.spec, ImportSpec) and not self.work.parent:
            stream = self.flow.target.stream
            accounted = accounted_of(source, done, serial.call(lambda: rows_at(destination, stream)))
        return finish(self, committer, start, done, accounted)

    def _load(
        self,
        serial: Serial,
        incoming: ReadAhead,
        writer: Writer,
        moves: Moves,
        start: Checkpoint,
        advanced: Advanced,
        *,
        sweeps: bool,
    ) -> tuple[Committer, Checkpoint]:
        """Moves everything, and gives who committed it, with the checkpoint at its end."""
        if offers(writer, Sending):
            serial.stop = serial.cut = writer.stop
        committer = Committer(
            self.facilities,
            writer,
            self.flow.key,
            self.record,
            self._may_end,
            self.guards,
            moves.mark,
            sweeps=sweeps,
        )
        if start.sequence:
            committer.tell(start)
        sink = self._sink(committer, writer, start.run)
        try:
            strict = not self.work.parent
            preparer = moves.preparer(writer, control=self.guards.control, strict=strict, sweeps=sweeps)
            ready = InOrder(incoming, preparer, self._partitions())
            end = load(ready, sink, serial, start, self.guards, advanced, self._partitions())
            self._check_whole(end)
            self.progress.phase("finishing")
            return committer, serial.call(lambda: committer.finish(end))
        except BaseException:
            self.record = committer.counted_record()
            serial.call(writer.abort)
            serial.call(lambda: self.facilities.recorder.record(committer.take_events()))
            raise

    def _into(self, destination: Destination, moves: Moves, start: Checkpoint, *, sweeps: bool) -> Target:
        return Target(
            self.work.name,
            start.run,
            self.flow.target.stream,
            moves.target,
            self.mode,
            max_shrink(self.guards),
            sweeps=sweeps,
            ahead=self._partitions() if self._partitions() > 1 else 0,
            keeping=self._keeping(destination, start.run),
            alike=self._alike(),
        )

    def _advancing(self, start: Checkpoint, total: int | None) -> Advanced:
        """Tells of progress, and holds the tenant's quotas of rows and of disk."""
        store, key = self.facilities.store, self.flow.key
        tenant = tenant_spec(self.applied.desired, key.tenant)
        daily, disk = DailyRows.of(store, tenant, key), Disk.of(store, tenant, key)

        def advanced(counts: Counts, size: int) -> None:
            self.progress.advanced(counts, size / total if total else None)
            daily.advance(counts.written - start.counts.written)
            disk.advance(counts.rejected)

        return advanced

    def _check_whole(self, end: Checkpoint) -> None:
        """Guards that are about all that was read."""
        if not unchanged(self.flow, end):
            check_rows(self.guards, end.counts)
            check_control(self.guards, end)

    def _sink(self, committer: Committer, writer: Writer, run: str) -> Sink:
        """Where batches go: to the committer, past a note of each row where the flow's records are to be provable."""
        if self.flow.spec.evidence != "records":
            return committer
        if offers(writer, Sending):
            raise refuse_sending(self.flow.key)
        key = run_key(self.facilities.keys.tenant_hash_key(self.flow.key.tenant), run)
        provable = Provable(committer, folder_of(self.facilities.settings, run), key)
        committer.lessened = provable.note
        return provable

    def _patience(self) -> Patience:
        """How long there may be no progress. What an API answers counts, even where no batch came of it yet."""
        return Patience(units.duration(self.flow.spec.progress_deadline), lambda: self.opener.metrics["answers"])

    def _partitions(self) -> int:
        """How many parts of an import are worked on at the same time."""
        spec = self.flow.spec
        if not isinstance(spec, ImportSpec):
            return 1
        return spec.partitions or min(pl.thread_pool_size(), MOST_PARTITIONS)

    def _seat(self) -> Seat | None:
        """An import's place among those whose parts are under way in this process: two more than it works on."""
        room = self.facilities.keep.shared(InFlight)
        if room is None or not isinstance(self.flow.spec, ImportSpec):
            return None
        return room.join(min(self._partitions() + 2, PARTS))

    def _may_end(self, end: Checkpoint) -> bool:
        """
        Whether the commit of the last batch may say that the run is done: what is replaced isn't before its swap, nor
        one that deletes what is absent before that.
        """
        if self.mode == "replace" or self._sweeps() or any(differences(self.guards, end)):
            return False
        return enough_rows(self.guards, end.counts)

    def _sweeps(self) -> bool:
        return isinstance(self.flow.spec, SyncSpec) and self.flow.spec.absent == "delete" and not self.work.parent

    def _keeping(self, destination: Destination, run: str) -> Keeping | None:
        """How what it writes is kept so that it can be undone, where that is declared."""
        spec = self.flow.spec
        if not isinstance(spec, ImportSpec) or spec.rollback is None:
            return None
        if not offers(destination, Reversing):
            raise Invalid(
                f"what is written to {spec.to} can't be undone",
                code="SYN760",
                help="Leave rollback out, or write to a database or a folder of files.",
            )
        envelope = self.facilities.keys.envelope(self.flow.key.tenant, images_of(run))
        return Keeping(units.duration(spec.rollback.window), envelope.seal)

    def _alike(self) -> Alike | None:
        """The floor of anonymity of a table that is replaced, which is counted before the swap."""
        floor = self.guards.anonymity
        return Alike(floor.fields, floor.k) if floor is not None and self.mode == "replace" else None

    def _validates_first(self) -> bool:
        spec = self.flow.spec
        return isinstance(spec, ImportSpec) and spec.validate_first == "before-commit" and not self.work.parent

    def _first_pass(self, batches: Iterable[Batch], moves: Moves, start: Checkpoint, total: int | None) -> None:
        """Reads and maps everything, writes nothing; the guards decide."""
        target = Target(self.work.name, "", self.flow.target.stream, moves.target, self.mode)
        preparer = moves.preparer(self.opener.limits(target), control=self.guards.control, strict=True)
        if self.guards.anonymity is not None:
            preparer.groups = Groups(self.guards.anonymity, moves.target.key if moves.keyed else ())
        serial = Serial()
        try:
            with read_ahead(batches, self._patience(), self.work.halt, self._seat()) as incoming:
                end = load(
                    InOrder(incoming, preparer, self._partitions()),
                    FirstPass(self.facilities, self.flow.key),
                    serial,
                    start,
                    self.guards,
                    lambda counts, size: self.progress.advanced(counts, size / total if total else None),
                )
            self._check_whole(end)
            if preparer.groups is not None:
                preparer.groups.check()
            serial.call(lambda: self.facilities.store.drop_rejects(start.run, 1))
        finally:
            serial.close()
