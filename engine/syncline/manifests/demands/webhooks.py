"""What an integration that declares webhooks demands of its connector, and a connector of its own streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.manifests.text import nearest
from syncline.model.diagnostic import Diagnostic, Related

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest


def webhooks_of(manifest: Manifest | None) -> bool:
    """Whether an object declares webhooks at its system."""
    return manifest is not None and isinstance(manifest.spec, IntegrationSpec) and bool(manifest.spec.webhooks)


def check_webhooks(desired: Desired) -> list[Diagnostic]:
    """
    Findings of integrations whose connector registers no webhooks, and of connectors without the stream (SYN790); and
    of webhooks that are declared twice at one account (SYN725).
    """
    found = [f for manifest in desired.of_kind("Connector") for f in _connector(manifest)]
    found += [f for manifest in desired.of_kind("Integration") for f in _integration(desired, manifest)]
    return found + list(_twice(desired))


def _connector(manifest: Manifest) -> Iterator[Diagnostic]:
    spec = manifest.spec
    if not isinstance(spec, ConnectorSpec) or spec.webhooks is None or spec.webhooks.stream in spec.streams:
        return
    yield Diagnostic(
        code="SYN790",
        message=f"there is no stream {spec.webhooks.stream!r} that could list the webhooks",
        place=manifest.place_of("spec", "webhooks", "stream"),
        subject=str(manifest.key),
        suggestion=nearest(spec.webhooks.stream, spec.streams) or "",
    )


def _integration(desired: Desired, manifest: Manifest) -> Iterator[Diagnostic]:
    spec, side = manifest.spec, side_of(desired, manifest, "")
    if not isinstance(spec, IntegrationSpec) or not spec.webhooks or side is None:
        return
    connector = side.connector.spec
    if not isinstance(connector, ConnectorSpec) or connector.webhooks is None:
        yield Diagnostic(
            code="SYN790",
            message=f"{side.connector.key.base} registers no webhooks",
            place=manifest.place_of("spec", "webhooks"),
            subject=str(manifest.key),
            help="Declare `webhooks` in the connector, or leave them out here.",
        )


def _twice(desired: Desired) -> Iterator[Diagnostic]:
    """
    Webhooks to one URL at one account: all would come twice or be refused, and one could be taken for the other.

    Of one tenant only: what the same reference to a secret gives may be another account for each.
    """
    first: dict[tuple[str, str], tuple[Manifest, str]] = {}
    for manifest in filter(webhooks_of, desired.of_kind("Integration")):
        spec, account = manifest.spec, _account(desired, manifest)
        if account is None or not isinstance(spec, IntegrationSpec):
            continue
        for name, webhook in spec.webhooks.items():
            other, named = first.setdefault((account, webhook.url), (manifest, name))
            if (other, named) == (manifest, name):
                continue
            whose = "" if other is manifest else f" of {other.key}"
            yield Diagnostic(
                code="SYN725",
                message=f"the webhook {named!r}{whose} is sent to {webhook.url} from the same account",
                place=manifest.place_of("spec", "webhooks", name, "url"),
                subject=str(manifest.key),
                help="Declare it once, with the events of both, or give each a URL of its own.",
                related=(Related(other.place_of("spec", "webhooks", named, "url"), f"{named!r} is declared here"),),
            )


def _account(desired: Desired, manifest: Manifest) -> str | None:
    """What tells an integration's account from others, as far as it is declared; None where that is too little."""
    spec, side = manifest.spec, side_of(desired, manifest, "")
    if not isinstance(spec, IntegrationSpec) or side is None:
        return None
    auth = side.auth.spec.model_dump_json() if side.auth is not None else ""
    at = [endpoint.model_dump_json() for endpoint in spec.endpoints if endpoint.region in {"", side.region}]
    account, config = spec.limits.account or auth, sorted(spec.config.items())
    return f"{manifest.key.tenant} {side.connector.key.base} {at} {config} {account}"
