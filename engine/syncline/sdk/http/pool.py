"""Idle connections of a process, by where they lead and as whom: taken by whoever asks there next."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from contextlib import suppress

from syncline.sdk.clock import Clock
from syncline.sdk.http.connection import Connection

#: A connection that was idle for longer than this, in seconds, may have been closed at the other end: it is looked at.
_FRESH = 1.0


class Pool:
    """Keeps up to `per_key` idle connections of a kind and `total` in all, none for longer than `idle` seconds.

    Safe for threads; a connection that was taken is the taker's alone. Example:

        connection = pool.take(key) or open_one()
        response = connection.receive(max_body)
        pool.give(key, connection)
    """

    def __init__(self, clock: Clock, *, per_key: int = 16, total: int = 512, idle: float = 30.0) -> None:
        self._clock = clock
        self._per_key = per_key
        self._total = total
        self._idle_seconds = idle
        self._lock = threading.Lock()
        self._idle: dict[Hashable, list[Connection]] = {}  # the kind that was given longest ago is first
        self._count = 0
        self._swept = clock.monotonic()
        self._closed = False

    def take(self, key: Hashable) -> Connection | None:
        """The connection that was given back last, if one is there that still seems open."""
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                connection = idle.pop()
                self._count -= 1
                if not idle:
                    del self._idle[key]
            age = self._clock.monotonic() - connection.idle_since
            if age < _FRESH or (age < self._idle_seconds and connection.quiet()):
                return connection
            connection.close()

    def give(self, key: Hashable, connection: Connection) -> None:
        """Takes a connection back; closes it, or the oldest one, where there is no room."""
        now = connection.idle_since = self._clock.monotonic()
        surplus: list[Connection] = []
        with self._lock:
            if now - self._swept > self._idle_seconds / 2:
                surplus += self._sweep(now)
            idle = self._idle.pop(key, [])
            if self._closed or not connection.reusable or len(idle) >= self._per_key:
                surplus.append(connection)
            else:
                idle.append(connection)
                self._count += 1
            if idle:
                self._idle[key] = idle
            if self._count > self._total:
                surplus.append(self._oldest())
        for other in surplus:
            with suppress(OSError):
                other.close()

    def close(self) -> None:
        """Closes what is idle; what is given back later is closed at once."""
        with self._lock:
            self._closed = True
            idle = [connection for kind in self._idle.values() for connection in kind]
            self._idle.clear()
            self._count = 0
        for connection in idle:
            with suppress(OSError):
                connection.close()

    def _oldest(self) -> Connection:
        key = next(iter(self._idle))
        connection = self._idle[key].pop(0)
        self._count -= 1
        if not self._idle[key]:
            del self._idle[key]
        return connection

    def _sweep(self, now: float) -> list[Connection]:
        """Takes out what has been idle for too long."""
        self._swept = now
        found: list[Connection] = []
        for key in list(self._idle):
            kept = [c for c in self._idle[key] if now - c.idle_since < self._idle_seconds]
            found += [c for c in self._idle[key] if now - c.idle_since >= self._idle_seconds]
            if kept:
                self._idle[key] = kept
            else:
                del self._idle[key]
        self._count -= len(found)
        return found
