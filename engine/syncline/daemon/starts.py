"""Starts runs when their schedules say so.

A schedule's cursor in the state is the last instant that was dealt with. It moves on when the runs of that instant have
ended, so that a daemon that dies in the middle of one starts it again, which goes on where it was: no start is lost.
Nor is one doubled: where a daemon died between the end of a run and the move of the cursor, or was followed while its
run went on, the run that there was counts for the start.

A schedule by event keeps in its cursor which events it has dealt with (`events.py`). While its flows are under way,
what comes is left for one start after it, so that each event is followed by a run that began after it.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from syncline.daemon.events import Look
from syncline.daemon.leading import ELSEWHERE, is_followed
from syncline.daemon.processes.runner import Here
from syncline.daemon.scheduled import schedules
from syncline.daemon.workers import Start, Tell, Trigger, Workers
from syncline.executor.drift.schedule_drift import position_finding, read_position
from syncline.kinds.schedule import OnEvent, ScheduleSpec, flows_of
from syncline.kinds.window import within
from syncline.manifests.timetable import Timetable, suspended
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.daemon.processes.runner import Runner
    from syncline.executor.engine import Engine
    from syncline.state.store import StateStore


#: Seconds by which the clock may be set, or this process may wait, without the starts between counting as missed.
JUMP: Final = 60.0


class Starter:
    """The runs of all applied schedules, at most `at_once` at a time. Used by one thread; `tell` is called by any.

    `watched`: when watching began. Starts before it were missed, and their schedules say what becomes of them.
    `store` keeps how far schedules have come; by default the engine's. `runner` does the runs; by default this process.
    """

    def __init__(
        self,
        engine: Engine,
        watched: dt.datetime,
        at_once: int,
        tell: Tell,
        store: StateStore | None = None,
        runner: Runner | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._store = store or engine.facilities.store
        self._watched = watched
        self._tell = tell
        self._monotonic = monotonic
        self._ticked: tuple[dt.datetime, float] | None = None  # by both clocks
        self._dealt: dict[ObjectKey, str] = {}  # cursors, by schedule that is there
        self._lock = threading.Lock()
        self._open: dict[ObjectKey, int] = {}  # starts that are not over, by schedule
        self._workers = Workers(runner or Here(engine), self._store, at_once, tell, self._ended)

    def tick(self, now: dt.datetime) -> None:
        """Starts everything that is due."""
        self._workers.tick()
        self._notice_jump(now)
        applied = self._engine.applied()
        found = tuple(schedules(applied.desired))
        with self._lock:  # one that comes again by the name of one that is gone begins anew
            self._dealt = {key: self._dealt[key] for key, _ in found if key in self._dealt}
        for key, spec in found:
            since = dt.datetime.fromisoformat(applied.objects[key].applied)
            if spec.on is not None:
                self._by_event(key, spec, spec.on, since, now)
            else:
                self._by_time(key, spec, since, now)

    def again(self, flow: ObjectKey) -> bool:
        """Tries a flow again that broke off; False where it is under way."""
        return self._workers.again(flow)

    def close(self) -> None:
        """Starts nothing more, not even what waits for its turn; what is under way is interrupted."""
        self._workers.close()

    def drain(self, seconds: float) -> bool:
        """Waits for the runs that are under way; whether all of them ended in time."""
        return self._workers.drain(seconds)

    def _notice_jump(self, now: dt.datetime) -> None:
        """Where the clock went ahead without time going by, or the machine slept, nothing watched in between."""
        before, self._ticked = self._ticked, (now, self._monotonic())
        if before is None:
            return
        ahead = (now - before[0]).total_seconds() - (self._ticked[1] - before[1])
        if ahead > JUMP:
            self._watched = max(self._watched, now)
            self._tell(f"the clock went ahead by {ahead:,.0f} s: schedules' catchUp decides about the starts between")
        elif ahead < -JUMP:
            self._tell(f"the clock went back by {-ahead:,.0f} s: what has started doesn't start again")

    def _by_time(self, key: ObjectKey, spec: ScheduleSpec, since: dt.datetime, now: dt.datetime) -> None:
        """Starts what is due after the last instant that was dealt with; of a new schedule, after it was applied."""
        cursor = self._cursor(key, now)
        if cursor is not None and not cursor.startswith("{"):  # else it was by event until now
            position = read_position(cursor)
            if position is None:
                return  # somebody changed it: a look tells of it, and heals it where that is declared
            since = position
        for fire in Timetable(str(key), spec).due(since, self._watched, now):
            self._start(key, spec, fire.at.isoformat(), fire.at, fire.starts)

    def _by_event(self, key: ObjectKey, spec: ScheduleSpec, on: OnEvent, since: dt.datetime, now: dt.datetime) -> None:
        """Starts its runs for all that happened, once, unless they are under way or its windows are closed."""
        under_way = bool(self._open.get(key)) or any(map(self._workers.busy, flows_of(key.tenant, spec.run)))
        if under_way and spec.concurrency != "replace":
            return
        if not within(spec.windows, now.astimezone(ZoneInfo(spec.time_zone))):
            return
        cursor = self._cursor(key, now)
        found = Look(self._store, key, on, since, now).after(cursor)
        times = [at for at in found.times if spec.catch_up != "none" or at >= self._watched]
        if not times or suspended(spec.suspend, now):
            if found.cursor != cursor and not self._open.get(key):
                self._dealt[key] = found.cursor
                self._keep(key, found.cursor)
            return
        last = max(times)
        begins = Timetable(str(key), spec).put_off(last) if on.event == "run.finish" else last
        if max(begins, found.earliest or begins) <= now:
            self._start(key, spec, found.cursor, last, begins, trigger="event")

    def _cursor(self, key: ObjectKey, now: dt.datetime) -> str | None:
        """How far a schedule has come. Where that is ahead of the clock, the state is asked: it may be healed."""
        dealt = self._dealt.get(key)
        if dealt is not None and (key in self._open or position_finding(dealt, now) is None):
            return dealt
        return self._store.cursor(key)

    def _start(
        self,
        schedule: ObjectKey,
        spec: ScheduleSpec,
        cursor: str,
        at: dt.datetime,
        begins: dt.datetime,
        trigger: Trigger = "schedule",
    ) -> None:
        """Starts the runs of a schedule; `cursor` says that it has, once they are over."""
        flows = flows_of(schedule.tenant, spec.run)
        with self._lock:
            # All of it at once: a worker that ends meanwhile must not take the instant for one that is done with.
            self._dealt[schedule] = cursor
            self._open[schedule] = self._open.get(schedule, 0) + len(flows)
        for flow in flows:
            start = Start(schedule, flow, at, begins, trigger)
            if why := self._workers.offer(start, spec.concurrency):
                self._tell(f"{flow}: {why}, so {start.shown} is passed over")
                self._ended(start)

    def _ended(self, start: Start) -> None:
        """Keeps how far a schedule has come, once nothing of it is under way."""
        assert start.schedule is not None
        with self._lock:
            self._open[start.schedule] -= 1
            if self._open[start.schedule]:
                return
            del self._open[start.schedule]
            dealt = self._dealt.get(start.schedule)
        if dealt is None:
            return  # the schedule is gone
        self._keep(start.schedule, dealt)

    def _keep(self, schedule: ObjectKey, cursor: str) -> None:
        try:
            self._store.put_cursor(schedule, cursor)
        except SynclineError as error:
            if is_followed(error):
                self._tell(f"{schedule}: {ELSEWHERE}, and goes by what has run here")
                return
            self._tell(f"{schedule}: {error.code} {error.told}")
