"""What an integration that declares webhooks demands of its connector, and a connector of its own streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.manifests.text import nearest
from syncline.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest


def webhooks_of(manifest: Manifest | None) -> bool:
    """Whether an object declares webhooks at its system."""
    return manifest is not None and isinstance(manifest.spec, IntegrationSpec) and bool(manifest.spec.webhooks)


def check_webhooks(desired: Desired) -> list[Diagnostic]:
    """Findings (SYN790) of integrations whose connector registers no webhooks, and of connectors without the stream."""
    found = [f for manifest in desired.of_kind("Connector") for f in _connector(manifest)]
    return found + [f for manifest in desired.of_kind("Integration") for f in _integration(desired, manifest)]


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
