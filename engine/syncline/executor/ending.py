"""How a run ends: with its receipt, or with why it didn't, in the state and the audit log."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from syncline.executor.batches.at_rest import seal_checkpoint, seal_receipt
from syncline.executor.batches.control import confirmed
from syncline.executor.batches.guard import unchanged
from syncline.executor.batches.provable import folder_of, root_of
from syncline.executor.batches.rejects import seal_sample
from syncline.executor.batches.watch import Watched
from syncline.executor.outcome import Outcome, outcome
from syncline.executor.start import is_final
from syncline.executor.work import RunResult, Work
from syncline.model.errors import Denied, SynclineError
from syncline.model.event import Action, Detail, Event, EventOutcome, rfc3339
from syncline.model.run import Counts, Receipt, RunState, next_state
from syncline.model.sample import sample_of
from syncline.state.store import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from syncline.executor.batches.accounting import Accounted
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.executor.batches.commit import Committer
    from syncline.executor.run import Run
    from syncline.executor.services.facilities import Facilities
    from syncline.executor.services.recorder import Recorder
    from syncline.manifests.flow import Flow

#: Digests of files in an event at most; the receipt has all of them.
_MOST_DIGESTS = 20


def finish(run: Run, committer: Committer, start: Checkpoint, done: Checkpoint, accounted: Accounted) -> RunResult:
    """Ends a run that moved everything: the receipt, its evidence, and the state's record, in this order."""
    event = "finish-with-rejects" if done.counts.rejected else "succeed"
    state = next_state(run.record.state, event)
    seconds = time.perf_counter() - run.clock
    receipt = Receipt(
        run=done.run,
        object=str(run.flow.key),
        state=state,
        counts=done.counts,
        cursor_before=done.before,
        cursor_after=done.position,
        read_digest=done.read_digest,
        written_digest=done.written_digest,
        started=done.started,
        finished=rfc3339(),
        seconds=round(seconds, 3),
        revision=run.record.revision,
        plan=run.record.plan,
        batches=done.sequence,
        resumed=start.resumed,
        source=run.flow.spec.source,
        destination=run.flow.spec.to,
        notes=(
            *_untold(done.counts),
            *_suppressed(done.counts),
            *_left_out(done),
            *_unswept(done),
            *_unread(run.flow, done),
            *confirmed(run.guards, done),
            *done.told(),
            *run.opener.notices,
        ),
        files=accounted.digests,
        file_counts=accounted.files,
        rows=accounted.rows,
        latency=committer.latencies.told(),
        requests=run.opener.requests(),
        manifests=run.flow.digests,
        sums=done.sums,
    )
    store, recorder = run.facilities.store, run.facilities.recorder
    finish = recorder.event(
        Action.run_finish,
        key=run.flow.key,
        run=done.run,
        state=str(state),
        read=done.counts.read,
        written=done.counts.written,
        rejected=done.counts.rejected,
        skipped=done.counts.skipped,
        read_digest=done.read_digest,
        written_digest=done.written_digest,
        revision=receipt.revision,
        plan=receipt.plan,
        **{name: count for name in ("deleted", "absent", "suppressed") if (count := getattr(done.counts, name))},
    )
    recorder.record([*committer.take_events(), _telling(finish, _records(run, done) | _accounting(receipt))])
    run.record = structs.replace(
        run.record, state=state, finished=receipt.finished, counts=done.counts, receipt=receipt.to_json()
    )
    keys, tenant = run.facilities.keys, run.flow.key.tenant
    store.finish_run(
        structs.replace(run.record, receipt=seal_receipt(keys, tenant, receipt.to_json())),
        None if run.work.parent else seal_checkpoint(keys, tenant, done.dumps()),
        {"runs": 1, "elapsed": seconds, **moved(run.counted, done.counts), **run.opener.counted()},
    )
    run.progress.finished(done.counts, seconds)
    return RunResult(run.record, receipt)


def _telling(event: Event, more: Mapping[str, Detail]) -> Event:
    return replace(event, details={**event.details, **more}) if more else event


def _records(run: Run, done: Checkpoint) -> dict[str, Detail]:
    """The root of the rows that were written, where they are to be provable and all of them are noted here."""
    if run.flow.spec.evidence != "records":
        return {}
    root = root_of(folder_of(run.facilities.settings, done.run), done.sequence)
    return {"records_root": root} if root else {}


def moved(before: Counts, after: Counts) -> dict[str, float]:
    """The records of a part of a run, as counters; what was counted once isn't again."""
    found = {"read": after.read - before.read, "written": after.written - before.written}
    return {name: float(count) for name, count in found.items() if count > 0}


def unswapped(counts: Counts) -> Counts:
    """
    The counts of a run that was to replace a table, and left it as it was: nothing it had gathered is written.

    >>> unswapped(Counts(read=3, written=2, rejected=1, inserted=2)) == Counts(read=3, rejected=1)
    True
    """
    return Counts(read=counts.read, rejected=counts.rejected, skipped=counts.skipped, suppressed=counts.suppressed)


def stopped(run: Run, error: BaseException) -> None:
    """Records how it ended. A failure to record is noted on the error and doesn't hide it."""
    try:
        _record_end(run, outcome(error), denied=isinstance(error, Denied))
    except Exception as second:
        error.add_note(f"Recording how the run ended failed as well: {second}")
    finally:
        run.progress.finished(run.record.counts, time.perf_counter() - run.clock)


