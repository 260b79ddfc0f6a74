"""The way from a subscription to a notifier, and from a message to what it says there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from syncline.connectors.registry import runtime
from syncline.executor.flows.instance import SecretUses, instance_of, network_of
from syncline.executor.services.proxies import proxies_of
from syncline.manifests.flow import side_of
from syncline.model.errors import Invalid
from syncline.notify import texts
from syncline.notify.webhook import MAX_ANSWER, WebhookNotifier
from syncline.sdk.clients import Clients
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import HttpTransport, Tls
from syncline.sdk.http.authorities import read_authorities
from syncline.sdk.notice import Notice, Notifier
from syncline.sdk.template import compile_template

if TYPE_CHECKING:
    from syncline.executor.flows.instance import Resolve
    from syncline.kinds.subscription import Notify, SubscriptionSpec, Webhook
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.outbox import Message
    from syncline.sdk.keep import Keep
    from syncline.settings import Settings


#: Most characters of a title: what the narrowest of the systems takes.
LONGEST_TITLE: Final = 1_000


class Channel(Struct, frozen=True):
    """An open way: its notifier, and the names of the secrets that it uses."""

    notifier: Notifier
    secrets: tuple[str, ...]


def open_channel(
    key: ObjectKey, spec: SubscriptionSpec, desired: Desired, settings: Settings, resolve: Resolve, keep: Keep | None
) -> Channel:
    """Opens a subscription's way. `Stalled` where a secret can't be read, `Invalid` where nothing can be sent."""
    uses = SecretUses(resolve, key.tenant)
    if spec.do.webhook is not None:
        notifier: Notifier = _webhook(key, spec.do.webhook, desired, settings, uses, keep)
    else:
        assert spec.do.notify is not None
        notifier = _integration(key, spec.do.notify, desired, settings, uses, keep)
    return Channel(notifier, tuple(uses.names))


def notice_of(message: Message, spec: SubscriptionSpec, ref: str, escape: Callable[[str], str]) -> Notice:
    """A message as it is sent: in the subscription's words, where it has some."""
    event, notify = _escaped(message.event, escape), spec.do.notify
    text = texts.default(message.phase, event)
    title, body = text.title, text.body
    if notify is not None and event["type"] in spec.on:
        variables = {"event": event, "title": title, "text": body}
        title = " ".join(_rendered(notify.title, variables, title).split())[:LONGEST_TITLE]
        body = _rendered(notify.message, variables, body)
    return Notice(
        message.id,
        message.phase,
        title,
        body,
        message.event,
        subject=texts.subject(message.event, title)[:LONGEST_TITLE],
        channel=notify.channel if notify is not None else "",
        thread=message.thread,
        ref=ref,
    )


def _escaped(value: Any, escape: Callable[[str], str]) -> Any:
    match value:
        case str():
            return escape(value)
        case dict():
            return {name: _escaped(inner, escape) for name, inner in value.items()}
        case list() | tuple():
            return [_escaped(inner, escape) for inner in value]
        case _:
            return value


def _rendered(template: str | None, variables: Mapping[str, Any], default: str) -> str:
    """A text of the subscription; where it can't be filled, what is said otherwise: better that than nothing."""
    if template is None:
        return default
    try:
        return compile_template(template).render(variables)
    except Invalid:
        return default


def _webhook(
    key: ObjectKey, spec: Webhook, desired: Desired, settings: Settings, uses: SecretUses, keep: Keep | None
) -> WebhookNotifier:
    clock = SystemClock()
    clients = keep.shared(Clients) if keep is not None else None
    keys = [uses(ref) for ref in (spec.secret, spec.previous_secret) if ref is not None]
    proxies = proxies_of(None, settings, uses)
    network = network_of(f"{key.tenant or '-'}/webhook", desired, settings, key.tenant, proxies)
    transport = HttpTransport(
        clock,
        MAX_ANSWER,
        pool=clients.pool if clients else None,
        lookup=clients.lookup if clients else None,
        egress=network.egress.declaring([urlsplit(spec.url).hostname or ""]),
        tls=Tls(spec.tls.min, read_authorities(settings.root, spec.tls.ca, f"{key.name}: tls.ca"), pins=spec.tls.pins),
        proxies=network.proxies,
    )
    return WebhookNotifier(spec.url, keys, transport, clock)


def _integration(
    key: ObjectKey, spec: Notify, desired: Desired, settings: Settings, uses: SecretUses, keep: Keep | None
) -> Notifier:
    integration = desired.find(key.tenant, "Integration", spec.integration)
    side = side_of(desired, integration, "") if integration is not None else None
    opens = runtime(side.runtime).open_notifier if side is not None else None
    if side is None or opens is None:
        raise Invalid(
            f"integration {spec.integration} can't carry messages",
            code="SYN731",
            help="Use one of slack, pagerduty-events or smtp.",
        )
    return opens(instance_of(side, desired, settings, uses, _uncounted, keep))


def _uncounted(name: str, value: float) -> None:
    """Metrics belong to runs."""
    del name, value
