"""What Vault leases to us: each made once for a tenant, renewed while it is used, and given back at the end.

A lease ends with the token that it was got with, so the token is renewed along with it. What can't be renewed any more,
since its longest time is reached, is used until its end; whoever asks in its last part is given another.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from syncline.model.errors import Again, SynclineError
from syncline.secrets.contract import Until
from syncline.secrets.keeper import Keeper
from syncline.secrets.vault_client import ROUNDED, Lease, VaultClient, due_at

#: Longest time (s) between looks at what is to be renewed, and shortest.
_LONGEST: Final = 300.0
_SHORTEST: Final = 0.2
#: Longest wait (s) for a renewal that is under way at the end.
_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Leased:
    """What was made for us: its fields, and until when it holds (monotonic seconds)."""

    id: str
    fields: dict[str, Any] = field(repr=False)
    token: Lease = field(repr=False)
    ends: float
    due: float
    renewable: bool


@dataclass(slots=True)
class _Had(threading.local):
    """What this thread was given last of each place, and which fields of it: the next ones are of the same."""

    of: dict[tuple[str, str], tuple[Leased, set[str]]] = field(default_factory=dict)


class VaultLeases:
    """The leases of a client. Safe for threads; a thread of its own renews them, once there are some."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._clock = client.clock
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._now: dict[tuple[str, str], Leased] = {}
        self._former: list[Leased] = []
        self._had = _Had()
        self._keeper: Keeper | None = None

    def fields(self, tenant: str, path: str, name: str) -> dict[str, Any] | None:
        """
        What a path has for a tenant, of which a field is wanted; None where nothing is leased there. A thread that asks
        for one field after the other is given those of one login. `Refused` and `Again` as the server answers.
        """
        place = tenant, path
        with self._lock:
            turn = self._turns.setdefault(place, threading.Lock())
        with turn:
            had, names = self._had.of.get(place, (None, set()))
            if had is not None and name not in names and self._holds(had):
                names.add(name)
                return had.fields
            found = self._now.get(place)
            if found is None or not self._fresh(found):
                found = self._made(place)
                if found is None:
                    return None
            self._had.of[place] = found, {name}
            return found.fields

    def until(self, tenant: str, path: str) -> Until | None:
        """Until when what a tenant was given holds; None where it was given nothing."""
        found = self._now.get((tenant, path))
        if found is None:
            return None
        ends = self._clock.now() + found.ends - self._clock.monotonic()
        return Until(datetime.fromtimestamp(ends, UTC), found.renewable)

    def close(self) -> None:
        """Gives everything back: the server removes what it made. What it can't be told of ends by itself."""
        if self._keeper is not None:
            self._keeper.close(_PATIENCE)
        with self._lock:
            found = [*self._former, *self._now.values()]
            self._former, self._now = [], {}
        for leased in found:
            if self._holds(leased):
                body = {"lease_id": leased.id, "sync": True}
                self._client.told("sys/leases/revoke", body, leased.token)

    # --- getting

    def _made(self, place: tuple[str, str]) -> Leased | None:
        answer, token = self._client.asked("GET", place[1])
        if not answer.get("lease_id"):
            return None
        now, seconds = self._clock.monotonic(), float(answer.get("lease_duration") or 0)
        made = Leased(
            str(answer["lease_id"]),
            dict(answer.get("data") or {}),
            token,
            now + seconds,
            due_at(now, seconds),
            bool(answer.get("renewable")),
        )
        with self._lock:
            former = self._now.get(place)
            self._now[place] = made
            self._former = [one for one in (*self._former, *([former] if former else [])) if self._holds(one)]
            if self._keeper is None:
                self._keeper = Keeper("leases of secrets", self._look)
        self._keeper.stir()
        return made

    def _holds(self, leased: Leased) -> bool:
        return self._clock.monotonic() < leased.ends

    def _fresh(self, leased: Leased) -> bool:
        """Whether there is enough time left of a lease to begin with it; more can be had where it is renewable."""
        return self._holds(leased) and (leased.renewable or self._clock.monotonic() < leased.due)

    # --- keeping

    def _look(self) -> float:
        """Renews what is due, the token among it; seconds until something is again."""
        try:
            token = self._client.valid()
        except SynclineError:
            return _PATIENCE
        for place, leased in list(self._now.items()):
            kept = self._kept(leased, token)
            with self._lock:
                if self._now.get(place) is leased:
                    self._now[place] = kept
        with self._lock:
            due = [one.due for one in self._now.values() if one.renewable]
        due += [token.due] if token.due is not None else []
        return min(_LONGEST, max(_SHORTEST, min(due, default=math.inf) - self._clock.monotonic()))

    def _kept(self, leased: Leased, token: Lease) -> Leased:
        """A lease with more time where that is due; with an end where its token gets no more."""
        now = self._clock.monotonic()
        if token.token != leased.token.token:  # it ends with the one that it was got with
            ends = leased.token.ends if leased.token.ends is not None else leased.ends
            return replace(leased, ends=min(leased.ends, ends), due=min(leased.due, now), renewable=False)
        leased = replace(leased, token=token)
        if not leased.renewable or leased.due > now:
            return leased
        try:
            answer, _ = self._client.asked("POST", "sys/leases/renew", {"lease_id": leased.id})
        except Again:
            return replace(leased, due=now + max(1.0, (leased.ends - now) / 4))
        except SynclineError:
            return replace(leased, renewable=False)
        now, seconds = self._clock.monotonic(), float(answer.get("lease_duration") or 0)
        if now + seconds <= leased.ends + ROUNDED:  # its longest time is reached
            return replace(leased, renewable=False)
        return replace(leased, ends=now + seconds, due=due_at(now, seconds))
