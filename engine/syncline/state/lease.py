"""Leases: who may write, until when, and the fencing token by which a late write of an earlier holder is refused.

A lease is a row. It is taken by one transaction that sees it free, run out (by the database's clock), or held by a
process that is known to have ended (`presence.py`); its token rises each time it changes hands, and stays after it is
given back. A holder whose machine slept past the end notices nothing until it writes: `check`, in the transaction of
each write, finds another token and refuses. The check locks the row, so that a lease can't change hands between it and
the commit. Where a late effect can't be refused so, a holder asks `Renewals.holds` before it begins one.

A clock that is set forward makes a lease run out early (the holder is then fenced off, nothing is damaged). One that
was set back would make others wait as much longer for a holder that died on another machine: so who asks for a lease
that ends later than any could brings its end back to `LONGEST` from now.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, select, update

from syncline.model.errors import Again, Bug, Followed, Stalled, Waiting
from syncline.model.pulse import resting, thread
from syncline.state.direct import Direct
from syncline.state.presence import LOOK_EVERY, Presence, ended
from syncline.state.process import Process
from syncline.state.store import Lease
from syncline.state.tables import leases, meta

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.state.database import Database


#: Seconds that a lease lasts at most, unless it is renewed. A holder that lives renewed it less than that ago, so that
#: whoever brings an end that is further away back to it doesn't take the lease from under it.
LONGEST: Final = 60.0

# Made once: composing a statement costs more than running it.
_NAMED = leases.c.name == bindparam("lease")
_FOUND = Direct(select(leases).where(_NAMED).with_for_update())
_HELD = Direct(select(leases.c.token, leases.c.holder, leases.c.process).where(_NAMED).with_for_update(read=True))
_CHANGING = update(leases).where(_NAMED, leases.c.token == bindparam("held"))
_CHANGE = Direct(_CHANGING)
# Asked once the row is ours: PostgreSQL tells a statement that had to wait for it what was so before it waited.
_TAKE = Direct(_CHANGING.returning(select(meta.c.serial).scalar_subquery().label("serial")))


@contextmanager
def hold(renewals: Renewals, taking: Database, name: str, holder: str, ttl: float) -> Iterator[Lease]:
    """
    Holds a lease for the block, renewed at each third of `ttl` (seconds, up to `LONGEST`).

    It is taken within the fences of `taking`, and renewed and given back past them.
    """
    if ttl > LONGEST:
        raise Bug(f"a lease lasts {LONGEST:.0f} s at most, and not {ttl:g} s: it is renewed")
    database = renewals.database
    renewals.presence.ensure()
    began = time.monotonic()
    lease = _acquire(taking, name, holder, ttl, renewals.presence.session)
    renewals.add(lease, ttl, began)
    try:
        yield lease
    finally:
        renewals.remove(lease)
        # A lease that can't be given back runs out; the error of the block, if any, is the one that matters. A renewal
        # that is just under way finds another token, or is overtaken by it.
        with suppress(Again, Stalled):
            _release(database, lease)


def check(connection: Connection, lease: Lease) -> None:
    """Refuses (`Followed`) unless the lease still has its token; holds the row until the transaction ends."""
    found = _HELD.first(connection, {"lease": lease.name})
    if found is not None and found.token == lease.token:
        return
    by = f": {_shown(found.holder, found.process)} has it now" if found is not None and found.process else ""
    raise Followed(
        f"{lease.holder} no longer holds the lease of {lease.name}{by}",
        help="Nothing of this write was kept. Start again, which goes on from the state as it is now.",
        lease=lease.name,
    )


def _acquire(database: Database, name: str, holder: str, ttl: float, session: int) -> Lease:
    process = replace(Process.current(), session=session)
    found = _take(database, name, holder or process.label, ttl, process)
    if isinstance(found, Waiting):  # raised out here: what its transaction wrote stays
        raise found
    return found


def _take(database: Database, name: str, holder: str, ttl: float, process: Process) -> Lease | Waiting:
    """The lease; what to wait for where somebody has it."""
    with database.write() as connection:
        row = _FOUND.first(connection, {"lease": name})
        if row is None:
            # It is made with nobody's name in it, so that what follows is the same for new and known leases.
            free = {"name": name, "holder": "", "process": "", "token": 0, "expires": 0.0}
            connection.execute(database.insert(leases).values(free).on_conflict_do_nothing())
            row = _FOUND.first(connection, {"lease": name})
        now = database.now(connection)
        if row.expires > now and not ended(connection, row.process):
            expires = min(row.expires, now + LONGEST)
            if expires < row.expires:
                _change(connection, Lease(name, row.holder, row.token, expires), row.token, {"expires": expires})
            shown, left = _shown(row.holder, row.process), math.ceil(expires - now)
            return Waiting(
                f"{shown} holds the lease of {name} for another {left} s, unless it renews it",
                code="SYN610",
                help="Wait until it has ended. A holder that died is followed when its time has run out.",
                on=shown,
            )
        lease = Lease(name, holder, row.token + 1, now + ttl)
        taken = {"holder": holder, "process": str(process), "token": lease.token, "expires": lease.expires}
        serial = _TAKE.first(connection, taken | {"lease": name, "held": row.token}).serial
    return replace(lease, serial=serial)


class Renewals:
    """Renews the leases that are held on a database, each in its own time, by one thread for all of them.

    To start a thread costs more than to take a lease, and most are held for a moment. So the thread outlives a lease:
    it ends when it wakes and there is nothing left to renew, and the next lease starts another.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.presence = Presence(database)
        self._changed = threading.Condition()
        self._held: dict[Lease, _Renewal] = {}
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, lease: Lease, ttl: float, began: float) -> None:
        """Renews a lease from now on; `began` is when it was asked for (monotonic clock)."""
        renewal = _Renewal(ttl, began + ttl / 3, began + ttl)
        with self._changed:
            self._held[lease] = renewal
            if self._thread is None or not self._thread.is_alive():  # in a process that forked it is not
                self._wakes = renewal.due
                self._thread = thread("renewal of leases", self._run)
                self._thread.start()
            elif renewal.due < self._wakes:
                self._changed.notify()

    def remove(self, lease: Lease) -> None:
        """Renews a lease no more."""
        with self._changed:
            self._held.pop(lease, None)

    def holds(self, lease: Lease) -> bool:
        """
        Whether nobody else can have a lease of ours yet: it was renewed less than its time ago. Asks nobody.

        False doesn't mean that somebody has it: that the store couldn't be reached to renew it is enough.
        """
        with self._changed:
            renewal = self._held.get(lease)
        return renewal is not None and time.monotonic() < renewal.until

    def close(self) -> None:
        """Renews nothing more; the thread has ended when this returns."""
        with self._changed:
            self._held.clear()
            renewing = self._thread
            self._changed.notify()
        if renewing is not None:
            renewing.join()
        self.presence.close()

    def _run(self) -> None:
        while (due := self._wait()) is not None:
            with suppress(Again, Stalled):  # it is tried again soon, and the renewals need it no less
                self.presence.ensure()
            for lease, renewal in due.items():
                self._renew(lease, renewal)

    def _renew(self, lease: Lease, renewal: _Renewal) -> None:
        began, kept = time.monotonic(), True
        # An error is no reason to give up: the next try may still come in time.
        with suppress(Again, Stalled, Bug):
            kept = renew(self.database, lease, renewal.ttl)
            renewal = replace(renewal, until=began + renewal.ttl)
        with self._changed:
            if not kept:
                self._held.pop(lease, None)
            elif lease in self._held:
                self._held[lease] = replace(renewal, due=time.monotonic() + renewal.ttl / 3)

    def _wait(self) -> dict[Lease, _Renewal] | None:
        """The leases that are due; none of them where only our presence is to be looked after; None if none is held."""
        looks = time.monotonic() + LOOK_EVERY if self.presence.session else math.inf
        with self._changed:
            while self._held:
                now = time.monotonic()
                due = {lease: renewal for lease, renewal in self._held.items() if renewal.due <= now}
                if due or now >= looks:
                    return due
                self._wakes = min(looks, *(renewal.due for renewal in self._held.values()))
                with resting():
                    self._changed.wait(self._wakes - now)
            self._thread = None
            return None


class _Renewal(Struct, frozen=True):
    """For how long a lease is renewed, when next, and until when it is surely ours (monotonic clock)."""

    ttl: float
    due: float
    until: float


def renew(database: Database, lease: Lease, ttl: float) -> bool:
    """Moves the end of a lease on; False if it is not ours any more."""
    with database.write() as connection:
        return _change(connection, lease, lease.token, {"expires": database.now(connection) + ttl})


def _release(database: Database, lease: Lease) -> None:
    """Frees the lease at once. The token rises too, so that a write after the block is refused like any late one."""
    with database.write() as connection:
        _change(connection, lease, lease.token, {"holder": "", "process": "", "token": lease.token + 1, "expires": 0.0})


def _change(connection: Connection, lease: Lease, held: int, values: dict[str, Any]) -> bool:
    """Changes the row of a lease, unless it has another token than `held`."""
    return _CHANGE.run(connection, values | {"lease": lease.name, "held": held}) > 0


def _shown(holder: str, process: str) -> str:
    known = Process.parse(process)
    return holder if known is None or holder == known.label else f"{holder} ({known.label})"
