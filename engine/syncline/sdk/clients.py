"""What all HTTP clients of a process share: connections, limits of accounts, circuit breakers, lookups of hosts.

Whoever runs many flows makes one `Clients` and shares it in the `Keep` that it hands to each `Instance`. A client that
finds none makes its own.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from msgspec import Struct

from syncline.model.budget import Budgets
from syncline.sdk.breaker import Breaker, Trip
from syncline.sdk.budget import Share
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http.egress import Egress
from syncline.sdk.http.lookup import Lookups
from syncline.sdk.http.pool import Pool
from syncline.sdk.http.proxy import Proxy
from syncline.sdk.http.url import Origin
from syncline.sdk.limits import Account, Limiter, Rule

#: Open files that a process is given where it may have them: a thousand connections and all else.
FILES = 16_384


class Clients:
    """Shared by all clients of a process; safe for threads. With `budgets`, limits hold for all processes together.

    >>> with Clients() as clients:
    ...     clients.account("acme/helpdesk", [Rule(100, 60.0)]) is clients.account("acme/helpdesk", [Rule(100, 60.0)])
    True
    """

    def __init__(self, clock: Clock | None = None, budgets: Budgets | None = None) -> None:
        self.clock = clock or SystemClock()
        self.pool = Pool(self.clock)
        self.lookup = Lookups()
        self._budgets = budgets
        self._lock = threading.Lock()
        self._accounts: dict[Hashable, Account] = {}
        self._limiters: dict[Hashable, Limiter] = {}
        self._breakers: dict[Hashable, Breaker] = {}
        raise_open_files(FILES)

    def account(
        self,
        name: str,
        rules: Sequence[Rule],
        *,
        concurrency: int | None = None,
        tenant: str = "",
        quota: Rule | None = None,
    ) -> Account:
        """The account of that name under these limits, and under the quota of a tenant besides; made at first use."""
        key = (name, tuple(rules), concurrency, tenant, quota)
        with self._lock:
            found = self._accounts.get(key)
            if found is None:
                limiters = [self._limiter(f"account {name}", rule) for rule in rules]
                if quota is not None:
                    why = f"is asked within the quota of {tenant}, {quota.count:,} requests in {quota.seconds:g} s"
                    limiters.append(self._limiter(f"tenant {tenant}", quota, why))
                found = self._accounts[key] = Account(limiters, self.clock, concurrency=concurrency)
            return found

    def breaker(self, origin: Origin, trip: Trip) -> Breaker:
        """The circuit breaker of a host."""
        with self._lock:
            found = self._breakers.get((origin, trip))
            if found is None:
                found = self._breakers[origin, trip] = Breaker(trip, self.clock)
            return found

    def close(self) -> None:
        """Closes idle connections, and where budgets are kept."""
        self.pool.close()
        if self._budgets is not None:
            self._budgets.close()

    def _limiter(self, name: str, rule: Rule, why: str = "") -> Limiter:
        found = self._limiters.get((name, rule))
        if found is None:
            bucket = None
            if self._budgets is not None:
                budget = f"{name} {rule.count}/{rule.seconds:g}s {rule.match}".rstrip()
                bucket = Share(self._budgets, budget, rule, self.clock)
            found = self._limiters[name, rule] = Limiter(rule, self.clock, bucket, why)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Network(Struct, frozen=True):
    """
    What an instance may reach, and what its HTTP client uses: the provider account that its requests are counted
    for, the tenant whose run it is, that tenant's quota, the bounds of what may be reached, and the proxies that it
    is reached through, of which the first that leads to a host is used. `databases` bounds where databases may be;
    None: anywhere.

    >>> Network(account="acme/helpdesk", tenant="acme", quota=Rule(600, 60.0)).egress.private
    ()
    """

    account: str = ""
    tenant: str = ""
    quota: Rule | None = None
    egress: Egress = Egress()
    proxies: tuple[Proxy, ...] = ()
    databases: Egress | None = None


def raise_open_files(wanted: int) -> int:
    """Raises this process's limit of open files towards `wanted`, as far as it may; returns what it is then.

    >>> raise_open_files(64) >= 64
    True
    """
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # a sandbox may forbid it; what can't be opened is told then
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return most
    return wanted if soft == resource.RLIM_INFINITY else soft
