"""Whether the loops of a daemon turn: its main one, and each thread that works beside it for as long as it does.

A loop says each turn. In a step that may take long (an apply, a drop of a table, a run, a message to a system that is
slow) it says in which, and since when; while it waits to be given something it says that. Both count as alive, however
long they take: how long that may be is a matter of limits on what is waited for, and a step that takes longer than a
loop may be silent is told by its name. A loop that is silent otherwise, and one that an error has ended, aren't alive.

Threads are begun by `thread`, so that one that a loop begins, however far below, is a loop of the same process's list.
Where nobody keeps such a list, as in a command that isn't a daemon, nothing of this does anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds of silence of a loop before it is taken for stuck, unless told otherwise.
SILENCE: Final = 300.0


@dataclass(slots=True)
class Pulse:
    """
    A loop: when it turned last, or began its `step`, by a monotonic clock. It `rests` while it waits to be given
    something.

    `ended` is the type of the error that has ended it; '' while it goes on.
    """

    name: str
    turned: float
    step: str = ""
    rests: bool = False
    ended: str = ""

    def told(self, now: float) -> dict[str, Any]:
        """It as plain data: the step that it is in, '' between two, and for how many seconds."""
        return {"loop": self.name, "step": self.step, "seconds": round(now - self.turned)}


def problem(pulses: Iterable[Pulse], now: float, silence: float) -> str:
    """Why these loops don't all turn, for people; '' where they do.

    >>> problem([Pulse("main", 5.0), Pulse("worker 1", 5.0, step="runs Sync/orders")], 400.0, 300.0)
    'the loop main has been silent for 395 s'
    """
    for pulse in pulses:
        if pulse.ended:
            return f"the loop {pulse.name} has ended: {pulse.ended}"
        silent = now - pulse.turned
        if silent > silence and not pulse.step and not pulse.rests:
            return f"the loop {pulse.name} has been silent for {silent:,.0f} s"
    return ""


class Pulses:
    """The loops of a process. Safe for threads: each writes to its own, and who reads sees some moment of each."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[int, Pulse] = {}

    @contextmanager
    def loop(self, name: str) -> Iterator[None]:
        """The block is a loop of this thread. One that ends well is forgotten; else its end is told."""
        pulse = Pulse(name, self.now())
        token = _here.set(_Here(self, pulse))
        self._known[id(pulse)] = pulse
        try:
            yield
        except BaseException as error:
            pulse.ended = type(error).__name__
            raise
        else:
            del self._known[id(pulse)]
        finally:
            _here.reset(token)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Threads that this one begins in the block are among these loops; it itself is none."""
        token = _here.set(_Here(self, None))
        try:
            yield
        finally:
            _here.reset(token)

    def forget_ended(self) -> None:
        """Forgets those that errors have ended: others take their place."""
        for pulse in self._all():
            if pulse.ended:
                self._known.pop(id(pulse), None)

    def now(self) -> float:
        """The time by which they turn."""
        return self._monotonic()

    def _all(self) -> tuple[Pulse, ...]:
        return tuple(self._known.values())

    def problem(self, silence: float = SILENCE) -> str:
        """Why not all of them turn; '' where they do."""
        return problem(self._all(), self.now(), silence)

    def working(self) -> list[dict[str, Any]]:
        """The steps that loops are in, and for how many seconds."""
        now = self.now()
        return [pulse.told(now) for pulse in self._all() if pulse.step and not pulse.ended]

    def silent(self, silence: float = SILENCE) -> list[dict[str, Any]]:
        """Loops that haven't turned for longer than that, whatever they are in; of those that rest none."""
        now = self.now()
        return [pulse.told(now) for pulse in self._all() if now - pulse.turned > silence and not pulse.rests]

    def ages(self) -> dict[str, float]:
        """Seconds since each loop turned or began its step, by name; 0 for one that rests. Of several of a name, the
        longest.
        """
        now, found = self.now(), dict[str, float]()
        for pulse in self._all():
            found[pulse.name] = max(found.get(pulse.name, 0.0), 0.0 if pulse.rests else now - pulse.turned)
        return found


@dataclass(frozen=True, slots=True)
class _Here:
    """The list that threads of this one are put in, and its own loop, where it is one."""

    pulses: Pulses
    pulse: Pulse | None


_here: ContextVar[_Here | None] = ContextVar("pulse", default=None)


def thread(name: str, target: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> threading.Thread:
    """A daemon thread, not begun yet, that is a loop by this name in the list of the thread that makes it."""
    here = _here.get()

    def run() -> None:
        if here is None:
            target(*args, **kwargs)
            return
        with here.pulses.loop(name):
            target(*args, **kwargs)

    return threading.Thread(target=run, name=f"syncline-{name}", daemon=True)


def carried(function: Callable[[], T]) -> Callable[[], T]:
    """A function for another thread, that is done there as if this thread had begun it: its threads are in our list."""
    here = _here.get()
    if here is None:
        return function

    def run() -> T:
        with here.pulses.watching():
            return function()

    return run


def turned() -> None:
    """The loop of this thread turns; nothing for a thread that is none."""
    if (here := _here.get()) is not None and here.pulse is not None:
        here.pulse.turned = here.pulses.now()


@contextmanager
def working(step: str) -> Iterator[None]:
    """The loop of this thread is in a step during the block; that one is told, of several within each other."""
    here = _here.get()
    if here is None or (pulse := here.pulse) is None:
        yield
        return
    outer, pulse.turned, pulse.step = pulse.step, here.pulses.now(), step
    try:
        yield
    finally:
        pulse.turned, pulse.step = here.pulses.now(), outer


@contextmanager
def resting() -> Iterator[None]:
    """The loop of this thread waits to be given something during the block."""
    here = _here.get()
    if here is None or (pulse := here.pulse) is None:
        yield
        return
    pulse.rests = True
    try:
        yield
    finally:
        pulse.turned, pulse.rests = here.pulses.now(), False
