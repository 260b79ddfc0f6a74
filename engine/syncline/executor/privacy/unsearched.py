"""Where a request about a person looks: the places that are searched, and those where a person may be and nobody can
look. A request names these, and somebody says what was done there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from syncline.executor.access.admission import tenant_spec
from syncline.executor.batches.holds import holds_over, told
from syncline.executor.privacy.retired import Closed, retired
from syncline.executor.privacy.subjects import Place, nobody_told, places_of
from syncline.planner.carried import carried
from syncline.planner.personal import personal_classes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey

_BY_HAND: Final = "acknowledge it once the person is erased there by hand"


class Unsearched(Struct, frozen=True):
    """A flow whose destination isn't searched for such persons, where that is, why, and which holds cover it."""

    key: ObjectKey
    to: str
    why: str
    held: str = ""


class Reach(Struct, frozen=True):
    """The places that are searched for such persons, and the flows that may have written some and aren't."""

    places: tuple[Place, ...]
    others: tuple[Unsearched, ...]


def reach(engine: Engine, tenant: str, kind: str, today: dt.date) -> Reach:
    """Where such persons of a tenant may be; `Invalid` (SYN842) where no flow tells them, retired ones included."""
    gone = sorted(retired(engine, tenant, kind), key=lambda one: one.key)
    places = (*places_of(engine.applied(), tenant, kind), *(one for one in gone if isinstance(one, Place)))
    if not places and not any(one.item is not None and kind in one.item.compiled.spec.subject for one in gone):
        raise nobody_told(engine.applied(), tenant, kind)
    closed = [*_undeclared(engine, tenant, kind), *(one for one in gone if isinstance(one, Closed))]
    return Reach(places, tuple(_told(engine, one, today) for one in sorted(closed, key=lambda one: one.key)))


def _told(engine: Engine, one: Closed, today: dt.date) -> Unsearched:
    """With the holds over it, and what is to be done."""
    applied = engine.applied()
    if one.item is not None:
        holds = list(holds_over(applied, one.item, engine.facilities.settings.root, today))
    else:
        name = f"{one.key.kind}/{one.key.base}"
        holds = [hold for hold in tenant_spec(applied.desired, one.key.tenant).holds if hold.covers(name, today)]
    return Unsearched(one.key, one.to, f"{one.why} {_BY_HAND}", "; ".join(map(told, holds)))


def _undeclared(engine: Engine, tenant: str, kind: str) -> Iterator[Closed]:
    """Flows that write personal data, by its class or by what their mapping reads, and don't say by which field."""
    flows = engine.applied().flows
    carries = carried(flows, tenant, kind, engine.facilities.settings.root)
    for key, item in flows.items():
        if key.tenant != tenant or kind in item.compiled.spec.subject:
            continue
        what = ", ".join(personal_classes(item))
        if not what and key in carries:
            what = f"personal data that it reads as, or from, {carries[key]}"
        if what:
            why = (
                f"it writes {what}, and its mapping {item.flow.mapping.key.name} doesn't say by which "
                f"field a {kind} is told: declare `subject` there, or"
            )
            yield Closed(key, item.flow.spec.to, why, item)
