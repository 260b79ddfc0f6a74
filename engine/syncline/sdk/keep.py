"""Idle things that connectors may use again: connections, mostly. One `Keep` a process that runs many flows.

Opening a connection costs more than a tiny sync. Whoever runs many flows makes a `Keep`, hands it to each `Instance`,
and closes it at the end; a connector takes what fits from it and gives it back when it is done. Without one, nothing
is kept. It isn't a pool: it makes nothing, bounds nothing that is in use, and hands everything to one user at a time.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Protocol, Self, TypeVar


class Closable(Protocol):
    """Something that can be closed.

    Anything with a `close` will do:

    >>> import io
    >>> thing: Closable = io.StringIO()
    >>> thing.close()
    """

    def close(self) -> None:
        """Releases it."""


T = TypeVar("T", bound=Closable)


class Keep:
    """Keeps up to `limit` idle things for each key. Safe for threads.

    >>> import io
    >>> with Keep() as keep:
    ...     keep.give("db", io.StringIO("idle"))
    ...     keep.take("db", io.StringIO).read()
    'idle'
    """

    def __init__(self, limit: int = 4) -> None:
        self._limit = limit
        self._lock = Lock()
        self._idle: dict[Hashable, list[Closable]] = {}
        self._closed = False

    def take(self, key: Hashable, kind: type[T]) -> T | None:
        """Something that was given back under this key, for the caller alone; None where there is nothing."""
        with self._lock:
            idle = self._idle.get(key)
            found = idle.pop() if idle else None
        assert found is None or isinstance(found, kind)
        return found

    def give(self, key: Hashable, thing: Closable) -> None:
        """Takes something back; closes it where there is no room."""
        with self._lock:
            idle = self._idle.setdefault(key, [])
            room = not self._closed and len(idle) < self._limit
            if room:
                idle.append(thing)
        if not room:
            thing.close()

    def close(self) -> None:
        """Closes everything that is idle; what is given back later is closed at once."""
        with self._lock:
            self._closed = True
            things = [thing for idle in self._idle.values() for thing in idle]
            self._idle.clear()
        for thing in things:
            with suppress(Exception):
                thing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
