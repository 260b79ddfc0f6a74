"""The systems at which an integration has registered webhooks: the one that it leads to, and those that it did before.

Its URL, or what else its requests are made of, may be changed while webhooks are registered. Their ids mean something
only at the system that gave them, so that the state keeps for each where it was registered, and how that is reached:
manifests as they were then, and a keyed digest of the credentials. Where these were replaced since, the system isn't
asked: they may be another's now.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from syncline.connectors.registry import runtime
from syncline.executor.drift.webhook_steps import Kept, known_as_ours
from syncline.executor.flows.instance import SecretUses, instance_of
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.manifests.load import from_document, to_document
from syncline.manifests.resolve import desired_of
from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.planner.flow_effects import hosts
from syncline.sdk.webhooks import Wanted

if TYPE_CHECKING:
    from syncline.executor.services.facilities import Facilities
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.sdk.source import Instance
    from syncline.sdk.webhooks import Webhook, Webhooks

#: Between the name of a webhook and the host of a former system that it is at; in no declared name.
_AT = "@"


class System(Struct, frozen=True):
    """
    Where webhooks are registered: its host, for people, the manifests by which it is reached, and a keyed digest of the
    credentials that it was reached with.
    """

    host: str
    documents: tuple[str, ...]
    credentials: str


class Nowhere:
    """What an integration leads to whose connector registers no webhooks."""

    def place(self) -> str:
        return ""

    def there(self) -> tuple[Webhook, ...]:
        return ()

    def register(self, wanted: Wanted) -> None:
        del wanted

    def delete(self, id: str) -> None:  # noqa: A002 - the field's word
        del id

    def close(self) -> None:
        pass


def systems(text: str | None) -> dict[str, System]:
    """The systems that the state knows of an integration, by what `Kept.at` has; nothing where nobody can read it."""
    try:
        found = json.loads(text or "{}").get("systems", {})
        return {at: System(one["host"], tuple(one["documents"]), one["credentials"]) for at, one in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def dumped(kept: Mapping[str, Kept], known: Mapping[str, System]) -> str:
    """What `registered` and `systems` read; of the systems, those that something is still registered at."""
    at = {one.at for one in kept.values()}
    return json.dumps(
        {
            "webhooks": {name: to_builtins(one) for name, one in sorted(kept.items())},
            "systems": {place: to_builtins(system) for place, system in sorted(known.items()) if place in at},
        },
        sort_keys=True,
    )


def keyed(key: bytes, value: object) -> str:
    """A digest of a value, JSON, that tells nothing without the tenant's key."""
    return hmac.new(key, json.dumps(value).encode(), hashlib.sha256).hexdigest()


def place_of(side: Side, webhooks: Webhooks) -> str:
    """What `Kept.at` has of the system that is open: it has no secret in it, and stays what it is under another key."""
    return hashlib.sha256(json.dumps([side.connector.key.base, webhooks.place()]).encode()).hexdigest()


def system_of(side: Side, desired: Desired, instance: Instance, key: bytes) -> System:
    """The system that an integration leads to now, as it is kept."""
    manifests = [side.integration, side.connector, *([side.auth] if side.auth is not None else [])]
    own = [manifest for manifest in manifests if manifest.key in desired.objects]  # others are shipped with us
    return System(", ".join(hosts(side)), tuple(map(to_document, own)), _credentials(instance, key))


def named(kept: Mapping[str, Kept], known: Mapping[str, System], here: str) -> dict[str, Kept]:
    """
    What is kept, where those that are registered `here` have their names, and others the system's besides: `push@host`.

    One that is at a former system makes room for the one that is to be registered here; after a change that was taken
    back, it has its own name again.
    """
    found: dict[str, Kept] = {}
    for name, one in kept.items():
        if one.at in {"", here}:
            own = name_of(name) if name_of(name) not in kept or kept[name_of(name)].at not in {"", here} else name
            found[own] = one
    for name, one in kept.items():
        if one.at not in {"", here}:
            host = known[one.at].host if one.at in known else one.at[:8]
            wanted, number = f"{name_of(name)}{_AT}{host}", 1
            while wanted in found:
                number += 1
                wanted = f"{name_of(name)}{_AT}{host}#{number}"
            found[wanted] = one
    return found


def name_of(name: str) -> str:
    """The declared name of a webhook, wherever it is registered."""
    return name.partition(_AT)[0]


@contextmanager
def former_system(
    facilities: Facilities, desired: Desired, key: ObjectKey, system: System, uses: SecretUses
) -> Iterator[tuple[Webhooks, Mapping[str, Wanted]]]:
    """
    The webhooks of a system as an integration reached it, within what its tenant may reach today, and those that it
    declared there. `Stalled` (SYN726) where it can't be reached as it was.
    """
    owner = desired.find("", "Tenant", key.tenant) if key.tenant else None
    then = [from_document(text) for text in system.documents]
    at = desired_of([*then, *([owner] if owner is not None else [])])
    manifest = next((one for one in then if isinstance(one.spec, IntegrationSpec)), None)
    side = side_of(at, manifest, "") if manifest is not None else None
    opens = runtime(side.runtime).open_webhooks if side is not None else None
    if manifest is None or side is None or opens is None or not isinstance(manifest.spec, IntegrationSpec):
        raise _unreachable(f"how {system.host} was reached can't be read any more")
    instance = instance_of(side, at, facilities.settings, uses, uncounted, facilities.keep)
    if not hmac.compare_digest(_credentials(instance, facilities.keys.credential_key(key.tenant)), system.credentials):
        raise _unreachable(f"the credentials that {system.host} was reached with were replaced, and may be another's")
    wanted = {name: Wanted(name, one.url, one.events) for name, one in manifest.spec.webhooks.items()}
    with closing(opens(instance)) as webhooks:
        yield webhooks, wanted


def ours_at(
    name: str,
    kept: Mapping[str, Kept],
    wanted: Mapping[str, Wanted],
    there: tuple[Webhook, ...],
    key: bytes,
) -> Webhook | None:
    """The webhook of a former system that is ours, by its id and where it is sent; None where none is known to be."""
    known = kept[name]
    others = {one.id for other, one in kept.items() if other != name and one.at == known.at}
    return known_as_ours(known, wanted.get(name_of(name)), there, others, lambda value: keyed(key, value))


def _credentials(instance: Instance, key: bytes) -> str:
    secrets = {name: value.reveal() for name, value in instance.credentials.secrets.items()}
    config = {name: value.reveal() for name, value in instance.config.items() if isinstance(value, Secret)}
    return keyed(key, ["credentials", instance.credentials.type, sorted(secrets.items()), sorted(config.items())])


def _unreachable(why: str) -> Stalled:
    return Stalled(why, code="SYN726", help="Delete the webhook at that system by hand.")


def uncounted(name: str, value: float) -> None:
    """Metrics belong to runs."""
    del name, value
