"""What the change of a subscription does to the outside: which hosts are told of things from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syncline.kinds.subscription import SubscriptionSpec
from syncline.manifests.flow import Side, side_of
from syncline.model.change import Effect, EffectKind
from syncline.planner.flow_effects import hosts

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest


def told_hosts(desired: Desired) -> frozenset[str]:
    """Hosts that subscriptions contact."""
    return frozenset(h for manifest in desired.of_kind("Subscription") for h in _hosts(desired, manifest))


def subscription_effects(
    desired: Desired, changed: Mapping[ObjectKey, int], known: frozenset[str]
) -> Iterator[tuple[int, Effect]]:
    """
    Effects of the subscriptions that are declared, each with the position of the change that causes it: of itself, or
    of what carries its messages. `known` are the hosts that are contacted already.
    """
    for manifest in sorted(desired.of_kind("Subscription"), key=lambda m: m.key):
        causes = [manifest.key, *_carriers(_side(desired, manifest))]
        cause = next((changed[key] for key in causes if key in changed), None)
        if cause is None:
            continue
        for host in sorted(_hosts(desired, manifest) - known):
            by = f"{manifest.key.kind}/{manifest.key.name}"
            what = f"{host} is newly contacted, by {by}: told of what happens, not of data"
            yield cause, Effect(EffectKind.host_contacted, host, what)


def _side(desired: Desired, manifest: Manifest) -> Side | None:
    """The integration that carries a subscription's messages; None for a webhook."""
    spec = manifest.spec
    if not isinstance(spec, SubscriptionSpec) or spec.do.notify is None:
        return None
    integration = desired.find(manifest.key.tenant, "Integration", spec.do.notify.integration)
    return side_of(desired, integration, "") if integration is not None else None


def _carriers(side: Side | None) -> Iterator[ObjectKey]:
    if side is not None:
        yield from (side.integration.key, side.connector.key)
        if side.auth is not None:
            yield side.auth.key


def _hosts(desired: Desired, manifest: Manifest) -> frozenset[str]:
    spec, side = manifest.spec, _side(desired, manifest)
    if side is not None:
        return frozenset(hosts(side))
    if isinstance(spec, SubscriptionSpec) and spec.do.webhook is not None:
        return frozenset(filter(None, [urlsplit(spec.do.webhook.url).hostname]))
    return frozenset()
