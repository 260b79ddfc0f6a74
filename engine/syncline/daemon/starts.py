"""Starts runs when their schedules say so.

A schedule's cursor in the state is the last instant that was dealt with. It moves on when the runs of that instant have
ended, so that a daemon that dies in the middle of one starts it again, which goes on where it was: no start is lost.
Nor is one doubled: where a daemon died between the end of a run and the move of the cursor, or was followed while its
run went on, the run that there was counts for the start.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from syncline.daemon.timetable import Fire, Timetable
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.kinds.schedule import ScheduleSpec
from syncline.model.errors import SynclineError, Waiting
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.executor.applied import Applied
    from syncline.executor.engine import Engine
    from syncline.state.store import StateStore

Tell = Callable[[str], None]

#: Seconds for which a start is tried again while somebody else has its flow: longer than the lease of a run lasts, so
#: that one of a machine that fell silent is waited for. Who has it after that is at work.
PATIENCE = 40.0
#: Seconds between those tries.
TRY_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class _Start:
    """One flow to start for an instant of a schedule. `given_up` is when waiting for others ends (monotonic clock)."""

    schedule: ObjectKey
    flow: ObjectKey
    fire: Fire
    given_up: float


class Starter:
    """The runs of all applied schedules, at most `at_once` at a time. Used by one thread; `tell` is called by any.

    `watched`: when watching began. Starts before it were missed, and their schedules say what becomes of them.
    `store` keeps how far schedules have come; by default the engine's.
    """

    def __init__(
        self, engine: Engine, watched: dt.datetime, at_once: int, tell: Tell, store: StateStore | None = None
    ) -> None:
        self._engine = engine
        self._store = store or engine.facilities.store
        self._began = dt.datetime.now(dt.UTC)
        self._last: dict[ObjectKey, str] = {}  # the last run of ours, by flow
        self._later: list[tuple[float, _Start]] = []  # and when they are tried again (monotonic clock)
        self._watched = watched
        self._tell = tell
        self._dealt: dict[ObjectKey, dt.datetime] = {}
        self._lock = threading.Lock()
        self._open: dict[ObjectKey, int] = {}  # runs that have not ended, by schedule
        self._busy: set[ObjectKey] = set()  # flows
        self._idle = threading.Condition(self._lock)
        self._todo: SimpleQueue[_Start | None] = SimpleQueue()
        self._at_once = at_once
        self._closed = False
        for _ in range(at_once):
            # A run that is cut off when the process ends is as one that was killed: the next one goes on where it was.
            threading.Thread(target=self._work, daemon=True).start()

    def tick(self, now: dt.datetime) -> None:
        """Starts everything that is due."""
        self._try_again()
        applied = self._engine.applied()
        for manifest in applied.desired.of_kind("Schedule"):
            assert isinstance(manifest.spec, ScheduleSpec)
            key = manifest.key
            since = self._dealt.get(key) or self._since(key, applied)
            for fire in Timetable(str(key), manifest.spec).due(since, self._watched, now):
                self._start(key, manifest.spec, fire)

    def close(self) -> None:
        """Starts nothing more, not even what waits for its turn; what is under way goes on."""
        self._closed = True
        for _ in range(self._at_once):
            self._todo.put(None)

    def drain(self, seconds: float) -> bool:
        """Waits for the runs that are under way; whether all of them ended in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, seconds)

    def _since(self, key: ObjectKey, applied: Applied) -> dt.datetime:
        """The last instant that was dealt with; of a new schedule, when it was applied."""
        kept = self._store.cursor(key)
        found = dt.datetime.fromisoformat(kept or applied.objects[key].applied)
        self._dealt[key] = found
        return found

    def _start(self, schedule: ObjectKey, spec: ScheduleSpec, fire: Fire) -> None:
        flows = [ObjectKey(schedule.tenant, *name.split("/", 1)) for name in spec.run]
        with self._lock:
            # All of it at once: a worker that ends meanwhile must not take the instant for one that is done with.
            self._dealt[schedule] = fire.at
            free = [flow for flow in flows if flow not in self._busy]
            self._busy.update(free)
            self._open[schedule] = self._open.get(schedule, 0) + len(free)
        for flow in flows:
            if flow in free:
                self._todo.put(_Start(schedule, flow, fire, time.monotonic() + PATIENCE))
            else:
                self._tell(f"{flow}: still running, so the start at {_shown(fire.at)} is passed over")
        self._settle(schedule)

    def _work(self) -> None:
        while (start := self._todo.get()) is not None and not self._closed:
            try:
                self._tell(self._run(start))
            except Waiting:
                with self._lock:
                    self._later.append((time.monotonic() + TRY_EVERY, start))
                continue
            except Exception as error:  # a defect ends this run, and not whoever would do the next one
                self._tell(f"{start.flow}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            self._end(start)

    def _try_again(self) -> None:
        """Puts starts that waited for somebody else's run back in the queue."""
        now = time.monotonic()
        with self._lock:
            due = [start for at, start in self._later if at <= now]
            self._later = [(at, start) for at, start in self._later if at > now]
        for start in due:
            self._todo.put(start)

    def _end(self, start: _Start) -> None:
        with self._idle:
            self._open[start.schedule] -= 1
            self._busy.discard(start.flow)
            self._idle.notify_all()
        self._settle(start.schedule)

    def _run(self, start: _Start) -> str:
        """Runs it; what there is to tell of it. `Waiting` where somebody else has the flow, and that is waited for."""
        flow = start.flow
        try:
            if start.fire.starts < self._began and (run := self._done(start)):
                return f"{flow}: run {run} was the start at {_shown(start.fire.at)}"
            result = self._engine.run(Work(flow, trigger="schedule"), Silent())
        except Waiting as error:
            if time.monotonic() < start.given_up:
                raise
            return f"{flow}: {error.message}, so the start at {_shown(start.fire.at)} is passed over"
        except SynclineError as error:
            return f"{flow}: {error.code} {error.message}"
        self._last[flow] = result.record.id
        counts = result.record.counts
        return f"{flow}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected"

    def _done(self, start: _Start) -> str:
        """The run that another daemon made for an instant, if it ended well; '' if there was none."""
        for record in self._store.runs(start.flow, 1):
            since = dt.datetime.fromisoformat(record.started) >= start.fire.starts
            scheduled = record.trigger == "schedule" and record.receipt is not None
            if scheduled and since and record.id != self._last.get(start.flow):
                return record.id
        return ""

    def _settle(self, schedule: ObjectKey) -> None:
        """Keeps how far a schedule has come, once nothing of it is under way."""
        with self._lock:
            if self._open.get(schedule):
                return
            dealt = self._dealt[schedule]
        try:
            self._store.put_cursor(schedule, dealt.isoformat())
        except SynclineError as error:
            self._tell(f"{schedule}: {error.code} {error.message}")


def _shown(instant: dt.datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}Z"
