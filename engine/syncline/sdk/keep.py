"""What the connectors of a process use together: idle things, connections mostly, and things that all of them share.

Opening a connection costs more than a tiny sync. Whoever runs many flows makes a `Keep`, hands it to each `Instance`,
and closes it at the end; a connector takes what fits from it and gives it back when it is done. Without one, nothing
is kept. It isn't a pool: it makes nothing, bounds nothing that is in use, and hands what is idle to one user at a time.
What is shared is one thing of a type, which several may use at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
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
        self._shared: dict[type[Closable], Closable] = {}
        self._closed = False

    def share(self, thing: Closable) -> None:
        """Shares a thing with everyone who asks for its type; it is closed at the end.

        >>> import io
        >>> with Keep() as keep:
        ...     keep.share(io.StringIO("shared"))
        ...     keep.shared(io.StringIO).getvalue()
        'shared'
        """
        with self._lock:
            self._shared[type(thing)] = thing

    def shared(self, kind: type[T]) -> T | None:
        """The thing of this type that all share; None where there is none."""
        found = self._shared.get(kind)
        assert found is None or isinstance(found, kind)
        return found

    def shared_or_made(self, kind: type[T], make: Callable[[], T]) -> T:
        """The thing of this type that all share, made now where there is none; whoever asks meanwhile gets that one.

        >>> import io
        >>> with Keep() as keep:
        ...     keep.shared_or_made(io.StringIO, io.StringIO) is keep.shared_or_made(io.StringIO, io.StringIO)
        True
        """
        with self._lock:
            found = self._shared.get(kind)
            if found is None:
                found = self._shared[kind] = make()
        assert isinstance(found, kind)
        return found

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
        """Closes everything that is idle or shared; what is given back later is closed at once."""
        with self._lock:
            self._closed = True
            things = [thing for idle in self._idle.values() for thing in idle] + list(self._shared.values())
            self._idle.clear()
            self._shared.clear()
        for thing in things:
            with suppress(Exception):
                thing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
