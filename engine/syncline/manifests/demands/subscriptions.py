"""What a subscription demands beyond its own manifest: an integration that carries messages, and texts that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.tls import Tls
from syncline.manifests.flow import side_of
from syncline.manifests.text import nearest
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.notice import NOTICES
from syncline.sdk.template import Template, TemplateError, compile_template

if TYPE_CHECKING:
    from syncline.kinds.subscription import SubscriptionSpec
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest

#: Runtimes whose integrations all carry messages.
_CARRYING = frozenset({"smtp"})


def check_subscriptions(desired: Desired) -> list[Diagnostic]:
    """Findings of every subscription: SYN731 and SYN732 of messages through an integration, SYN914 of webhooks."""
    return [finding for manifest in desired.of_kind("Subscription") for finding in _findings(desired, manifest)]


def carriers(desired: Desired) -> frozenset[ObjectKey]:
    """The integrations that subscriptions send messages through."""
    found = set()
    for manifest in desired.of_kind("Subscription"):
        from syncline.kinds.subscription import SubscriptionSpec

        spec = manifest.spec
        if isinstance(spec, SubscriptionSpec) and spec.do.notify is not None:
            integration = desired.find(manifest.key.tenant, "Integration", spec.do.notify.integration)
            if integration is not None:
                found.add(integration.key)
    return frozenset(found)


def carries(side: Side) -> bool:
    """Whether messages can be sent through an integration."""
    connector = side.connector.spec
    return side.runtime in _CARRYING or (isinstance(connector, ConnectorSpec) and connector.notify is not None)


def _findings(desired: Desired, manifest: Manifest) -> Iterator[Diagnostic]:
    from syncline.kinds.subscription import SubscriptionSpec

    spec = manifest.spec
    if not isinstance(spec, SubscriptionSpec):
        return
    webhook = spec.do.webhook
    if webhook is not None and webhook.tls != Tls() and not webhook.url.startswith("https://"):
        yield Diagnostic(
            code="SYN914",
            message="`tls` is about a receiver that is spoken to over TLS, and this one isn't",
            place=manifest.place_of("spec", "do", "webhook", "tls"),
            subject=str(manifest.key),
            expected="https:// as its url",
        )
    if spec.do.notify is None:
        return
    path = ("spec", "do", "notify")
    integration = desired.find(manifest.key.tenant, "Integration", spec.do.notify.integration)
    side = side_of(desired, integration, "") if integration is not None else None
    if side is not None and not carries(side):
        yield Diagnostic(
            code="SYN731",
            message=f"{side.connector.key.base} can't carry messages",
            place=manifest.place_of(*path, "integration"),
            subject=str(manifest.key),
            help="Use an integration of slack, pagerduty-events or smtp, or declare `notify` in its connector.",
        )
    for field in ("title", "message"):
        text = getattr(spec.do.notify, field)
        if text is not None and (wrong := _unfit(text, spec)):
            yield Diagnostic(
                code="SYN732",
                message=f"the {field} {wrong}",
                place=manifest.place_of(*path, field),
                subject=str(manifest.key),
                expected="a template over event, title and text: {{ event.object }}",
                suggestion=_near(text, spec),
            )


def _unfit(text: str, spec: SubscriptionSpec) -> str:
    """What is wrong with a template, or ''."""
    try:
        template: Template = compile_template(text)
        for name in spec.on:
            if name in NOTICES:
                template.render({"event": dict(NOTICES[name]), "title": "", "text": ""})
    except TemplateError as error:
        return error.message.removeprefix("a template ")
    except Invalid as error:
        return f"can't be filled from {name}: {error.message.partition(': ')[2]}"
    return ""


def _near(text: str, spec: SubscriptionSpec) -> str:
    """A field for the first one that no event has."""
    try:
        paths = sorted(compile_template(text).paths)
    except TemplateError:
        return ""
    known = {f"event.{field}" for name in spec.on for field in NOTICES.get(name, ())} | {"event", "title", "text"}
    wrong = next((path for path in paths if path not in known), "")
    return nearest(wrong, sorted(known)) or "" if wrong else ""
