"""Figures over all tenants of a month, out of which no tenant's own can be read.

A figure is a sum over tenants. It is told only where enough of them are in it (`k`), and where not even the second
largest, who knows its own, could tell the largest to within a tenth (the p% rule of statistical disclosure control).
What it divides into is told only where each part may be, so that no part follows from the others.

Only months that are over are told, and what was told of a month once is told again as it was: so two questions can't be
subtracted from each other, whatever ran, joined or left in between.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final

from msgspec import Struct, to_builtins

from syncline.executor.access.admission import tenant_spec
from syncline.executor.flows.applied import read_applied
from syncline.model.errors import Invalid
from syncline.state.open import is_made, open_store

if TYPE_CHECKING:
    from syncline.settings import Settings

#: What is counted, by its name for people.
COUNTERS: Final = {"runs": "runs", "failures": "errors", "read": "read", "written": "written", "seconds": "elapsed"}
#: How near the second largest may come to the largest: to no less than this share of it.
NEAR: Final = 0.1
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class Part(Struct, frozen=True):
    """What a tenant had of a counter, by flows of a kind."""

    tenant: str
    kind: str
    counter: str
    value: float


class Statistics(Struct, frozen=True):
    """Figures of a month: by counter, in total and by kind of flow. What isn't there isn't told."""

    month: str
    tenants: int | None
    totals: Mapping[str, float]
    kinds: Mapping[str, Mapping[str, float]]


def safe(values: Iterable[float], k: int) -> bool:
    """Whether a sum of what single tenants have may be told."""
    ordered = sorted((value for value in values if value > 0), reverse=True)
    if len(ordered) < k:
        return False
    largest, second, *others = ordered
    return sum(others) >= NEAR * largest and second > 0


def figures(month: str, parts: Iterable[Part], among: Mapping[str, int]) -> Statistics:
    """
    What may be told of a month. `among` has the tenants that are counted, and how many each wants to be among at least;
    the largest of these holds for all.
    """
    k = max(among.values(), default=0)
    whole: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    by_kind: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for part in parts:
        if part.tenant in among and part.value > 0:
            whole[part.counter][part.tenant] += part.value
            by_kind[part.counter][part.kind][part.tenant] += part.value
    told = {name: values for name, values in whole.items() if safe(values.values(), k)}
    divided = {
        name: kinds
        for name, kinds in by_kind.items()
        if name in told and len(kinds) > 1 and all(safe(values.values(), k) for values in kinds.values())
    }
    tenants = {tenant for values in whole.values() for tenant in values}
    return Statistics(
        month,
        len(tenants) if len(tenants) >= max(k, 1) else None,
        {name: sum(values.values()) for name, values in sorted(told.items())},
        {
            name: {kind: sum(values.values()) for kind, values in sorted(kinds.items())}
            for name, kinds in sorted(divided.items())
        },
    )


def statistics(settings: Settings, month: str, today: dt.date) -> Statistics:
    """Figures of a month that is over; `Invalid` (SYN866) for another. What was told before is told again."""
    first, following = _span(month)
    if today < following:
        raise Invalid(
            f"{month} isn't over",
            code="SYN866",
            help="Figures of part of a month would tell, by the next ones, what ran in between.",
        )
    if not is_made(settings.state_url):
        return figures(month, (), {})
    with closing(open_store(settings.state_url)) as store:
        book = store.statistics()
        if (known := book.told(month)) is not None:
            return Statistics(**json.loads(known))
        former = settings.home / "statistics" / f"{month}.json"  # where it was kept before
        if former.is_file():
            return Statistics(**json.loads(book.tell(month, former.read_text())))
        desired = read_applied(store).desired
        names = [manifest.key.name for manifest in desired.of_kind("Tenant")]
        specs = {name: tenant_spec(desired, name).statistics for name in names}
        among = {name: spec.among for name, spec in specs.items() if spec.join}
        named = {counter: name for name, counter in COUNTERS.items()}
        parts = [
            Part(tenant, kind, named[counter], value)
            for tenant, kind, counter, value in book.totals(f"{first}", f"{following}")
            if counter in named
        ]
        # Of two that ask at once, from whatever machines, the first tells for both.
        return Statistics(**json.loads(book.tell(month, json.dumps(to_builtins(figures(month, parts, among))))))


def last_month(today: dt.date) -> str:
    """The newest month that is over.

    >>> last_month(dt.date(2026, 1, 31))
    '2025-12'
    """
    return f"{today.replace(day=1) - dt.timedelta(days=1):%Y-%m}"


def _span(month: str) -> tuple[dt.date, dt.date]:
    found = _MONTH.fullmatch(month)
    if found is None:
        raise Invalid(f"{month!r} is no month", code="SYN866", help="Write it as 2026-11.")
    first = dt.date(int(found[1]), int(found[2]), 1)
    return first, (first + dt.timedelta(days=32)).replace(day=1)
