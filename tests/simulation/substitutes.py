"""Puts the simulated threads, clocks and chance in the place of the real ones, in the modules of the program, for a block.

The program isn't told: what it has imported of `threading`, `queue`, `concurrent.futures`, `time`, `datetime`, `random`
and `secrets` is exchanged. What makes something last (a transaction, a record of the journal) becomes a point.
"""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import importlib
import pkgutil
import queue
import random
import secrets
import threading
import time
from contextlib import contextmanager
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import syncline
from syncline.executor.batches import threads
from tests.simulation.primitives import namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.kernel import Kernel

#: Where the program decides and acts. What speaks to real systems (HTTP, Git, sockets) isn't simulated.
SIMULATED = ("daemon", "executor", "reconciler", "state", "audit", "model", "workflow")


class _Known(type):
    """A stand-in for `datetime.datetime` whose `now` is simulated; values are of the real class."""

    def __getattr__(cls, name: str) -> Any:
        return getattr(dt.datetime, name)

    def __call__(cls, *args: Any, **named: Any) -> Any:
        return dt.datetime(*args, **named)  # noqa: DTZ001 - whatever the program asks for

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, dt.datetime)


def _simulated_datetime(wall: Callable[[], float]) -> Any:
    def now(tz: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.fromtimestamp(wall(), tz)

    return _Known("datetime", (), {"now": staticmethod(now)})


class _Datetimes:
    """The module `datetime`, with the stand-in in it."""

    def __init__(self, simulated: Any) -> None:
        self.datetime = simulated

    def __getattr__(self, name: str) -> Any:
        return getattr(dt, name)


@cache
def modules() -> list[Any]:
    """All modules that are simulated, imported."""
    found = []
    for _, name, _ in pkgutil.walk_packages(syncline.__path__, "syncline."):
        if name.split(".")[1] in SIMULATED and ".migrations" not in name:
            found.append(importlib.import_module(name))
    return found


@cache
def _functions() -> list[Any]:
    """Methods of the program that have a real clock as a default."""
    classes = [value for module in modules() for value in vars(module).values() if isinstance(value, type)]
    methods = {method for known in classes for method in vars(known).values() if isinstance(method, FunctionType)}
    return sorted((m for m in methods if time.monotonic in (m.__defaults__ or ())), key=lambda m: m.__qualname__)


@cache
def _imported(reals: frozenset[int]) -> list[tuple[Any, str, Any]]:
    """Where modules of the program have what these are the `id`s of, as `(module, name, value)`."""
    return [
        (module, name, value)
        for module in modules()
        for name, value in vars(module).items()
        if id(value) in reals and not name.startswith("__")
    ]


@contextmanager
def substituted(kernel: Kernel, wall: Callable[[], float], chance: random.Random) -> Iterator[None]:
    """For the block, the program runs in the simulation; `wall` is the clock on the wall of whose turn it is."""
    names = namespaces(kernel)
    simulated = _simulated_datetime(wall)
    clock = SimpleNamespace(
        time=wall,
        monotonic=lambda: kernel.now,
        perf_counter=lambda: kernel.now,
        sleep=lambda seconds: kernel.wait((), seconds),
        gmtime=time.gmtime,
        strftime=time.strftime,
    )
    drawn = SimpleNamespace(
        token_hex=lambda size: f"{chance.getrandbits(8 * size):0{2 * size}x}",
        token_bytes=chance.randbytes,
        randbits=chance.getrandbits,
    )
    stand_ins = {
        id(threading): names["threading"],
        id(queue): names["queue"],
        id(queue.Queue): names["Queue"],
        id(queue.SimpleQueue): names["Queue"],
        id(threading.Lock): names["Lock"],
        id(threads.borrow): names["borrow"],
        id(concurrent.futures.wait): names["wait"],
        id(dt): _Datetimes(simulated),
        id(dt.datetime): simulated,
        id(time): clock,
        id(random): chance,
        id(secrets): drawn,
    }
    before: list[tuple[Any, str, Any]] = []
    for function in _functions():
        before.append((function, "__defaults__", function.__defaults__))
        function.__defaults__ = tuple(clock.monotonic if d is time.monotonic else d for d in function.__defaults__)
    for module, name, value in _imported(frozenset(stand_ins)):
        before.append((module, name, value))
        setattr(module, name, stand_ins[id(value)])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


@contextmanager
def patched(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Other attributes for the block: `(owner, name, value)`."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)
