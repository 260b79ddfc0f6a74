"""Legal holds: which of them cover what a flow wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from syncline.executor.access.admission import tenant_spec
from syncline.kinds.tenant import Hold
from syncline.manifests.locations import table_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.executor.flows.applied import Applied
    from syncline.manifests.flow import Flow
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow

#: A hold of another tenant, as it is told.
_ANOTHERS: Final = Hold(flows=("*",), reason="a legal hold of another tenant", owner="who operates Syncline knows")


def writers_of(applied: Applied, item: CompiledFlow, root: Path) -> list[ObjectKey]:
    """The flows of its tenant that write to the table of a flow, in order, itself included."""
    table = table_of(item.flow, root)
    return sorted({item.flow.key, *(key for key, one in applied.flows.items() if table_of(one.flow, root) == table)})


def holds_over(
    applied: Applied, item: CompiledFlow, root: Path, today: dt.date, *, reading: bool = False
) -> Iterator[Hold]:
    """
    The holds over a flow, and over others that write to the same table; or that are `reading` the same stream.

    Flows of all tenants count: what is held for one isn't deleted for another. Of such a hold only that it is there
    may be told.
    """
    place = _read if reading else partial(_written, root=root)
    own, here = item.flow.key, place(item.flow)
    sharing = {own, *(key for key, one in applied.flows.items() if place(one.flow) == here)}
    for tenant in sorted({key.tenant for key in sharing}, key=lambda name: (name != own.tenant, name)):
        names = [f"{key.kind}/{key.name}" for key in sharing if key.tenant == tenant]
        for hold in tenant_spec(applied.desired, tenant).holds:
            if any(hold.covers(name, today) for name in names):
                yield hold if tenant == own.tenant else _ANOTHERS


def _read(flow: Flow) -> object:
    return flow.source.integration.key, flow.source.stream


def _written(flow: Flow, root: Path) -> object:
    return table_of(flow, root)[1:]  # without the tenant


def told(hold: Hold) -> str:
    """A hold for people."""
    end = f", until {hold.until}" if hold.until else ""
    return f"{hold.reason} ({hold.owner}{end})"
