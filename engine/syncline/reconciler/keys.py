"""Keys at rest, as people care for them: what there is, rotation, destruction; each with evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.access.roles import Right, demand, hidden
from syncline.executor.services.facilities import open_facilities
from syncline.model.event import Action
from syncline.secrets.keys import ring_file
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import Rotated, rotate
from syncline.secrets.keys.ring import KeyRing

if TYPE_CHECKING:
    from syncline.secrets.keys.ring_file import Entry
    from syncline.settings import Settings


class DataKey(Struct, frozen=True):
    """A tenant's data key ('' for what is shared), and the ID of the key that wraps it."""

    tenant: str
    kek: str


class Keys(Struct, frozen=True):
    """What is in a folder of keys, without values. Several key-encryption keys: a rotation isn't finished."""

    keks: tuple[Entry, ...]
    data: tuple[DataKey, ...]

    @property
    def in_files(self) -> bool:
        """Whether a copy of the folder may have all that it takes to open what the folder opens."""
        return any(kek.place.startswith("file:") for kek in self.keks)


def list_keys(settings: Settings) -> Keys:
    """What there is. Nothing is unwrapped, and nothing is made."""
    if not ring_file.read(settings.keys):
        return Keys((), ())
    ring = KeyRing(Where(settings.keys, settings.environ))
    unseen = hidden(settings)
    data = tuple(DataKey(tenant, kek) for tenant, kek in ring.tenants() if tenant not in unseen)
    return Keys(ring_file.read(settings.keys), data)


def rotate_keys(settings: Settings, to: str) -> Rotated:
    """A new key-encryption key takes over, as `rewrap.rotate` says; the log tells when it began and ended."""
    with open_facilities(settings) as facilities:
        recorder = facilities.recorder
        recorder.record([recorder.event(Action.key_rotate, purpose="kek", phase="begin", to=to)])
        where = Where(settings.keys, settings.environ)
        done = rotate(where, to)
        if done.former.partition(":")[0] != done.entry.place.partition(":")[0]:
            ring = KeyRing.opened(where)  # what covers parts goes along
            for tenant, _ in list(ring.tenants()):
                ring.renew_parts(tenant)
        recorder.record(
            [
                recorder.event(
                    Action.key_rotate,
                    purpose="kek",
                    phase="end",
                    kek=done.entry.id,
                    place=done.entry.place,
                    former=done.former,
                    keys=done.count,
                )
            ]
        )
        return done


def destroy_key(settings: Settings, tenant: str) -> bool:
    """Destroys a tenant's data key for good; whether there was one. The log names the tenant."""
    demand(settings, tenant, Right.unseal)
    with open_facilities(settings) as facilities:
        if not facilities.keys.exists(tenant):
            return False
        recorder = facilities.recorder
        recorder.record([recorder.event(Action.key_destroy, purpose="data", kind="tenant", owner=tenant)])
        return facilities.keys.destroy(tenant)
