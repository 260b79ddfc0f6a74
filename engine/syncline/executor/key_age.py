"""Has another key seal for a tenant once the one that does is as old as the tenant lets it be."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from syncline.model import units
from syncline.model.event import Action

if TYPE_CHECKING:
    from syncline.executor.services.facilities import Facilities
    from syncline.kinds.tenant import TenantSpec


def renew_key(facilities: Facilities, spec: TenantSpec, tenant: str) -> None:
    """Before a run of the tenant seals anything; evidence says when a key was made."""
    if spec.keys.rotation is None:
        return
    age = dt.timedelta(seconds=units.duration(spec.keys.rotation))
    if facilities.keys.renew(tenant, age, dt.datetime.now(dt.UTC)):
        recorder = facilities.recorder
        event = recorder.event(Action.key_rotate, tenant=tenant, purpose="data", kind="tenant", owner=tenant)
        recorder.record([event])
