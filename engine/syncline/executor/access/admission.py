"""Whether a tenant's flow may run now: not while the tenant is suspended, and within its quotas.

So many runs at the same time are so many leases of the state, which whoever dies gives back. Rows of a day are those of
runs that ended or were stopped in it, as the counters have them, and the run's own: with several at once, a little more
may be written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from syncline.kinds.tenant import TenantSpec
from syncline.model import units
from syncline.model.errors import Again, Stalled, Waiting
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.state.store import StateReader, StateStore

#: The code of a run that waits for others of its tenant. It gets its turn, however long that takes.
TURN: Final = "SYN846"


def tenant_spec(desired: Desired, tenant: str) -> TenantSpec:
    """What is declared of a tenant."""
    found = desired.objects.get(ObjectKey.of_tenant(tenant))
    return found.spec if found is not None and isinstance(found.spec, TenantSpec) else TenantSpec()


@contextmanager
def admitted(store: StateStore, tenant: TenantSpec, key: ObjectKey) -> Iterator[None]:
    """Holds one of the tenant's turns; `Stalled` (SYN707) while it is suspended, `Waiting` (SYN846) without a turn."""
    if tenant.suspend is not None and tenant.suspend.holds(dt.datetime.now(dt.UTC).date()):
        raise Stalled(
            f"tenant {key.tenant} is suspended: {tenant.suspend.reason}",
            code="SYN707",
            help="Remove spec.suspend of the tenant and apply, or wait for its end.",
        )
    with ExitStack() as stack:
        if (most := tenant.quotas.concurrent_runs) is not None:
            stack.enter_context(_turn(store, key, most))
        yield


@contextmanager
def _turn(store: StateStore, key: ObjectKey, most: int) -> Iterator[None]:
    with ExitStack() as stack:
        for number in range(most):
            try:
                stack.enter_context(store.lease(f"turn/{key.tenant}/{number}", str(key)))
            except Waiting:
                continue
            break
        else:
            runs = f"{most:,} {'run' if most == 1 else 'runs'}"
            raise Waiting(
                f"tenant {key.tenant} has {runs} under way, as many as its quota allows",
                code=TURN,
                help="It can run when one of them has ended. What allows more: spec.quotas.concurrentRuns.",
                on=f"another run of {key.tenant}",
            )
        yield


@dataclass(slots=True)
class DailyRows:
    """
    How many rows a tenant may still write in a day (`most`; None: any number). `written` are those of runs that ended
    in it, and of one that is under way.

    A commit that goes past it is the last but one of its run at most, so that a run that is about to end does.
    """

    tenant: str
    most: int | None
    written: int = 0
    last: int = 0

    @classmethod
    def of(cls, reader: StateReader, spec: TenantSpec, key: ObjectKey) -> DailyRows:
        """As runs that ended today (UTC) left it; `Again` (SYN847) where nothing is left."""
        most = spec.quotas.rows_per_day
        if most is None:
            return cls(key.tenant, None)
        today = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT00:00:00Z}"
        found = cls(key.tenant, most, reader.rows_since(key.tenant, today))
        found.advance(0)
        return found

    def advance(self, rows: int) -> None:
        """Hears that the run has written so many; `Again` (SYN847), until the end of the day, at that other commit."""
        if self.most is None:
            return
        before = self.written + self.last
        self.last = rows
        if before < self.most:
            return
        now = dt.datetime.now(dt.UTC)
        midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
        raise Again(
            f"tenant {self.tenant} has written the {self.most:,} rows of today that its quota allows",
            code="SYN847",
            help="The run goes on after its last commit tomorrow (UTC). What allows more: spec.quotas.rowsPerDay.",
            after=(midnight - now).total_seconds(),
        )


@dataclass(slots=True)
class Disk:
    """
    How much disk the rejects of a tenant may take (`most`; None: any). They are looked at when a run begins, and again
    after each commit that kept more, so that a batch may go past it.
    """

    reader: StateReader
    tenant: str
    most: int | None
    rejected: int = 0

    @classmethod
    def of(cls, reader: StateReader, spec: TenantSpec, key: ObjectKey) -> Disk:
        """As earlier runs left it; `Stalled` (SYN864) where nothing is left."""
        quota = spec.quotas.spool
        found = cls(reader, key.tenant, units.size(quota) if quota is not None else None)
        found._look()
        return found

    def advance(self, rejected: int) -> None:
        """Hears how many records the run has set aside; `Stalled` (SYN864) where they take too much."""
        if rejected > self.rejected:
            self.rejected = rejected
            self._look()

    def _look(self) -> None:
        if self.most is None or (taken := self.reader.rejects_size(self.tenant)) < self.most:
            return
        raise Stalled(
            f"rejects of tenant {self.tenant} take {taken:,} bytes, and its quota allows {self.most:,}",
            code="SYN864",
            help="Find out why so much is rejected: `syncline runs rejects`. What allows more: spec.quotas.spool.",
        )
