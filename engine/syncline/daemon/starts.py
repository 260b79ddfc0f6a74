"""Starts runs when their schedules say so.

A schedule's cursor in the state is the last instant that was dealt with. It moves on when the runs of that instant have
ended, so that a daemon that dies in the middle of one starts it again, which goes on where it was: no start is lost.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING

from syncline.daemon.timetable import Fire, Timetable
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.kinds.schedule import ScheduleSpec
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.executor.applied import Applied
    from syncline.executor.engine import Engine

Tell = Callable[[str], None]


class Starter:
    """The runs of all applied schedules, at most `at_once` at a time. Used by one thread; `tell` is called by any.

    `watched`: when watching began. Starts before it were missed, and their schedules say what becomes of them.
    """

    def __init__(self, engine: Engine, watched: dt.datetime, at_once: int, tell: Tell) -> None:
        self._engine = engine
        self._watched = watched
        self._tell = tell
        self._dealt: dict[ObjectKey, dt.datetime] = {}
        self._lock = threading.Lock()
        self._open: dict[ObjectKey, int] = {}  # runs that have not ended, by schedule
        self._busy: set[ObjectKey] = set()  # flows
        self._idle = threading.Condition(self._lock)
        self._todo: SimpleQueue[tuple[ObjectKey, ObjectKey] | None] = SimpleQueue()
        self._at_once = at_once
        for _ in range(at_once):
            # A run that is cut off when the process ends is as one that was killed: the next one goes on where it was.
            threading.Thread(target=self._work, daemon=True).start()

    def tick(self, now: dt.datetime) -> None:
        """Starts everything that is due."""
        applied = self._engine.applied()
        for manifest in applied.desired.of_kind("Schedule"):
            assert isinstance(manifest.spec, ScheduleSpec)
            key = manifest.key
            since = self._dealt.get(key) or self._since(key, applied)
            for fire in Timetable(str(key), manifest.spec).due(since, self._watched, now):
                self._start(key, manifest.spec, fire)

    def close(self) -> None:
        """Starts nothing more; what is under way goes on."""
        for _ in range(self._at_once):
            self._todo.put(None)

    def drain(self, seconds: float) -> bool:
        """Waits for the runs that are under way; whether all of them ended in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, seconds)

    def _since(self, key: ObjectKey, applied: Applied) -> dt.datetime:
        """The last instant that was dealt with; of a new schedule, when it was applied."""
        kept = self._engine.facilities.store.cursor(key)
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
                self._todo.put((schedule, flow))
            else:
                self._tell(f"{flow}: still running, so the start at {fire.at:%Y-%m-%d %H:%M:%S}Z is passed over")
        self._settle(schedule)

    def _work(self) -> None:
        while (found := self._todo.get()) is not None:
            schedule, flow = found
            try:
                self._tell(self._run(flow))
            finally:
                with self._idle:
                    self._open[schedule] -= 1
                    self._busy.discard(flow)
                    self._idle.notify_all()
                self._settle(schedule)

    def _run(self, flow: ObjectKey) -> str:
        try:
            result = self._engine.run(Work(flow, trigger="schedule"), Silent())
        except SynclineError as error:
            return f"{flow}: {error.code} {error.message}"
        except Exception as error:  # a defect ends this run, and not whoever would do the next one
            return f"{flow}: SYN999 {type(error).__name__}: a defect in Syncline, please report it"
        counts = result.record.counts
        return f"{flow}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected"

    def _settle(self, schedule: ObjectKey) -> None:
        """Keeps how far a schedule has come, once nothing of it is under way."""
        with self._lock:
            if self._open.get(schedule):
                return
            dealt = self._dealt[schedule]
        try:
            self._engine.facilities.store.put_cursor(schedule, dealt.isoformat())
        except SynclineError as error:
            self._tell(f"{schedule}: {error.code} {error.message}")
