"""Runs what schedules start, and what is tried again: so many at a time, and never two runs of one flow at once.

Two runs of a flow would share a cursor and a table. What becomes of a start that finds its flow under way is said by
the schedule's `concurrency`: it is passed over (forbid), it follows that run (allow), or it ends that run and follows
it (replace). One start of a schedule waits for a flow at most: it takes up all that there is by then.

Flows that failed last time have a lane of their own: they take a quarter of the threads at most, so that those which
wait for a system that is down, and are many, don't keep the others waiting. A run that comes upon such a system waits
for it only where the lane has room for it; else it ends, and is tried again later, as what fails is.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from syncline.daemon.leading import ELSEWHERE, is_followed
from syncline.executor.access.admission import TURN
from syncline.executor.batches.halt import Halt
from syncline.executor.drift.schedule_drift import TOLERANCE
from syncline.executor.work import Work
from syncline.model.errors import Again, Followed, SynclineError, Waiting
from syncline.model.key import ObjectKey
from syncline.model.pulse import resting, thread, working

if TYPE_CHECKING:
    from syncline.daemon.processes.runner import Runner
    from syncline.state.store import RunRecord, StateStore

Tell = Callable[[str], None]
Concurrency = Literal["allow", "forbid", "replace"]
Trigger = Literal["schedule", "event"]

#: Seconds for which a start is tried again while somebody else has its flow, from the first try on: longer than the
#: lease of a run lasts, so that one of a machine that fell silent is waited for. Who has it after that is at work.
PATIENCE = 40.0
#: Runs of a flow among which one that somebody else made for a start is looked for: others may have begun since.
RUNS = 5
#: Events of a flow among which the last begin of a run that was gone on with is looked for.
LOOKED_AT = 50
#: Seconds between those tries, and between tries while the state is out of reach: nothing is over because of that.
TRY_EVERY = 1.0
#: The code of a state that doesn't answer.
_OUT_OF_REACH = "SYN615"


class Start(Struct, frozen=True):
    """
    One flow to start for a schedule; without one, what broke off is tried again. `at` is the instant that it is known
    by; it runs from `begins` on.
    """

    schedule: ObjectKey | None
    flow: ObjectKey
    at: dt.datetime
    begins: dt.datetime
    trigger: Trigger = "schedule"

    @property
    def shown(self) -> str:
        """It by its instant, as people read it."""
        if self.schedule is None:
            return "the next attempt"
        word = "at" if self.trigger == "schedule" else "for what happened at"
        return f"the start {word} {self.at:%Y-%m-%d %H:%M:%S}Z"


class Workers:
    """
    Threads that do starts, whose runs `runner` does. Safe for threads; `ended` is told of each start of a schedule that
    is over, `tell` what became of it.

    `store` keeps the records of runs that another daemon's starts are told by, and takes the leases of flows: one that
    is fenced by the daemon's lease begins none once another daemon works.
    """

    def __init__(
        self,
        runner: Runner,
        store: StateStore,
        at_once: int,
        tell: Tell,
        ended: Callable[[Start], None],
    ) -> None:
        self._runner = runner
        self._store = store
        self._tell = tell
        self._ended = ended
        self._at_once = at_once
        self._idle = threading.Condition()
        self._busy: dict[ObjectKey, Halt] = {}  # flows, and how their runs are ended
        self._waiting: dict[ObjectKey, list[Start]] = {}  # starts whose flow is busy with an earlier one, by flow
        self._later: list[tuple[float, float, Start]] = []  # when it is tried again, and given up (monotonic clock)
        self._mine: dict[ObjectKey, deque[str]] = {}  # the last runs of ours, by flow
        self._todo: deque[tuple[float, Start]] = deque()  # with when it is given up, 0.0 for what wasn't tried yet
        self._failed: set[ObjectKey] = set()  # flows that failed last time
        self._lane: set[ObjectKey] = set()  # of those, and of flows that wait for a system that fails, under way
        self._draining = self._closed = False
        for number in range(1, at_once + 1):
            # A run that is cut off when the process ends is as one that was killed: the next one goes on where it was.
            thread(f"worker {number}", self._work).start()

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

    def again(self, flow: ObjectKey) -> bool:
        """Tries a flow again that broke off; False where it is under way, so that there is nothing to be tried."""
        now = dt.datetime.now(dt.UTC)
        with self._idle:
            if flow in self._busy or self._draining:
                return False
            self._failed.add(flow)
            self._begin(Start(None, flow, now, now))
            return True

    def tick(self) -> None:
        """Tries again what somebody else's run was in the way of."""
        now = time.monotonic()
        with self._idle:
            self._todo += [(given_up, start) for at, given_up, start in self._later if at <= now]
            self._later = [later for later in self._later if later[0] > now]
            self._idle.notify_all()

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
        with self._idle:
            self._closed = True
            self._interrupt()
            self._idle.notify_all()

    def _interrupt(self) -> None:
        for halt in self._busy.values():
            halt.interrupt()

    def _begin(self, start: Start) -> None:
        self._busy[start.flow] = Halt()
        self._todo.append((0.0, start))
        self._idle.notify_all()

    def _work(self) -> None:
        while (item := self._next()) is not None:
            given_up, start = item
            try:
                self._do(start, given_up)
            finally:
                with self._idle:
                    self._lane.discard(start.flow)
                    self._idle.notify_all()

    def _patience(self, flow: ObjectKey) -> bool:
        """Whether a run may wait for a system that fails: in the lane, or alone."""
        with self._idle:
            if flow not in self._lane:
                if not self._room or (self._at_once == 1 and self._todo):
                    return False
                self._lane.add(flow)
            return True

    @property
    def _room(self) -> bool:
        """Whether there is room in the lane."""
        return len(self._lane) < max(1, self._at_once // 4)

    def _next(self) -> tuple[float, Start] | None:
        """The next start to be done, and when it is given up; None at the end."""
        with self._idle:
            while not self._closed:
                # With one thread only, those that failed come after all others.
                lanes = [False, True] if self._at_once == 1 else [None]
                room = self._draining or self._room
                for lane in lanes:
                    for item in self._todo:
                        failed = item[1].flow in self._failed
                        if (lane is None or lane is failed) and (room or not failed):
                            self._todo.remove(item)
                            if failed:
                                self._lane.add(item[1].flow)
                            return item
                with resting():
                    self._idle.wait()
            return None

    def _do(self, start: Start, given_up: float) -> None:
        if not given_up:
            # No other start makes up for one by an event: it waits as long as it takes. An attempt comes again.
            patience = math.inf if start.trigger == "event" else PATIENCE if start.schedule is not None else 0.0
            given_up = time.monotonic() + patience
        try:
            said = self._run(start, given_up)
        except (Waiting, Again, Followed) as error:
            if is_followed(error):
                self._leave(start, ELSEWHERE)
                return
            if isinstance(error, Followed):  # whoever has the flow now is waited for
                self._tell(f"{start.flow}: another run took over from that of {start.shown} while it was held up")
            with self._idle:
                if not self._draining:
                    self._later.append((time.monotonic() + TRY_EVERY, given_up, start))
                    return
            self._leave(start)
            return
        except KeyboardInterrupt:
            self._leave(start)
            return
        except Exception as error:  # a defect ends this run, and not whoever would do the next one
            said = f"{start.flow}: SYN999 {type(error).__name__}: a defect in Syncline, please report it"
        self._tell(said)
        self._end(start)

    def _leave(self, start: Start, why: str = "interrupted after its last commit") -> None:
        """Leaves a start to the next daemon: it isn't over, so that it comes again."""
        self._tell(f"{start.flow}: {why}; {start.shown} comes again")
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
        if start.schedule is not None:
            self._ended(start)

    def _run(self, start: Start, given_up: float) -> str:
        """
        Runs it; what there is to tell of it.

        `Waiting` where somebody else has the flow, and that is waited for; `Again` where the state is out of reach;
        `Followed` where another daemon works, or another run took over from this one.
        """
        flow, halt = start.flow, self._busy[start.flow]
        try:
            if start.schedule is not None and (run := self._done(start)):
                return f"{flow}: run {run} was {start.shown}"
            if halt.interrupted or self._draining:
                raise KeyboardInterrupt
            if halt.asked:
                return f"{flow}: {start.shown} is replaced by a later one"
            with working(f"runs {flow}"):
                # Taken by the store of the daemon's lease, in one transaction: a daemon that was followed since it
                # looked, above, for a run that somebody else made would make another one.
                patience = partial(self._patience, flow)
                work = Work(flow, trigger=start.trigger, store=self._store, halt=halt, patience=patience)
                ran = self._runner.run(work)
        except Waiting as error:
            if time.monotonic() < given_up or error.code == TURN:
                raise
            return f"{flow}: {error.told}, so {start.shown} is passed over"
        except Followed:
            raise
        except SynclineError as error:
            if error.code == _OUT_OF_REACH and isinstance(error, Again):
                raise
            self._note(flow, failed=True)
            return f"{flow}: {error.code} {error.told}"
        self._note(flow, failed=False)
        self._mine.setdefault(flow, deque(maxlen=RUNS)).append(ran.run)
        counts = ran.counts
        return f"{flow}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected"

    def _note(self, flow: ObjectKey, *, failed: bool) -> None:
        with self._idle:
            (self._failed.add if failed else self._failed.discard)(flow)

    def _done(self, start: Start) -> str:
        """
        The run that somebody else made for a start, if it ended well; '' if there was none.

        What ended in the future was made by a clock that was ahead: it began nobody knows when, and counts for nothing.
        """
        mine, latest = self._mine.get(start.flow, ()), dt.datetime.now(dt.UTC) + TOLERANCE
        found = self._store.runs(start.flow, RUNS)
        if any(_ended(record) > latest for record in found):
            found = self._store.runs(start.flow, LOOKED_AT)
        for record in found:
            if _ended(record) > latest:
                continue
            ended = record.trigger == start.trigger and record.receipt is not None and record.id not in mine
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


def _ended(record: RunRecord) -> dt.datetime:
    """When a run ended, or began where it hasn't, by the clock of whoever ran it."""
    return dt.datetime.fromisoformat(record.finished or record.started)
