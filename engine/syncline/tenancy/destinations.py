"""What a tenant's flows left at their destinations: tables go where that was declared, and of ours nothing stays."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import TYPE_CHECKING, Final

from syncline.executor.access.admission import tenant_spec
from syncline.executor.flows.applied import read_applied
from syncline.executor.flows.instance import resolver
from syncline.executor.flows.opening import Opener
from syncline.executor.flows.rows_left import dropped
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.executor.retention.dropping import writer_there
from syncline.manifests.locations import one_table
from syncline.model.errors import SynclineError, Waiting
from syncline.model.offboarding import LeavingStep, StepState
from syncline.sdk.destination import Fence, Fencing
from syncline.sdk.leaving import Leaving
from syncline.sdk.offers import offers
from syncline.sdk.table_owner import Owning

if TYPE_CHECKING:
    from syncline.executor.flows.former import Former
    from syncline.executor.services.facilities import Facilities
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.destination import Destination

WHAT = "destination"
#: Of a flow that nobody can say what it was.
UNKNOWN: Final = "neither the state nor an applied commit that Git has here says what it was"
#: What a destination says where a run of the flow has begun meanwhile.
_ANOTHER_RUN: Final = "SYN680"


def held_flows(former: Former, today: dt.date) -> dict[ObjectKey, str]:
    """The tenant's flows that a legal hold covers, or that share a table with one that it does, and why."""
    holds = tenant_spec(former.applied.desired, former.tenant).holds
    reasons: dict[ObjectKey, str] = {}
    for key in former.flows:
        for hold in holds:
            if hold.covers(f"{key.kind}/{key.base}", today):
                end = f", until {hold.until}" if hold.until else ""
                reasons[key] = f"{hold.reason} ({hold.owner}{end})"
    shared = {
        key: next((why for other, why in reasons.items() if _share(former.flow(key), former.flow(other))), "")
        for key in former.flows
        if key not in reasons
    }
    return reasons | {key: why for key, why in shared.items() if why}


def leave(facilities: Facilities, former: Former, key: ObjectKey, *, give_up: bool = False) -> LeavingStep:
    """
    Takes away what there is of a flow at its destination; what keeps it from that is told, and tried again later.

    The table is dropped where the flow's declaration said `deletion: delete` and a flow made it. Else its rows stay,
    and all that is kept beside them goes, but for what is of a flow that still writes there. With `give_up` what fails
    is left as it is, unless it only has to be waited for.
    """
    item = former.flow(key)
    if item is None:
        message = f"SYN862 {UNKNOWN}: what it wrote, and where, isn't known"
        return LeavingStep(WHAT, str(key), "left" if give_up else "failed", message=message)
    try:
        said = _left(facilities, former, key, item)
    except SynclineError as error:
        busy = isinstance(error, Waiting) or error.code == _ANOTHER_RUN
        state: StepState = "left" if give_up and not busy else "failed"
        return LeavingStep(WHAT, str(key), state, message=f"{error.code} {error.told}")
    return LeavingStep(WHAT, str(key), "done", message=said)


def _left(facilities: Facilities, former: Former, key: ObjectKey, item: CompiledFlow) -> str:
    """What became of the rows that a flow wrote, as `key` calls it."""
    settings, store, flow = facilities.settings, facilities.store, item.flow
    name, stream = str(flow.key), flow.target.stream
    with store.lease(f"run/{flow.key}") as lease:
        opener = Opener(item, former.under(key), settings, resolver(settings, facilities.keep), facilities.keep)
        opener.ledgers = ledgers(facilities)
        with closing(opener.destination()) as destination:
            facilities.recorder.record(facilities.recorder.secret_uses(flow.key, opener.secrets.names))
            if offers(destination, Fencing):
                destination.fence(name, Fence(store.lineage, lease.token), anew=True)
            said = f"rows stay (deletion: {flow.spec.deletion})"
            shared = _still_written(facilities, item, destination)
            if shared:
                said = "rows stay, since another flow writes them"
            elif (
                flow.spec.deletion == "delete"
                and offers(destination, Owning)
                and not _kept_by_another(former, key, item)
            ):
                gone = destination.drop(stream, name) or (key == flow.key and dropped(store, flow.key))
                there = destination.owner(stream).there
                stays = "rows stay, since no flow made the table" if there else "the table wasn't there to be dropped"
                said = "the table is gone" if gone else stays
                if offers(destination, Fencing):  # dropping took it from everybody
                    destination.fence(name, Fence(store.lineage, lease.token), anew=True)
            if offers(destination, Leaving):
                destination.leave(stream, name, shared=shared)
            return said


def _share(one: CompiledFlow | None, other: CompiledFlow | None) -> bool:
    """Whether two flows wrote to one table; of one that isn't known any more, nothing is."""
    return one is not None and other is not None and one_table(one.flow, other.flow)


def _still_written(facilities: Facilities, item: CompiledFlow, destination: Destination) -> bool:
    """Whether a flow that is applied, of whatever tenant, writes to the same table, or has written to it."""
    applied = [other.flow for other in read_applied(facilities.store).flows.values()]
    return writer_there(applied, item.flow, destination) is not None or any(
        one_table(other, item.flow) for other in applied
    )


def _kept_by_another(former: Former, key: ObjectKey, item: CompiledFlow) -> bool:
    """Whether a flow with `deletion: retain` writes to the same table."""
    others = [found.flow for other in former.flows if other != key and (found := former.flow(other))]
    return any(other.spec.deletion != "delete" and one_table(other, item.flow) for other in others)
