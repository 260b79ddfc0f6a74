"""Keys that are lost, as people care for them: what went with them is told, and acknowledged before it goes on."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from syncline.executor.access.roles import Right, demand
from syncline.executor.batches.rejects import sealed_part
from syncline.executor.services.facilities import open_facilities
from syncline.model.event import Action
from syncline.secrets.keys.envelope import sealer_of
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.lost import find_lost, note_lost, set_aside
from syncline.secrets.keys.ring import SHARED, KeyRing
from syncline.state.open import open_store

if TYPE_CHECKING:
    from syncline.secrets.keys.lost import Lost
    from syncline.settings import Settings
    from syncline.state.store import StateStore

#: What of the state says how far flows into APIs are, and what they wrote there.
REMEMBERED: Final = frozenset({"positions of flows into APIs", "records remembered of APIs"})
REJECTS: Final = "batches of rejects"
SUPPRESSED: Final = "people who aren't to come back"


class Loss(Struct, frozen=True):
    """
    Places of key-encryption keys that are lost, tenants ('' for what is shared) whose data key is, and how much the
    state has of each that can't be read any more, by what it is. `aside` is where what is left of the keys lies now.
    """

    keks: tuple[str, ...]
    tenants: tuple[str, ...]
    unreadable: dict[str, dict[str, int]] = field(default_factory=dict)
    aside: str = ""

    @property
    def any_lost(self) -> bool:
        """Whether something is lost that nobody has acknowledged."""
        return bool(self.keks or self.tenants or self.unreadable)

    def has(self, what: Iterable[str]) -> bool:
        """Whether something of these can't be read any more."""
        return any(name in found for found in self.unreadable.values() for name in what)


def find_loss(settings: Settings, gone: Collection[str] = ()) -> Loss:
    """What is lost and not acknowledged; nothing is changed. `gone` as in `find_lost`."""
    where = Where(settings.keys, settings.environ)
    lost = find_lost(where, gone)
    with closing(open_store(settings.state_url)) as store:
        counts, _ = _unreadable(store, KeyRing.opened(where), where, _tenants(lost))
    for tenant in sorted({*counts, *_tenants(lost)}):
        demand(settings, tenant, Right.unseal)
    return Loss(lost.keks, _tenants(lost), counts)


def acknowledge(settings: Settings, gone: Collection[str] = ()) -> Loss:
    """
    Goes on without the keys that are lost: what they sealed counts as destroyed from now on, and what is new is sealed
    with new ones. The log tells of each tenant how much can't be read any more. Done again after a kill, it ends it.
    """
    loss, now = find_loss(settings, gone), dt.datetime.now(dt.UTC)
    if not loss.any_lost:
        return loss
    where = Where(settings.keys, settings.environ)
    aside = set_aside(where, find_lost(where, gone), now)
    with open_facilities(settings) as facilities:
        counts, ids = _unreadable(facilities.store, facilities.keys, where, loss.tenants)
        recorder = facilities.recorder
        for tenant in sorted({*counts, *loss.tenants}):
            told = [f"{what}: {count}" for what, count in sorted(counts.get(tenant, {}).items())]
            event = recorder.event(
                Action.key_destroy, tenant=tenant, purpose="data", kind="lost", owner=tenant, unreadable=told
            )
            recorder.record([event])
            note_lost(where, tenant, ids.get(tenant, ()), now)
    return Loss(loss.keks, loss.tenants, counts, str(aside or ""))


def _tenants(lost: Lost) -> tuple[str, ...]:
    return tuple("" if stem == SHARED else stem for stem in lost.data)


def _unreadable(
    store: StateStore, keys: KeyRing, where: Where, without: Collection[str]
) -> tuple[dict[str, dict[str, int]], dict[str, set[bytes]]]:
    """
    How much of what is sealed no key here opens, by tenant and what it is, and the IDs of the keys that sealed it.

    Where only rejects are, their keys went with a tenant's that was destroyed on purpose.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    ids: dict[str, set[bytes]] = defaultdict(set)
    known: dict[tuple[str, str, bytes], bool] = {}
    for what, tenant, name, whole in store.tenants().sealed():
        part, blob = sealed_part(name, whole)
        sealer = sealer_of(blob)
        place = (tenant, part, sealer)
        if sealer and place not in known:
            noted = (where.folder / "destroyed" / sealer.hex()).exists()
            known[place] = noted or (tenant not in without and keys.opening(tenant, part).knows(sealer))
        if sealer and not known[place]:
            counts[tenant][what] += 1
            ids[tenant].add(sealer)
    lost_here = {tenant for tenant, found in counts.items() if set(found) != {REJECTS} or tenant in without}
    return {tenant: dict(counts[tenant]) for tenant in lost_here}, {tenant: ids[tenant] for tenant in lost_here}
