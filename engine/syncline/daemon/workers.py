"""Runs what schedules start: so many at a time, and never two runs of one flow at once.

Two runs of a flow would share a cursor and a table. What becomes of a start that finds its flow under way is said by
the schedule's `concurrency`: it is passed over (forbid), it follows that run (allow), or it ends that run and follows
it (replace). One start of a schedule waits for a flow at most: it takes up all that there is by then.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal

from syncline.executor.halt import Halt
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import SynclineError, Waiting
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.state.store import RunRecord, StateStore

Tell = Callable[[str], None]
Concurrency = Literal["allow", "forbid", "replace"]
Trigger = Literal["schedule", "event"]

#: Seconds for which a start is tried again while somebody else has its flow: longer than the lease of a run lasts, so
#: that one of a machine that fell silent is waited for. Who has it after that is at work.
PATIENCE = 40.0
#: Events of a flow among which the last begin of a run that was gone on with is looked for.
LOOKED_AT = 50
#: Seconds between those tries.
TRY_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Start:
    """One flow to start for a schedule. `at` is the instant that it is known by; it runs from `begins` on."""

    schedule: ObjectKey
    flow: ObjectKey
    at: dt.datetime
    begins: dt.datetime
    trigger: Trigger = "schedule"

    @property
    def shown(self) -> str:
        """It by its instant, as people read it."""
        word = "at" if self.trigger == "schedule" else "for what happened at"
        return f"the start {word} {self.at:%Y-%m-%d %H:%M:%S}Z"


class Workers:
    """
    Threads that do starts. Safe for threads; `ended` is told of each start that is over, `tell` what became of it.

    `store` keeps the records of runs that another daemon's starts are told by.
    """

    def __init__(
        self, engine: Engine, store: StateStore, at_once: int, tell: Tell, ended: Callable[[Start], None]
    ) -> None:
        self._engine = engine
        self._store = store
        self._tell = tell
        self._ended = ended
        self._at_once = at_once
        self._idle = threading.Condition()
        self._busy: dict[ObjectKey, Halt] = {}  # flows, and how their runs are ended
        self._waiting: dict[ObjectKey, list[Start]] = {}  # starts whose flow is busy with an earlier one, by flow
        self._later: list[tuple[float, float, Start]] = []  # when it is tried again, and given up (monotonic clock)
        self._last: dict[ObjectKey, str] = {}  # the last run of ours, by flow
        self._todo: SimpleQueue[tuple[float, Start] | None] = SimpleQueue()
        self._draining = self._closed = False
        for _ in range(at_once):
            # A run that is cut off when the process ends is as one that was killed: the next one goes on where it was.
            threading.Thread(target=self._work, daemon=True).start()

    def busy(self, flow: ObjectKey) -> bool:
        """Whether a flow is under way, or about to be."""
        with self._idle:
            return flow in self._busy

    def offer(self, start: Start, concurrency: Concurrency) -> str:
        """Takes a start; why it is passed over, or '' where it isn't."""
        with self._idle:
            if (running := self._busy.get(start.flow)) is None:
                self._begin(start)
                return ""
            if concurrency == "forbid":
                return "still running"
            if concurrency == "replace":
                running.ask(f"{start.shown} takes its place")
            waiting = self._waiting.setdefault(start.flow, [])
            if any(other.schedule == start.schedule for other in waiting):
                return "another start waits already"
            waiting.append(start)
            return ""

    def tick(self) -> None:
        """Tries again what somebody else's run was in the way of."""
        now = time.monotonic()
        with self._idle:
            due = [(given_up, start) for at, given_up, start in self._later if at <= now]
            self._later = [later for later in self._later if later[0] > now]
        for item in due:
            self._todo.put(item)

    def drain(self, seconds: float) -> bool:
        """
        Begins none of those that wait, and waits for those under way; whether all of them ended in time.

        In the last third of it, those that go on are interrupted: they end at their next commit, and aren't over.
        """
        with self._idle:
            self._draining = True
            for _, _, start in self._later:
                self._busy.pop(start.flow, None)  # nobody tries it again: it comes again with the next daemon
            self._later.clear()
            if self._idle.wait_for(lambda: not self._busy, seconds * 2 / 3):
                return True
            self._interrupt()
            return self._idle.wait_for(lambda: not self._busy, seconds / 3)

    def close(self) -> None:
        """Starts nothing more, not even what waits for its turn; what is under way is interrupted."""
        self._closed = True
        with self._idle:
            self._interrupt()
        for _ in range(self._at_once):
            self._todo.put(None)

    def _interrupt(self) -> None:
        for halt in self._busy.values():
            halt.interrupt()

    def _begin(self, start: Start) -> None:
        self._busy[start.flow] = Halt()
        # No other start makes up for one by an event: it waits as long as it takes.
        patience = PATIENCE if start.trigger == "schedule" else math.inf
        self._todo.put((time.monotonic() + patience, start))

    def _work(self) -> None:
        while (item := self._todo.get()) is not None and not self._closed:
            given_up, start = item
            try:
                self._tell(self._run(start, given_up))
            except Waiting:
                with self._idle:
                    self._later.append((time.monotonic() + TRY_EVERY, given_up, start))
                continue
            except KeyboardInterrupt:
                self._leave(start)
                continue
            except Exception as error:  # a defect ends this run, and not whoever would do the next one
                self._tell(f"{start.flow}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            self._end(start)

    def _leave(self, start: Start) -> None:
        """Leaves a start to the next daemon: it isn't over, so that it comes again."""
        self._tell(f"{start.flow}: interrupted after its last commit; {start.shown} comes again")
        with self._idle:
            del self._busy[start.flow]
            self._idle.notify_all()

    def _end(self, start: Start) -> None:
        with self._idle:
            waiting = self._waiting.get(start.flow)
            if waiting and not self._draining:
                self._begin(waiting.pop(0))
            else:
                del self._busy[start.flow]
                self._idle.notify_all()
        self._ended(start)

    def _run(self, start: Start, given_up: float) -> str:
        """Runs it; what there is to tell of it. `Waiting` where somebody else has the flow, and that is waited for."""
        flow, halt = start.flow, self._busy[start.flow]
        try:
            if run := self._done(start):
                return f"{flow}: run {run} was {start.shown}"
            if halt.interrupted or self._draining:
                raise KeyboardInterrupt
            if halt.asked:
                return f"{flow}: {start.shown} is replaced by a later one"
            result = self._engine.run(Work(flow, trigger=start.trigger, halt=halt), Silent())
        except Waiting as error:
            if time.monotonic() < given_up:
                raise
            return f"{flow}: {error.message}, so {start.shown} is passed over"
        except SynclineError as error:
            return f"{flow}: {error.code} {error.message}"
        self._last[flow] = result.record.id
        counts = result.record.counts
        return f"{flow}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected"

    def _done(self, start: Start) -> str:
        """The run that somebody else made for a start, if it ended well; '' if there was none."""
        for record in self._store.runs(start.flow, 1):
            ended = (
                record.trigger == start.trigger
                and record.receipt is not None
                and record.id != self._last.get(start.flow)
            )
            if ended and self._began_after(record, start.begins):
                return record.id
        return ""

    def _began_after(self, record: RunRecord, moment: dt.datetime) -> bool:
        """Whether a run began after a moment, or was gone on with after it: then it read what there was by then."""
        if dt.datetime.fromisoformat(record.started) >= moment:
            return True
        if dt.datetime.fromisoformat(record.finished) < moment:
            return False
        events = self._store.events(record.key, None, 0, LOOKED_AT)
        begun = (event.time for event in events if event.run == record.id and event.reason == "RunStarted")
        return any(dt.datetime.fromisoformat(time) >= moment for time in begun)
