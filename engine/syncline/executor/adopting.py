"""The first run of a flow into a table that is there already: it is left alone, unless it is to be adopted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.model.errors import Denied
from syncline.sdk.offers import offers
from syncline.sdk.table_owner import Owning

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.planner.compiled import Flows
    from syncline.sdk.destination import Destination
    from syncline.sdk.table_owner import TableOwner
    from syncline.state.store import StateReader

#: Runs of a flow that are looked at for one that wrote.
_LOOKED_AT = 20


def take_over(destination: Destination, flow: Flow, flows: Flows, reader: StateReader) -> None:
    """Makes the table of a flow that has no position yet ours; `Denied` (SYN751) where it is somebody else's."""
    if not offers(destination, Owning):
        return
    stream = flow.target.stream
    found = destination.owner(stream)
    if found.foreign and flow.spec.existing == "refuse" and not written(found, flow, flows, reader):
        raise Denied(
            f"the table {flow.spec.to} is there with {found.rows:,} rows, and no flow of ours made it",
            code="SYN751",
            help=f"Set existing: adopt for {flow.key} to write to it all the same, or write to another table.",
        )
    if found.there and not found.ours:  # one that is made is written down as it is made
        destination.adopt(stream, str(flow.key))


def written(found: TableOwner, flow: Flow, flows: Flows, reader: StateReader) -> bool:
    """Whether the state knows of a run that wrote to the table, where the destination can't tell."""
    if found.known:
        return False
    side = flow.target
    keys = {flow.key}
    for key, item in flows.items():
        other = item.flow.target
        if (other.integration.key, other.stream) == (side.integration.key, side.stream):
            keys.add(key)
    return any(run.counts.written for key in sorted(keys) for run in reader.runs(key, _LOOKED_AT))
