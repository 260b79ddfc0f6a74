"""What the change of an integration's webhooks does to the outside: what its system sends where from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.model.change import Effect, EffectKind
from syncline.planner.flow_effects import hosts

if TYPE_CHECKING:
    from syncline.kinds.webhooks import RemoteWebhook
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey


def webhook_effects(
    desired: Desired, former: Desired | None, changed: Mapping[ObjectKey, int], known: frozenset[str]
) -> Iterator[tuple[int, Effect]]:
    """
    Effects of webhooks that are declared and weren't so before, each with the position of the change that causes it.
    `known` are the hosts that are contacted already.
    """
    for manifest in desired.of_kind("Integration"):
        cause = changed.get(manifest.key)
        declared, before = _webhooks(desired, manifest.key), _webhooks(former, manifest.key)
        side = side_of(desired, manifest, "") if declared and cause is not None else None
        if cause is None or side is None:
            continue
        by = f"Integration/{manifest.key.name}"
        if not before:
            for host in sorted(frozenset(hosts(side)) - known):
                what = f"{host} is newly contacted, by {by}: to register webhooks"
                yield cause, Effect(EffectKind.host_contacted, host, what)
        for name, webhook in sorted(declared.items()):
            old = before.get(name)
            if old is not None and (old.url, old.events) == (webhook.url, webhook.events):
                continue
            host = urlsplit(webhook.url).hostname or "?"
            what = f"{host} is sent {', '.join(webhook.events) or 'events'} by the system of {by}: webhook {name}"
            yield cause, Effect(EffectKind.host_contacted, host, what)


def _webhooks(desired: Desired | None, key: ObjectKey) -> Mapping[str, RemoteWebhook]:
    manifest = desired.objects.get(key) if desired is not None else None
    return manifest.spec.webhooks if manifest is not None and isinstance(manifest.spec, IntegrationSpec) else {}
