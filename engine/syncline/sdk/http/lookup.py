"""Addresses of a host, under a deadline: the system's resolver knows none, and may hang for half a minute."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable

#: Looks a host up within so many seconds: its addresses as texts. Raises `TimeoutError` or `socket.gaierror`.
Lookup = Callable[[str, float], tuple[str, ...]]


class _Flight:
    """A lookup that is under way, for everyone who wants to know the same."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.found: tuple[str, ...] = ()
        self.error: OSError | UnicodeError | None = None


class Lookups:
    """Looks hosts up, the same one only once at a time. Safe for threads.

    Each lookup has a thread of its own, up to `at_once`, so that a zone that hangs delays nobody else.

    >>> Lookups()("127.0.0.1", 1.0)
    ('127.0.0.1',)
    """

    def __init__(self, at_once: int = 256) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def __call__(self, host: str, timeout: float) -> tuple[str, ...]:
        """The addresses of a host, in the order to try them; of an address, itself. See `Lookup` for what it raises."""
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            return self._named(host, timeout)

    def _named(self, host: str, timeout: float) -> tuple[str, ...]:
        deadline = time.monotonic() + timeout
        with self._lock:
            flight = self._flights.get(host)
        if flight is None:
            if not self._free.acquire(timeout=timeout):
                raise TimeoutError
            with self._lock:
                # Another thread may have begun the same while this one waited.
                begun = self._flights.get(host)
                flight = begun or self._flights.setdefault(host, _Flight())
            if begun is None:
                threading.Thread(target=self._run, args=(host, flight), name="syncline-lookup", daemon=True).start()
            else:
                self._free.release()
        if not flight.done.wait(deadline - time.monotonic()):
            raise TimeoutError
        if flight.error is not None:
            raise flight.error
        return flight.found

    def _run(self, host: str, flight: _Flight) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            flight.found = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
        except (OSError, UnicodeError) as error:
            flight.error = error
        finally:
            with self._lock:
                del self._flights[host]
            self._free.release()
            flight.done.set()
