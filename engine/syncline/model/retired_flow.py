"""Flows that are retired, or write elsewhere now: what was applied of each before, so that it is known later what it
wrote, and where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from syncline.model.key import ObjectKey


class RetiredFlow(Struct, frozen=True):
    """
    The documents (canonical JSON) of a flow and of what it stood on, the flow's first, as they were before the apply
    that retires it or leads it elsewhere; none where it couldn't run any more.

    `applied` is when the flow itself was applied last, RFC 3339 UTC: it tells two flows of one name apart. `until` is
    when it was kept, `led` whether it stood on and was led elsewhere; `wrote` whether a run may have written rows since
    what was kept of the name before.
    """

    key: ObjectKey
    applied: str
    documents: tuple[str, ...]
    until: str = ""
    wrote: bool = True
    led: bool = False

    @property
    def place(self) -> ObjectKey:
        """How it is called beside others of its name: as it was until then.

        >>> str(RetiredFlow(ObjectKey("acme", "Sync", "orders"), "", (), "2026-11-25T18:00:00Z").place)
        'acme/Sync/orders@2026-11-25T18:00:00Z'
        """
        return ObjectKey(self.key.tenant, self.key.kind, f"{self.key.name}@{self.until or self.applied}")


class RetiredFlows(Protocol):
    """What is kept of flows that are retired, or write elsewhere now. All methods may raise `Again` and `Stalled`."""

    def of(self, key: ObjectKey) -> tuple[RetiredFlow, ...]:
        """What is kept of a name, the newest first."""

    def keep(self, retiring: Sequence[RetiredFlow], standing: Mapping[ObjectKey, str]) -> None:
        """
        Keeps these; one that is retired as it was kept first since it was `applied`, as an apply that is made again
        after a kill finds some of its changes done. What is kept as retired of flows that are `standing`, applied at
        these times, goes: their apply didn't come to it. Durable.
        """
