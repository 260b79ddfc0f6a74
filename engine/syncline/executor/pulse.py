"""Whether the loops of a daemon turn.

A loop says each turn. In a step that may take long (an apply, a drop of a table, a run) it says in which, and since
when; while it waits to be given something it says that. Both count as alive, however long they take: how long that may
be is a matter of limits on what is waited for. A loop that is silent otherwise, and one that an error has ended, don't.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

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
        pulse = Pulse(name, self._monotonic())
        token = _mine.set((pulse, self._monotonic))
        self._known[id(pulse)] = pulse
        try:
            yield
        except BaseException as error:
            pulse.ended = type(error).__name__
            raise
        else:
            del self._known[id(pulse)]
        finally:
            _mine.reset(token)

    def forget_ended(self) -> None:
        """Forgets those that errors have ended: others take their place."""
        for pulse in self._all():
            if pulse.ended:
                self._known.pop(id(pulse), None)

    def _all(self) -> tuple[Pulse, ...]:
        return tuple(self._known.values())

    def problem(self, silence: float = SILENCE) -> str:
        """Why not all of them turn; '' where they do."""
        return problem(self._all(), self._monotonic(), silence)

    def working(self) -> list[dict[str, Any]]:
        """The steps that loops are in, and for how many seconds."""
        now = self._monotonic()
        return [
            {"loop": pulse.name, "step": pulse.step, "seconds": round(now - pulse.turned)}
            for pulse in self._all()
            if pulse.step and not pulse.ended
        ]


_mine: ContextVar[tuple[Pulse, Callable[[], float]] | None] = ContextVar("pulse", default=None)


def turned() -> None:
    """The loop of this thread turns; nothing for a thread that is none."""
    if (mine := _mine.get()) is not None:
        pulse, monotonic = mine
        pulse.turned = monotonic()


@contextmanager
def working(step: str) -> Iterator[None]:
    """The loop of this thread is in a step during the block; that one is told, of several within each other."""
    mine = _mine.get()
    if mine is None:
        yield
        return
    pulse, monotonic = mine
    outer, pulse.turned, pulse.step = pulse.step, monotonic(), step
    try:
        yield
    finally:
        pulse.turned, pulse.step = monotonic(), outer


@contextmanager
def resting() -> Iterator[None]:
    """The loop of this thread waits to be given something during the block."""
    mine = _mine.get()
    if mine is None:
        yield
        return
    pulse, monotonic = mine
    pulse.rests = True
    try:
        yield
    finally:
        pulse.turned, pulse.rests = monotonic(), False