def _record_end(run: Run, ended: Outcome, *, denied: bool) -> None:
    store, recorder = run.facilities.store, run.facilities.recorder
    if is_final(run.record):
        return  # it had ended; showing it failed
    if run.record.state is RunState.pending:
        store.put_run(run.record)
    event = "fail" if run.record.state is RunState.pending else ended.event
    if run.complete:
        event = "interrupt"  # the next run has only to tell: one that began anew would append every row again
    if event == "fail" and run.mode == "replace":
        run.record = structs.replace(run.record, counts=unswapped(run.record.counts))
    run.record = structs.replace(
        run.record,
        state=next_state(run.record.state, event),
        finished=rfc3339(),
        error=ended.message,
        error_code=ended.error.code,
        requests=run.opener.requests(),
    )
    store.put_run(run.record)
    # What its clients counted matters most where it failed: how often they tried, and whether a breaker opened.
    counters = {"errors": 1, **moved(run.counted, run.record.counts), **run.opener.counted()}
    store.add_metrics(run.flow.key, counters)
    finish = _finished(recorder, run.record, denied=denied)
    events = list(_decided(run, ended.error))
    try:
        events += _kept_sample(run, ended.error)
    finally:
        recorder.record([*events, finish])


def _finished(recorder: Recorder, record: RunRecord, *, denied: bool = False) -> Event:
    """The event of a run that didn't end well."""
    return recorder.event(
        Action.run_finish,
        outcome=EventOutcome.denied if denied else EventOutcome.failure,
        key=record.key,
        run=record.id,
        state=str(record.state),
        code=record.error_code,
    )


def died(facilities: Facilities, work: Work, error: SynclineError) -> RunRecord:
    """
    Records what ended a run whose process died in it, by who has the lease of its flow by now. What it counted is added
    by the run that goes on with it. Gives its record; where it had not begun, one of its own that isn't kept.
    """
    store, recorder = facilities.store, facilities.recorder
    left = (run for run in store.open_runs(work.key) if run.state is RunState.running and not run.parent)
    if (found := next(left, None)) is None:
        return RunRecord("", work.key, RunState.pending, work.trigger, "", "", started=rfc3339())
    ended = outcome(error)
    record = structs.replace(
        found,
        state=next_state(found.state, ended.event),
        finished=rfc3339(),
        error=ended.message,
        error_code=error.code,
    )
    store.put_run(record)
    store.add_metrics(work.key, {"errors": 1})
    recorder.record([_finished(recorder, record)])
    return record


def _decided(run: Run, error: SynclineError) -> Iterator[Event]:
    """What policy decided of a batch, where that ended the run."""
    if isinstance(error, Watched):
        yield run.facilities.recorder.event(
            Action.policy_decision,
            outcome=EventOutcome.denied,
            key=run.flow.key,
            at="batch",
            run=run.record.id,
            rules=error.rules,
        )


def _kept_sample(run: Run, error: SynclineError) -> list[Event]:
    """Keeps a sample of the answer that ended the run, sealed; the event that says so."""
    sample = error.sample
    if sample is None and error.told != error.message:
        sample = sample_of("", 0, {}, error.message.encode(), str)  # what the state has no word of
    if sample is None:
        return []
    if run.suppressor is not None and run.suppressor.names(f"{error.message} {sample.request} {sample.body}"):
        return []  # nothing is kept of people who were erased
    facilities, key, name = run.facilities, run.flow.key, run.record.id
    facilities.store.put_rejects(seal_sample(facilities.keys, key, name, error, sample))
    digest = sample.sha256
    return [facilities.recorder.event(Action.run_reject, key=key, run=name, sequence=0, count=0, sample=digest)]


def _suppressed(counts: Counts) -> tuple[str, ...]:
    """A note where records were set aside because of whom they are about."""
    if not counts.suppressed:
        return ()
    records = "1 record is" if counts.suppressed == 1 else f"{counts.suppressed:,} records are"
    return (f"{records} about people who were erased, and set aside: `syncline privacy suppressions` lists why",)


def _unread(flow: Flow, done: Checkpoint) -> tuple[str, ...]:
    """A note where there was nothing to read."""
    return ("no file has changed since the run before: nothing was read",) if unchanged(flow, done) else ()


def _accounting(receipt: Receipt) -> dict[str, Detail]:
    """What ties the source's files to the destination's rows."""
    told: dict[str, Detail] = {} if receipt.rows is None else {"rows": receipt.rows}
    if receipt.files:
        told["files"] = sorted(receipt.files.values())[:_MOST_DIGESTS]
    return told


def _left_out(done: Checkpoint) -> tuple[str, ...]:
    """A note where rows aren't there that nothing refused."""
    if not done.left_out:
        return ()
    rows = "1 row was sent and isn't" if done.left_out == 1 else f"{done.left_out:,} rows were sent and aren't"
    return (f"{rows} in the table: a trigger of it left them out without an error",)


def _unswept(done: Checkpoint) -> tuple[str, ...]:
    """A note where rows that the read lacks may be there all the same at the source."""
    return (f"no row was deleted for being absent: {done.unsure}",) if done.unsure else ()


def _untold(counts: Counts) -> tuple[str, ...]:
    """A note where a kill came between a commit and its outcome: no row is lost by it, only what became of some."""
    unknown = counts.written - counts.inserted - counts.updated - counts.unchanged - counts.deleted
    if not unknown:
        return ()
    return (f"of {unknown:,} rows it isn't known whether they were inserted, updated or unchanged: the run was killed",)
