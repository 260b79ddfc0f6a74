"""Turning protected values back, with the key of their tenant, and evidence that somebody did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.executor.access.roles import Right, demand
from syncline.executor.services.facilities import open_facilities
from syncline.mapping.keyed import revealed
from syncline.model.errors import Invalid
from syncline.model.event import Action
from syncline.model.key import ObjectKey
from syncline.secrets.keys.ring import KeyRing

if TYPE_CHECKING:
    from syncline.settings import Settings


def reveal(settings: Settings, tenant: str, values: Sequence[str], form: str) -> tuple[str, ...]:
    """
    What a tenant's tokens, or texts that kept their format (`form`: token, digits or alphanumeric), were made of.

    That they were asked for, and how many, is recorded first. `Invalid` (SYN811) where one of them can't be turned back
    with the tenant's key, or the tenant has none.
    """
    demand(settings, tenant, Right.unseal)
    if not KeyRing.look(settings.keys, settings.environ).exists(tenant):
        raise Invalid(f"tenant {tenant!r} has no key", code="SYN811", help="Look at the name, and at SYNCLINE_HOME.")
    with open_facilities(settings) as facilities:
        recorder, key = facilities.recorder, ObjectKey.of_tenant(tenant)
        recorder.record([recorder.event(Action.value_reveal, key=key, values=len(values), form=form)])
        secret = facilities.keys.tenant_hash_key(tenant)
        try:
            return tuple(revealed(value, form, secret) for value in values)
        except ValueError as error:
            raise Invalid(f"a value can't be turned back: {error}", code="SYN811") from None
