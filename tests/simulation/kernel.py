"""Threads, time and death, simulated: of all threads of all simulated processes one runs at a time, and the kernel says which.

A thread here is a thread of this machine that waits for its turn. It gives its turn back where it would wait (for a
lock, a queue, a time) and at the points that the simulation sets. The kernel draws who is next from its seed; time
passes when nobody can go on. So the same seed gives the same order of everything, and an hour takes no longer than
what is done in it.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

#: Turns without any time passing that no healthy program needs.
BUSY = 20_000

#: Seconds of this machine that no turn takes, unless it waits for something real.
LONG = 120

#: What a thread does; it calls what it is given when nothing else is left to do.
_Work = Callable[[Callable[[], None]], None]


def _nothing(process: Process, name: str) -> None:
    """Nothing happens at a point."""
    del process, name


class Killed(BaseException):
    """Ends a thread of a process that was killed: what it does on its way out reaches nothing any more."""


class Hang(AssertionError):
    """The processes do something for ever without time passing."""


@dataclass(eq=False)
class Process:
    """A simulated process. `number` is its id; `skew` is how far its clock is off, in seconds."""

    name: str
    number: int
    skew: float = 0.0
    dead: bool = False
    frozen_until: float = 0.0
    threads: list[Thread] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether it wasn't killed and has something left to do."""
        return not self.dead and any(not thread.done for thread in self.threads)


class Thread:
    """A thread of a simulated process, which runs `target` when it is its turn."""

    def __init__(self, kernel: Kernel, process: Process, target: Callable[[], object], name: str) -> None:
        self.kernel = kernel
        self.process = process
        self.name = name
        self.done = False
        self.ready: Callable[[], bool] | None = None  # None: it can go on
        self.deadline: float | None = None
        self._target = target
        self._turn = _thread.allocate_lock()
        self._turn.acquire()
        process.threads.append(self)
        kernel.threads.append(self)
        _lent(self._run)

    def can_go_on(self, now: float) -> bool:
        """Whether it has something to do."""
        if self.process.dead:
            return True
        if self.process.frozen_until > now:
            return False
        return self.ready is None or self.ready() or (self.deadline is not None and self.deadline <= now)

    def wakes(self, now: float) -> float | None:
        """When it may be able to go on, by itself; None where somebody else has to do something."""
        frozen = self.process.frozen_until
        return frozen if frozen > now else self.deadline

    def give(self) -> None:
        """Its turn; returns when it gives it back."""
        self._turn.release()

    def wait(self, ready: Callable[[], bool] | None, deadline: float | None) -> None:
        """Gives its turn back until `ready` or the time has come."""
        self.ready, self.deadline = ready, deadline
        self.kernel.back.release()
        self._turn.acquire()
        self.ready = self.deadline = None
        if self.process.dead:
            raise Killed

    def _run(self, over: Callable[[], None]) -> None:
        self._turn.acquire()
        try:
            if not self.process.dead:
                self._target()
        except Killed:
            pass
        except BaseException:
            self.kernel.crashes.append(f"{self.process.name}/{self.name}: {traceback.format_exc()}")
        finally:
            self.done = True
            over()
            self.kernel.back.release()


#: What gives work to threads of this machine that have none: to start one costs as much as all that most of them do.
_IDLE: list[Callable[[_Work], None]] = []


def _lent(work: _Work) -> None:
    """Has a thread of this machine do a work, with nothing that an earlier one left in its context."""
    if _IDLE:
        _IDLE.pop()(work)
        return
    todo, given = [work], _thread.allocate_lock()
    given.acquire()

    def take(work: _Work) -> None:
        todo.append(work)
        given.release()

    def loop() -> None:
        while True:
            contextvars.Context().run(todo.pop(), lambda: _IDLE.append(take))
            given.acquire()

    threading.Thread(target=loop, daemon=True).start()


class Kernel:
    """Runs the threads of simulated processes. `now` is in seconds since some moment, and never jumps.

    `at_point(process, name)` is asked at each point of a process that runs: it may kill, freeze or interrupt it, or
    raise what the process is to see.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 1_000.0
        self.threads: list[Thread] = []
        self.current: Thread | None = None
        self.crashes: list[str] = []
        self.back = _thread.allocate_lock()
        self.back.acquire()
        self.at_point: Callable[[Process, str], None] = _nothing
        self.turns = 0
        self._atomic = 0

    # --- what the harness does

    def spawn(self, process: Process, target: Callable[[], object], name: str) -> Thread:
        """Starts a thread of a process."""
        return Thread(self, process, target, name)

    def run(self, until: float) -> None:
        """Lets everybody go on until a moment."""
        turns = 0
        while True:
            ready = [thread for thread in self.threads if thread.can_go_on(self.now)]
            if ready:
                turns += 1
                if turns > BUSY:
                    raise Hang(f"{ready[0].process.name}/{ready[0].name} goes on and on at {self.now}")
                self._turn_of(ready[0] if len(ready) == 1 else self.chance.choice(ready))
                continue
            wakes = [at for thread in self.threads if (at := thread.wakes(self.now)) is not None]
            soonest = min(wakes, default=float("inf"))
            if soonest > until:
                self.now = max(self.now, until)
                return
            if soonest > self.now:
                turns = 0
            self.now = max(self.now, soonest)

    def kill(self, process: Process) -> None:
        """Kills a process; when this returns, none of its threads is left."""
        process.dead = True
        while left := [thread for thread in process.threads if not thread.done]:
            self._turn_of(left[-1])
        process.threads.clear()

    def _turn_of(self, thread: Thread) -> None:
        self.turns += 1
        self.current = thread
        thread.give()
        if not self.back.acquire(timeout=LONG):
            raise Hang(f"{thread.process.name}/{thread.name} waits for something that isn't simulated")
        self.current = None
        if thread.done:
            self.threads.remove(thread)

    # --- what the processes do

    @property
    def process(self) -> Process | None:
        """Whose turn it is."""
        return None if self.current is None else self.current.process

    def wait(self, ready: Callable[[], bool] | None, seconds: float | None = None) -> bool:
        """Waits until something is so, or for so long; whether it is so."""
        thread = self.current
        if thread is None:
            if ready is not None and not ready():
                msg = "the harness would wait for ever"
                raise Hang(msg)
            return True
        if thread.process.dead:
            raise Killed
        if ready is not None and ready():
            return True
        thread.wait(ready, None if seconds is None else self.now + seconds)
        return ready is None or ready()

    def yield_turn(self) -> None:
        """Lets others go first, perhaps."""
        if self.current is not None:
            self.current.wait(None, None)

    def point(self, name: str) -> None:
        """A point at which something may happen to the process whose turn it is."""
        thread = self.current
        if thread is None or self._atomic:
            return
        if thread.process.dead:
            raise Killed
        self.at_point(thread.process, name)
        if thread.process.dead:
            raise Killed

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Without points: a transaction, of which nobody sees a part."""
        self._atomic += 1
        try:
            yield
        finally:
            self._atomic -= 1
