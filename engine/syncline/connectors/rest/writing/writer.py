"""Writes frames to an API: what is to be done about each record, in which order, and what is remembered of it.

Nothing of an API is a transaction. So a batch is written in this order: it is noted that it began, with the
idempotency keys of what will be created; then requests are sent, and what became of each is noted at least once a
second; then the checkpoint moves. A run that was killed in between goes through the same batch again. What is known to
be written is passed over, and the rest has no second effect as far as the API allows it.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.connectors.rest.writing.exchange import Exchange
from syncline.connectors.rest.writing.plan import Call, Step, WritePlan, uuid_of
from syncline.connectors.rest.writing.record import Reply, Result, Writing, append, delete, upsert
from syncline.connectors.rest.writing.values import Columns, Row
from syncline.model.errors import Again, Bug, Invalid
from syncline.model.ledger import Known, Ledger, Mark
from syncline.sdk.destination import Refusal, Sent, Target, Written
from syncline.sdk.frame import target_frame_schema

if TYPE_CHECKING:
    import polars as pl

#: Seconds after which what became of records is noted, in the middle of a batch.
NOTE_EVERY = 1.0
#: Records that are on their way together, for each request at a time that is allowed.
_WINDOW = 100


@dataclass(slots=True)
class _Job:
    """A record on its way: what it wants to ask next."""

    row: Row
    effect: str
    writing: Writing
    step: Step


class RestWriter:
    """An open write to a stream; see `Writer`, `Sending` and `Deleting`."""

    def __init__(
        self,
        target: Target,
        plan: WritePlan,
        columns: Columns,
        exchange: Exchange,
        ledger: Ledger,
        place: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._plan = plan
        self._columns = columns
        self._exchange = exchange
        self._ledger = ledger
        self._place = place
        self._monotonic = monotonic
        self._frame_schema = target_frame_schema(target.schema)
        self._mark: Mark = ledger.begin(target.flow, target.run)
        # Whether a batch was begun by a run that was stopped: any of its effects may be there.
        self._doubtful = self._mark.begun
        self._notes = _Notes()
        self._noted = monotonic()
        self._pending = frozenset[str]()
        self._stopped = Event()

    # --- the contract

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        """Sends a batch and moves the checkpoint; `Invalid` where the API refuses a row, with the others applied."""
        sent = self.send(frame)
        if sent.refused:
            raise Invalid(
                f"{self._target.stream}: {sent.refused[0].message}",
                code="SYN523",
                help="Set the refused records aside and write the others; those that were applied are known.",
            )
        self.commit(checkpoint)
        return sent.written

    def send(self, frame: pl.DataFrame) -> Sent:
        """Applies the rows that the API takes; see `Sending.send`."""
        if dict(frame.schema) != self._frame_schema:
            raise Bug(f"stream {self._target.stream!r} was given columns that its schema doesn't have")
        if refused := self.refuse(frame):
            raise Invalid(f"{self._target.stream}: {refused[0].column}: {refused[0].message}", code="SYN485")
        if not frame.height:
            return Sent(Written(0))
        rows = self._columns.rows(frame, self._target.schema.key)
        tally = _Tally()
        jobs = self._upserts(list(rows), tally) if self._target.mode == "upsert" else self._appends(rows, tally)
        self._drive(jobs, tally)
        return tally.sent()

    def commit(self, checkpoint: str) -> None:
        """Moves the checkpoint, with everything that is known of the rows before it."""
        self._ledger.save(self._target.flow, checkpoint, self._place, self._notes.records)
        self._notes = _Notes()
        self._mark = replace(self._mark, checkpoint=checkpoint, begun=False)
        self._doubtful = False

    def refuse(self, frame: pl.DataFrame) -> list[Refusal]:
        """Values that can't be written as JSON; see `Refusing.refuse`."""
        return self._columns.refusals(frame)

    def delete(self, frame: pl.DataFrame) -> Sent:
        """Deletes the records of the keys in a frame, which has the target's columns; see `Deleting.delete`."""
        if "delete" not in self._plan:
            raise Invalid(f"stream {self._target.stream!r} declares no request that deletes", code="SYN520")
        rows = list(self._columns.rows(frame, self._target.schema.key))
        known = self._ledger.known(self._place, (row.key for row in rows))
        applied = self._ledger.applied(self._target.flow) if self._doubtful else frozenset[str]()
        tally = _Tally()
        self._begun({})
        jobs: list[_Job] = []
        for row in rows:
            if f"deleted {row.key}" in applied:
                tally.did["updated"] += 1
                self._notes.dropped.append(row.key)
                continue
            writing = delete(row, self._plan, known.get(row.key), self._key(row.key), doubtful=self._doubtful)
            if job := self._job(row, row.key, writing, tally):
                jobs.append(job)
        self._drive(jobs, tally)
        return tally.sent()

    def stop(self) -> None:
        """Ends a `send` after the requests that are under way; see `Sending.stop`."""
        self._stopped.set()

    def finish(self, checkpoint: str) -> None:
        """Makes the last checkpoint durable; repeated, it does nothing more."""
        if self._mark.checkpoint != checkpoint:
            self.commit(checkpoint)

    def abort(self) -> None:
        """What was applied is noted already; the next run goes on from there."""

    # --- what is to be done

    def _upserts(self, rows: Sequence[Row], tally: _Tally) -> list[_Job]:
        known = self._ledger.known(self._place, (row.key for row in rows))
        applied = self._ledger.applied(self._target.flow) if self._mark.begun else frozenset[str]()
        begun: dict[str, Known] = {}
        todo: list[tuple[Row, Known | None, str]] = []
        for row in rows:
            at = known.get(row.key)
            if at is not None and not at.pending and at.digest == row.digest:
                before = next((did for did in ("inserted", "updated") if f"{did} {row.key}" in applied), "")
                if before or self._plan.spec.unchanged == "skip":
                    tally.did[before or "unchanged"] += 1
                    continue
            key = at.pending if at is not None and at.pending else self._key(row.key)
            todo.append((row, at, key))
            if "create" in self._plan and "upsert" not in self._plan and (at is None or at.pending):
                begun[row.key] = Known(digest=at.digest if at else row.digest, pending=key)
        if todo:
            self._begun(begun)
        made = (self._job(row, row.key, upsert(row, self._plan, at, key), tally) for row, at, key in todo)
        return [job for job in made if job is not None]

    def _appends(self, rows: Iterable[Row], tally: _Tally) -> list[_Job]:
        doubtful = self._mark.begun
        applied = self._ledger.applied(self._target.flow) if doubtful else frozenset[str]()
        self._begun({})
        seen: Counter[str] = Counter()
        keys: Counter[str] = Counter()
        jobs: list[_Job] = []
        for row in rows:
            seen[row.digest] += 1
            keys[row.key] += 1
            key = self._key(row.digest, str(seen[row.digest]))
            if f"inserted {key}" in applied:
                tally.did["inserted"] += 1
                continue
            writing = append(row, self._plan, key, number=keys[row.key], doubtful=doubtful)
            if job := self._job(row, key, writing, tally):
                jobs.append(job)
        return jobs

    def _key(self, what: str, occurrence: str = "1") -> str:
        """The idempotency key of an effect: every attempt after the same checkpoint has the same."""
        after = hashlib.sha256((self._mark.checkpoint or self._mark.epoch).encode()).hexdigest()
        return uuid_of(self._target.flow, self._mark.epoch, after, self._place, what, occurrence)

    def _begun(self, pending: Mapping[str, Known]) -> None:
        self._ledger.progress(self._target.flow, self._place, pending)
        self._pending = frozenset(pending)
        self._mark = replace(self._mark, begun=True)

    # --- doing it

    def _job(self, row: Row, effect: str, writing: Writing, tally: _Tally) -> _Job | None:
        try:
            return _Job(row, effect, writing, next(writing))
        except StopIteration as end:
            self._ended(row, effect, end.value, tally)
            return None

    def _drive(self, jobs: Sequence[_Job], tally: _Tally) -> None:
        """Lets every job come to its end; a window of them at a time, each of whose requests go out together."""
        threads = self._plan.spec.concurrency
        largest = max((call.batch.size for call in self._plan.calls.values() if call.batch), default=1)
        size = max(largest, _WINDOW) * threads
        pool = ThreadPoolExecutor(threads, thread_name_prefix="syncline-send") if threads > 1 else None
        try:
            left = list(jobs)
            while left:
                waiting, left = _window(left, size)
                while waiting:
                    waiting = self._round(waiting, tally, pool)
        finally:
            # Whatever ended it: what is known is noted, so that it is neither lost nor asked again.
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
            self._note()

    def _round(self, jobs: Sequence[_Job], tally: _Tally, pool: ThreadPoolExecutor | None) -> list[_Job]:
        """Sends the next step of each; the jobs that have one more."""
        left: list[_Job] = []
        failure: BaseException | None = None
        units = self._units(jobs)
        futures = [pool.submit(self._ask, call, unit) for call, unit in units] if pool is not None else None
        for index, (call, unit) in enumerate(units):
            if self._stopped.is_set() and failure is None:
                failure = Again("the run was stopped", code="SYN704", help="The next one goes on from here.")
                if futures is None:
                    break
                _cancel(futures[index:])
            try:
                replies = futures[index].result() if futures is not None else self._ask(call, unit)
            except BaseException as error:
                failure = failure or error
                if futures is None:
                    break
                _cancel(futures[index + 1 :])
                continue
            for job, reply in zip(unit, replies, strict=True):
                try:
                    job.step = job.writing.send(reply)
                    left.append(job)
                except StopIteration as end:
                    self._ended(job.row, job.effect, end.value, tally)
                except Exception as error:
                    failure = failure or error
            if failure is not None and futures is None:
                break
            if self._monotonic() - self._noted >= NOTE_EVERY:
                self._note()
        if failure is not None:
            raise failure
        return left

    def _units(self, jobs: Sequence[_Job]) -> list[tuple[Call, list[_Job]]]:
        """Jobs that share a request, in the order of their first."""
        units: list[tuple[Call, list[_Job]]] = []
        filling: dict[str, list[_Job]] = {}
        for job in jobs:
            call = self._plan.calls[job.step.verb]
            unit = filling.get(call.verb)
            if call.batch is None or unit is None or len(unit) >= call.batch.size:
                unit = filling[call.verb] = []
                units.append((call, unit))
            unit.append(job)
        return units

    def _ask(self, call: Call, unit: Sequence[_Job]) -> list[Reply]:
        return self._exchange.ask(call, [job.step for job in unit])

    def _ended(self, row: Row, effect: str, result: Result, tally: _Tally) -> None:
        if result.did == "refused":
            tally.refused.append(Refusal(row.index, "", result.why))
            if row.key in self._pending:
                self._notes.dropped.append(row.key)  # it wasn't created
            return
        tally.did["updated" if result.did == "deleted" else result.did] += 1
        if result.known is not None:
            self._notes.records[row.key] = result.known
        elif result.did == "deleted":
            self._notes.dropped.append(row.key)
        self._notes.applied.append(f"{result.did} {effect}")

    def _note(self) -> None:
        notes, self._notes = self._notes, _Notes()
        self._noted = self._monotonic()
        if notes.records or notes.applied:
            self._ledger.progress(self._target.flow, self._place, notes.records, notes.applied)
        if notes.dropped:
            self._ledger.drop(self._place, notes.dropped)


class _Notes:
    """What became of records and isn't in the ledger yet."""

    def __init__(self) -> None:
        self.records: dict[str, Known] = {}
        self.applied: list[str] = []
        self.dropped: list[str] = []


class _Tally:
    """What became of the rows of a frame."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.refused: list[Refusal] = []

    def sent(self) -> Sent:
        written = Written(self.did["inserted"], self.did["updated"], self.did["unchanged"])
        return Sent(written, tuple(sorted(self.refused, key=lambda refusal: refusal.row)))


def _window(jobs: Sequence[_Job], size: int) -> tuple[list[_Job], list[_Job]]:
    """The next jobs, and those after them. Of one record only the first is among them: its effects keep their order."""
    window: dict[str, _Job] = {}
    later: list[_Job] = []
    for index, job in enumerate(jobs):
        if len(window) == size:
            return list(window.values()), [*later, *jobs[index:]]
        if window.setdefault(job.row.key, job) is not job:
            later.append(job)
    return list(window.values()), later


def _cancel(futures: Iterable[Future[list[Reply]]]) -> None:
    for future in futures:
        future.cancel()
