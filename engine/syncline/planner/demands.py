"""What tenants demand of changes: how many people must approve one, and when it may be applied. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from syncline.kinds.tenant import TenantSpec
from syncline.kinds.window import within
from syncline.planner.approval import needs_approval

if TYPE_CHECKING:
    from syncline.kinds.changes import Changes
    from syncline.model.change import Change
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Demands:
    """What tenants demand, as (tenant, what). What is shared is every tenant's: the strictest of them counts."""

    tenants: tuple[tuple[str, Changes], ...] = ()

    def approvers(self, change: Change) -> int:
        """How many people must approve a change; 0 for none."""
        counts = [
            changes.approvals.count
            for _, changes in self._of(change.key)
            if changes.approvals is not None and needs_approval(change, changes.approvals.required)
        ]
        return max(counts, default=0)

    def closed(self, change: Change, now: dt.datetime) -> str:
        """The tenant in whose windows a change may not be applied now; '' where it may."""
        for tenant, changes in self._of(change.key):
            if not within(changes.windows, now.astimezone(ZoneInfo(changes.time_zone))):
                return tenant
        return ""

    def _of(self, key: ObjectKey) -> Iterable[tuple[str, Changes]]:
        owner = key.name if key.kind == "Tenant" else key.tenant
        return [(tenant, changes) for tenant, changes in self.tenants if owner in {"", tenant}]


def demands_of(manifests: Iterable[Manifest]) -> Demands:
    """What the tenants among manifests demand."""
    return Demands(tuple((m.key.name, m.spec.changes) for m in manifests if isinstance(m.spec, TenantSpec)))
