"""Threads, time and death, simulated: of all threads of all simulated processes one runs at a time, and the kernel says which.

A thread here is a thread of this machine that waits for its turn. It passes its turn on where it would wait (for a
lock, a queue, a time) and at the points that the simulation sets. The kernel draws who is next from its seed; time
passes when nobody can go on. So the same seed gives the same order of everything, and an hour takes no longer than
what is done in it. Who passes its turn on draws itself who is next, so that it goes on at once where that is it again:
to wake another thread of this machine takes as long as much of what is done in a turn.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

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


class When:
    """Something to wait for that is true when a question is answered so."""

    def __init__(self, so: Callable[[], bool]) -> None:
        self._so = so

    def __bool__(self) -> bool:
        return self._so()


class Thread:
    """A thread of a simulated process, which runs `target` when it is its turn.

    It can go on once what it waits for, `ready`, is true, or its deadline is over; None: it waits for nothing. That is
    looked at at each turn of anybody: most wait for something to be in a list, which is true without calling anything.
    """

    def __init__(self, kernel: Kernel, process: Process, target: Callable[[], object], name: str) -> None:
        self.kernel = kernel
        self.process = process
        self.name = name
        self.done = False
        self.ready: object | None = None
        self.deadline: float | None = None
        self.turn = _thread.allocate_lock()
        self.turn.acquire()
        self._target = target
        process.threads.append(self)
        kernel.threads.append(self)
        _lent(self._run)

    def wait(self, ready: object | None, deadline: float | None) -> None:
        """Passes its turn on, and has it again once `ready` is true or the time has come."""
        self.ready, self.deadline = ready, deadline
        if (following := self.kernel.following()) is not self:
            self.kernel.give(following)
            self.turn.acquire()
        self.ready = self.deadline = None
        if self.process.dead:
            raise Killed

    def _run(self, over: Callable[[], None]) -> None:
        self.turn.acquire()
        try:
            if not self.process.dead:
                self._target()
        except Killed:
            pass
        except BaseException:
            self.kernel.crashes.append(f"{self.process.name}/{self.name}: {traceback.format_exc()}")
        finally:
            self.done = True
            self.kernel.threads.remove(self)
            over()
            self.kernel.give(self.kernel.following())


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
        self.at_point: Callable[[Process, str], None] = _nothing
        self.turns = 0
        self.atomic = Atomic()
        self._back = _thread.allocate_lock()  # of the harness, which waits while anybody else has the turn
        self._back.acquire()
        self._until: float | None = None  # None: turns go back to the harness
        self._without_time = 0  # turns since time passed
        self._wrong: BaseException | None = None  # with drawing who is next

    # --- what the harness does

    def spawn(self, process: Process, target: Callable[[], object], name: str) -> Thread:
        """Starts a thread of a process."""
        return Thread(self, process, target, name)

    def run(self, until: float) -> None:
        """Lets everybody go on until a moment."""
        self._until, self._without_time, self._wrong = until, 0, None
        try:
            if (first := self.following()) is not None:
                self._have_back(first)
            if self._wrong is not None:
                raise self._wrong
        finally:
            self._until = None

    def kill(self, process: Process) -> None:
        """Kills a process; when this returns, none of its threads is left."""
        process.dead = True
        while left := [thread for thread in process.threads if not thread.done]:
            self._have_back(self._begin(left[-1]))
        process.threads.clear()

    def _have_back(self, thread: Thread) -> None:
        """Gives the turn to a thread, and waits until it comes back."""
        self.give(thread)
        turns = -1
        while not self._back.acquire(timeout=LONG):
            if turns == self.turns and (slow := self.current) is not None:
                raise Hang(f"{slow.process.name}/{slow.name} waits for something that isn't simulated")
            turns = self.turns

    # --- whose turn it is

    def following(self) -> Thread | None:
        """Who is next, and has the turn from now on; None: the harness. Asked by whoever passes the turn on."""
        self.current = None
        if self._until is None:
            return None
        try:
            drawn = self._drawn(self._until)
        except BaseException as error:  # it is the harness' to tell, and this may be a thread of anybody
            self._wrong = error
            return None
        return None if drawn is None else self._begin(drawn)

    def give(self, to: Thread | None) -> None:
        """The turn to whose it is; None: to the harness."""
        (self._back if to is None else to.turn).release()

    def _begin(self, thread: Thread) -> Thread:
        self.turns += 1
        self.current = thread
        return thread

    def _drawn(self, until: float) -> Thread | None:
        """One of those who can go on; time passes where nobody can. None where nobody can until then."""
        while True:
            now = self.now
            ready = [
                thread
                for thread in self.threads
                if thread.process.dead
                or (
                    thread.process.frozen_until <= now
                    and (
                        thread.ready is None or thread.ready or (thread.deadline is not None and thread.deadline <= now)
                    )
                )
            ]
            if ready:
                self._without_time += 1
                if self._without_time > BUSY:
                    raise Hang(f"{ready[0].process.name}/{ready[0].name} goes on and on at {now}")
                return ready[0] if len(ready) == 1 else self.chance.choice(ready)
            # When each can go on by itself; None where somebody else has to do something.
            wakes = [
                frozen if (frozen := thread.process.frozen_until) > now else thread.deadline for thread in self.threads
            ]
            soonest = min((at for at in wakes if at is not None), default=inf)
            if soonest > until:
                self.now = max(now, until)
                return None
            if soonest > now:
                self._without_time = 0
            self.now = max(now, soonest)

    # --- what the processes do

    @property
    def process(self) -> Process | None:
        """Whose turn it is."""
        return None if self.current is None else self.current.process

    def wait(self, ready: object, seconds: float | None = None) -> bool:
        """Waits until something is true, or for so long; whether it is true."""
        thread = self.current
        if thread is None:
            if not ready:
                msg = "the harness would wait for ever"
                raise Hang(msg)
            return True
        if thread.process.dead:
            raise Killed
        if ready:
            return True
        thread.wait(ready, None if seconds is None else self.now + seconds)
        return bool(ready)

    def yield_turn(self) -> None:
        """Lets others go first, perhaps."""
        if self.current is not None:
            self.current.wait(None, None)

    def point(self, name: str) -> None:
        """A point at which something may happen to the process whose turn it is."""
        thread = self.current
        if thread is None or self.atomic.depth:
            return
        if thread.process.dead:
            raise Killed
        self.at_point(thread.process, name)
        if thread.process.dead:
            raise Killed


class Atomic:
    """A block without points: a transaction, of which nobody sees a part. `depth`: in how many whoever has the turn is."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
