"""Notes when a credential is another than before, by a keyed digest: its age is known from this."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncline.kinds.base import SecretRef
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from syncline.executor.flows.instance import SecretUses
    from syncline.executor.services.facilities import Facilities
    from syncline.kinds.auth import Auth
    from syncline.model.key import ObjectKey
    from syncline.model.secret import Secret


def secrets_of(auth: Auth, secret: SecretUses) -> dict[str, Secret]:
    """The secrets of an AuthConfig, by the names of their fields: `password`, `values.pin`."""
    found: dict[str, Secret] = {}
    for name in type(auth).model_fields:
        match getattr(auth, name):
            case SecretRef() as ref:
                found[name] = secret(ref)
            case dict() as values:
                found |= {f"{name}.{key}": secret(ref) for key, ref in values.items() if isinstance(ref, SecretRef)}
            case _:
                pass
    return found


def note_credential(facilities: Facilities, key: ObjectKey, secrets: Mapping[str, Secret]) -> None:
    """Notes that an AuthConfig's secrets are these now. Their digest tells nothing without the tenant's key."""
    facilities.store.see_credential(key, digest_of(facilities, key, secrets), rfc3339())


def digest_of(facilities: Facilities, key: ObjectKey, secrets: Mapping[str, Secret]) -> str:
    """The digest of an AuthConfig's secrets that the state keeps of them."""
    text = json.dumps([[name, secrets[name].reveal()] for name in sorted(secrets)])
    return hmac.new(facilities.keys.credential_key(key.tenant), text.encode(), hashlib.sha256).hexdigest()
