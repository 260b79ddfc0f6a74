"""Transport: data and credentials cross networks encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from syncline.kinds.auth_type import offer_of
from syncline.kinds.base import camel
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.manifests.locations import filled, servers, settings_of
from syncline.model.diagnostic import Place, Related, Severity
from syncline.model.hosts import is_local
from syncline.model.manifest import Manifest
from syncline.policy.rule import Rule, Subjects, Violation


def _plain_host(url: str) -> str:
    """The other machine that a URL reaches without TLS; '' when it is encrypted or no URL."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return ""
    return host if parts.scheme == "http" and not is_local(host) else ""


def _urls(manifest: Manifest, spec: IntegrationSpec, connector: Manifest | None) -> Iterator[tuple[str, Place]]:
    """Everything that an integration, or its connector for it, says to reach over HTTP."""
    for index, endpoint in enumerate(spec.endpoints):
        yield endpoint.url, manifest.place_of("spec", "endpoints", index, "url")
    for name, value in spec.config.items():
        if isinstance(value, str):
            yield value, manifest.place_of("spec", "config", name)
    if connector is None or not isinstance(connector.spec, ConnectorSpec):
        return
    http = connector.spec.http
    if http is not None and not spec.endpoints:
        yield filled(http.url, settings_of(spec, connector.spec)), connector.place_of("spec", "http", "url")


def _auth_urls(auth: Manifest | None, spec: IntegrationSpec, connector: Manifest | None) -> Iterator[tuple[str, Place]]:
    """Where an AuthConfig, or its connector for it, says that credentials are sent and tokens are got."""
    if auth is None or connector is None or not isinstance(connector.spec, ConnectorSpec):
        return
    from syncline.kinds.auth import AuthConfigSpec, urls_of

    assert isinstance(auth.spec, AuthConfigSpec)
    declared, offers = auth.spec.root, connector.spec.auth
    for name, url in urls_of(declared, offer_of(offers, declared.type)).items():
        own = name in declared.model_fields_set
        place = auth.place_of("spec", camel(name)) if own else connector.place_of("spec", "auth")
        yield filled(url, settings_of(spec, connector.spec)), place


def _violation(manifest: Manifest, host: str, place: Place, expected: str, severity: Severity) -> Violation:
    may = "may reach" if severity is Severity.warning else "reaches"
    return Violation(
        rule="transport",
        code="SYN505",
        subject=manifest.key,
        message=f"integration {manifest.key.name} {may} {host} without TLS",
        place=place,
        related=() if place.file == manifest.place.file else (Related(manifest.place, "the integration"),),
        expected=expected,
        help="Use the encrypted address of the system.",
        severity=severity,
    )


def _database(manifest: Manifest, spec: IntegrationSpec, connector: ConnectorSpec) -> Iterator[Violation]:
    settings = settings_of(spec, connector)
    url = settings.get("url")
    if connector.runtime != "sql" or not isinstance(url, str):
        return
    if url.startswith("mariadb:"):
        # Over TLS to other machines, unless somebody has said otherwise.
        host = next((host for host, _ in servers(url)), "")
        if settings.get("tls") == "off" and not is_local(host):
            yield _violation(manifest, host, manifest.place_of("spec", "config", "tls"), "tls: verify", Severity.error)
        return
    if spec.tls.model_fields_set:  # which asks for verify-full
        return
    other = next((host for host, _ in servers(url) if not is_local(host)), "")
    mode = (parse_qs(urlsplit(url).query).get("sslmode") or [""])[-1] if other else ""
    if mode and mode not in {"require", "verify-ca", "verify-full"}:  # without one, verify-full is asked
        severity = Severity.error if mode in {"disable", "allow"} else Severity.warning
        place = manifest.place_of("spec", "config", "url")
        yield _violation(manifest, other, place, "?sslmode=verify-full", severity)


def _webhooks(subjects: Subjects) -> Iterator[Violation]:
    for manifest in subjects.desired.of_kind("Subscription"):
        from syncline.kinds.subscription import SubscriptionSpec

        spec = manifest.spec
        if isinstance(spec, SubscriptionSpec) and spec.do.webhook and (host := _plain_host(spec.do.webhook.url)):
            yield Violation(
                rule="transport",
                code="SYN505",
                subject=manifest.key,
                message=f"subscription {manifest.key.name} reaches {host} without TLS",
                place=manifest.place_of("spec", "do", "webhook", "url"),
                expected="https://",
                help="Use the encrypted address of the receiver.",
            )


def _mail(manifest: Manifest, spec: IntegrationSpec, connector: ConnectorSpec) -> Iterator[Violation]:
    settings = settings_of(spec, connector)
    host = str(settings.get("host", ""))
    if connector.runtime == "smtp" and settings.get("tls") == "none" and not is_local(host):
        yield _violation(manifest, host, manifest.place_of("spec", "config", "tls"), "starttls", Severity.error)


def check(subjects: Subjects) -> Iterator[Violation]:
    """What is on another machine and reached without TLS: by HTTP, webhooks included, or the protocol of a database."""
    yield from _webhooks(subjects)
    for manifest in subjects.desired.of_kind("Integration"):
        spec = manifest.spec
        assert isinstance(spec, IntegrationSpec)
        connector = subjects.desired.find(manifest.key.tenant, "Connector", *connector_name(spec.connector))
        found: dict[str, Place] = {}
        auth = subjects.desired.find(manifest.key.tenant, "AuthConfig", spec.auth) if spec.auth else None
        for url, place in (*_urls(manifest, spec, connector), *_auth_urls(auth, spec, connector)):
            if host := _plain_host(url):
                found.setdefault(host, place)
        for host, place in found.items():
            yield _violation(manifest, host, place, "https://", Severity.error)
        if connector is not None and isinstance(connector.spec, ConnectorSpec):
            yield from _mail(manifest, spec, connector.spec)
            yield from _database(manifest, spec, connector.spec)


RULE = Rule("transport", "SYN505", "Systems on other machines are reached over TLS.", check)
