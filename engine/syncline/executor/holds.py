"""Legal holds: which of them cover what a flow wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.executor.admission import tenant_spec
from syncline.policy.locations import table_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.executor.applied import Applied
    from syncline.kinds.tenant import Hold
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow


def writers_of(applied: Applied, item: CompiledFlow, root: Path) -> list[ObjectKey]:
    """The flows that write to the table of a flow, in order, itself included."""
    table = table_of(item.flow, root)
    return sorted({item.flow.key, *(key for key, one in applied.flows.items() if table_of(one.flow, root) == table)})


def holds_over(
    applied: Applied, item: CompiledFlow, root: Path, today: dt.date, *, reading: bool = False
) -> Iterator[Hold]:
    """The holds over a flow, and over others that write to the same table; or that are `reading` the same stream."""
    key, flows = item.flow.key, applied.flows.items()
    if reading:
        read = item.flow.spec.source
        sharing = [other for other, one in flows if other.tenant == key.tenant and one.flow.spec.source == read]
    else:
        sharing = writers_of(applied, item, root)
    for hold in tenant_spec(applied.desired, key.tenant).holds:
        if any(hold.covers(f"{other.kind}/{other.name}", today) for other in (key, *sharing)):
            yield hold


def told(hold: Hold) -> str:
    """A hold for people."""
    end = f", until {hold.until}" if hold.until else ""
    return f"{hold.reason} ({hold.owner}{end})"
