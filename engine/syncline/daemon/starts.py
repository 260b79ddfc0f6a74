"""Starts runs when their schedules say so.

A schedule's cursor in the state is the last instant that was dealt with. It moves on when the runs of that instant have
ended, so that a daemon that dies in the middle of one starts it again, which goes on where it was: no start is lost.
Nor is one doubled: where a daemon died between the end of a run and the move of the cursor, or was followed while its
run went on, the run that there was counts for the start.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

from syncline.daemon.timetable import Fire, Timetable
from syncline.daemon.workers import Start, Tell, Workers
from syncline.kinds.schedule import ScheduleSpec
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.executor.applied import Applied
    from syncline.executor.engine import Engine
    from syncline.state.store import StateStore


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
        self._watched = watched
        self._tell = tell
        self._dealt: dict[ObjectKey, dt.datetime] = {}
        self._lock = threading.Lock()
        self._open: dict[ObjectKey, int] = {}  # starts that are not over, by schedule
        self._workers = Workers(engine, self._store, at_once, tell, self._ended)

    def tick(self, now: dt.datetime) -> None:
        """Starts everything that is due."""
        self._workers.tick()
        applied = self._engine.applied()
        for manifest in applied.desired.of_kind("Schedule"):
            assert isinstance(manifest.spec, ScheduleSpec)
            key = manifest.key
            since = self._dealt.get(key) or self._since(key, applied)
            for fire in Timetable(str(key), manifest.spec).due(since, self._watched, now):
                self._start(key, manifest.spec, fire)

    def close(self) -> None:
        """Starts nothing more, not even what waits for its turn; what is under way goes on."""
        self._workers.close()

    def drain(self, seconds: float) -> bool:
        """Waits for the runs that are under way; whether all of them ended in time."""
        return self._workers.drain(seconds)

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
            self._open[schedule] = self._open.get(schedule, 0) + len(flows)
        for flow in flows:
            start = Start(schedule, flow, fire.at, fire.starts)
            if why := self._workers.offer(start, spec.concurrency):
                self._tell(f"{flow}: {why}, so {start.shown} is passed over")
                self._ended(start)

    def _ended(self, start: Start) -> None:
        """Keeps how far a schedule has come, once nothing of it is under way."""
        with self._lock:
            self._open[start.schedule] -= 1
            if self._open[start.schedule]:
                return
            dealt = self._dealt[start.schedule]
        try:
            self._store.put_cursor(start.schedule, dealt.isoformat())
        except SynclineError as error:
            self._tell(f"{start.schedule}: {error.code} {error.message}")
