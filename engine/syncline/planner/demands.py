"""What tenants and policies demand of changes: how many people must approve one, and when it may be applied. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct

from syncline.kinds.policy import PolicySpec
from syncline.kinds.tenant import TenantSpec
from syncline.kinds.window import within
from syncline.planner.approval import needs_approval

if TYPE_CHECKING:
    from syncline.kinds.changes import Changes
    from syncline.model.change import Change
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest


class Demand(Struct, frozen=True):
    """What a tenant or a policy demands (`who`, for people), and of whose objects: '' for everybody's."""

    who: str
    tenant: str
    changes: Changes


class Demands(Struct, frozen=True):
    """What tenants and policies demand. What is shared is every tenant's: the strictest demand counts."""

    found: tuple[Demand, ...] = ()

    def approvers(self, change: Change) -> int:
        """How many people must approve a change; 0 for none."""
        counts = [
            demand.changes.approvals.count
            for demand in self._of(change.key)
            if demand.changes.approvals is not None and needs_approval(change, demand.changes.approvals.required)
        ]
        return max(counts, default=0)

    def closed(self, change: Change, now: dt.datetime) -> str:
        """In whose windows a change may not be applied now, for people; '' where it may."""
        for demand in self._of(change.key):
            if not within(demand.changes.windows, now.astimezone(ZoneInfo(demand.changes.time_zone))):
                return demand.who
        return ""

    def _of(self, key: ObjectKey) -> Iterable[Demand]:
        return [demand for demand in self.found if "" in {key.owner, demand.tenant} or key.owner == demand.tenant]


def demands_of(manifests: Iterable[Manifest], policies: Iterable[tuple[str | None, Manifest]] = ()) -> Demands:
    """What the tenants among manifests demand, and policies, each with the tenant that it binds (None: every one)."""
    of_tenants = [
        Demand(f"tenant {m.key.name}", m.key.name, m.spec.changes) for m in manifests if isinstance(m.spec, TenantSpec)
    ]
    of_policies = [
        Demand(f"policy {m.key.name}", tenant or "", m.spec.changes)
        for tenant, m in policies
        if isinstance(m.spec, PolicySpec) and m.spec.changes is not None
    ]
    return Demands((*of_tenants, *of_policies))
