"""Leases: who may write, until when, and the fencing token by which a late write of an earlier holder is refused.

A lease is a row. It is taken by one transaction that sees it free, run out (by the database's clock), or held by a
process that is known to have ended; its token rises each time it changes hands, and stays after it is given back. A
holder whose machine slept past the end notices nothing until it writes: `check`, in the transaction of each write,
finds another token and refuses. The check locks the row, so that a lease can't change hands between it and the commit.

A clock that is set forward makes a lease run out early (the holder is then fenced off, nothing is damaged); set back,
it makes others wait longer for a holder that died on another machine.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from syncline.model.errors import Again, Bug, Denied, Stalled, Waiting
from syncline.state.process import Process
from syncline.state.store import Lease
from syncline.state.tables import leases

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.state.database import Database


# Made once: composing a statement costs more than running it.
_NAMED = leases.c.name == bindparam("lease")
_FOUND = select(leases).where(_NAMED).with_for_update()
_HELD = select(leases.c.token, leases.c.holder, leases.c.process).where(_NAMED).with_for_update(read=True)
_CHANGE = update(leases).where(_NAMED, leases.c.token == bindparam("held"))


@contextmanager
def hold(database: Database, renewals: Renewals, name: str, holder: str, ttl: float) -> Iterator[Lease]:
    """Holds a lease for the block, renewed at each third of `ttl` (seconds)."""
    lease = _acquire(database, name, holder, ttl)
    renewals.add(lease, ttl)
    try:
        yield lease
    finally:
        renewals.remove(lease)
        # A lease that can't be given back runs out; the error of the block, if any, is the one that matters. A renewal
        # that is just under way finds another token, or is overtaken by it.
        with suppress(Again, Stalled):
            _release(database, lease)


def check(connection: Connection, lease: Lease) -> None:
    """Refuses (`Denied`) unless the lease still has its token; holds the row until the transaction ends."""
    found = connection.execute(_HELD, {"lease": lease.name}).first()
    if found is not None and found.token == lease.token:
        return
    by = f": {_shown(found.holder, found.process)} has it now" if found is not None and found.process else ""
    raise Denied(
        f"{lease.holder} no longer holds the lease of {lease.name}{by}",
        code="SYN611",
        help="Nothing of this write was kept. Start again, which goes on from the state as it is now.",
    )


def _acquire(database: Database, name: str, holder: str, ttl: float) -> Lease:
    process = Process.current()
    holder = holder or process.label
    with database.write() as connection:
        row = connection.execute(_FOUND, {"lease": name}).first()
        if row is None:
            # It is made with nobody's name in it, so that what follows is the same for new and known leases.
            free = {"name": name, "holder": "", "process": "", "token": 0, "expires": 0.0}
            connection.execute(database.insert(leases).values(free).on_conflict_do_nothing())
            row = connection.execute(_FOUND, {"lease": name}).one()
        now = database.now(connection)
        if row.expires > now and not _gone(row.process):
            shown, left = _shown(row.holder, row.process), math.ceil(row.expires - now)
            raise Waiting(
                f"{shown} holds the lease of {name} for another {left} s, unless it renews it",
                code="SYN610",
                help="Wait until it has ended. A holder that died is followed when its time has run out.",
                on=shown,
            )
        lease = Lease(name, holder, row.token + 1, now + ttl)
        _change(
            connection,
            lease,
            row.token,
            {"holder": holder, "process": str(process), "token": lease.token, "expires": lease.expires},
        )
    return lease


class Renewals:
    """Renews the leases that are held on a database, each in its own time, by one thread for all of them.

    To start a thread costs more than to take a lease, and most are held for a moment. So the thread outlives a lease:
    it ends when it wakes and there is nothing left to renew, and the next lease starts another.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        self._held: dict[Lease, _Renewal] = {}
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, lease: Lease, ttl: float) -> None:
        """Renews a lease from now on."""
        renewal = _Renewal(ttl, time.monotonic() + ttl / 3)
        with self._changed:
            self._held[lease] = renewal
            if self._thread is None or not self._thread.is_alive():  # in a process that forked it is not
                self._wakes = renewal.due
                self._thread = threading.Thread(target=self._run, name="renewal of leases", daemon=True)
                self._thread.start()
            elif renewal.due < self._wakes:
                self._changed.notify()

    def remove(self, lease: Lease) -> None:
        """Renews a lease no more."""
        with self._changed:
            self._held.pop(lease, None)

    def close(self) -> None:
        """Renews nothing more; the thread has ended when this returns."""
        with self._changed:
            self._held.clear()
            thread = self._thread
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while due := self._wait():
            for lease, ttl in due:
                kept = renew(self._database, lease, ttl)
                with self._changed:
                    if not kept:
                        self._held.pop(lease, None)
                    elif lease in self._held:
                        self._held[lease] = _Renewal(ttl, time.monotonic() + ttl / 3)

    def _wait(self) -> list[tuple[Lease, float]]:
        """The leases that are due, with their `ttl`, once there are any; none if nothing is held."""
        with self._changed:
            while self._held:
                now = time.monotonic()
                if due := [(lease, renewal.ttl) for lease, renewal in self._held.items() if renewal.due <= now]:
                    return due
                self._wakes = min(renewal.due for renewal in self._held.values())
                self._changed.wait(self._wakes - now)
            self._thread = None
            return []


@dataclass(frozen=True, slots=True)
class _Renewal:
    """When a lease is to be renewed (monotonic clock), and for how long."""

    ttl: float
    due: float


def renew(database: Database, lease: Lease, ttl: float) -> bool:
    """Moves the end of a lease on; False if it is not ours any more.

    An error is no reason to give up: the next try may still come in time.
    """
    with suppress(Again, Stalled, Bug), database.write() as connection:
        return _change(connection, lease, lease.token, {"expires": database.now(connection) + ttl})
    return True


def _release(database: Database, lease: Lease) -> None:
    """Frees the lease at once. The token rises too, so that a write after the block is refused like any late one."""
    with database.write() as connection:
        _change(connection, lease, lease.token, {"holder": "", "process": "", "token": lease.token + 1, "expires": 0.0})


def _change(connection: Connection, lease: Lease, held: int, values: dict[str, Any]) -> bool:
    """Changes the row of a lease, unless it has another token than `held`."""
    return connection.execute(_CHANGE, values | {"lease": lease.name, "held": held}).rowcount > 0


def _gone(process: str) -> bool:
    known = Process.parse(process)
    return known is not None and known.gone()


def _shown(holder: str, process: str) -> str:
    known = Process.parse(process)
    return holder if known is None or holder == known.label else f"{holder} ({known.label})"
