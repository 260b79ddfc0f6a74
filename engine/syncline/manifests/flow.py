"""A sync or an import with everything that it refers to: where records come from, how they map, where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.file_stream import FileStream
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.kinds.mapping import MappingSpec
from syncline.kinds.record import logical_schema
from syncline.kinds.sync import SyncSpec, endpoint
from syncline.kinds.table import TableStream
from syncline.manifests.desired import Desired
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.model.schema import Schema

if TYPE_CHECKING:
    from syncline.kinds.rest_stream import RestStream


class Side(Struct, frozen=True):
    """One end of a flow. `declaration` is what is declared of the stream, `schema` its declared record schema, `auth`
    the AuthConfig that it is opened with.
    """

    integration: Manifest
    connector: Manifest
    stream: str
    declaration: RestStream | FileStream | TableStream | None
    schema: Schema | None
    region: str
    auth: Manifest | None = None

    @property
    def runtime(self) -> str:
        """The runtime that serves it: rest, file or sql."""
        assert isinstance(self.connector.spec, ConnectorSpec)
        return self.connector.spec.runtime

    @property
    def of_api(self) -> RestStream | None:
        """Its declaration, where it is a stream of an HTTP API."""
        return None if isinstance(self.declaration, FileStream | TableStream) else self.declaration

    @property
    def queue(self) -> str:
        """The queue that tells which of its files have come; '' where all that are there are looked at."""
        spec = self.integration.spec
        if not isinstance(spec, IntegrationSpec) or not isinstance(self.declaration, FileStream):
            return ""
        return str(spec.config.get("queue") or "")

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that are declared for it, by the integration or its connector."""
        assert isinstance(self.connector.spec, ConnectorSpec)
        assert isinstance(self.integration.spec, IntegrationSpec)
        return tuple(_streams(self.integration.spec, self.connector.spec))


class Flow(Struct, frozen=True):
    """A sync or an import, resolved. `target_key` is its own key, else its mapping's."""

    key: ObjectKey
    manifest: Manifest
    spec: SyncSpec | ImportSpec
    source: Side
    target: Side
    mapping: Manifest
    target_key: tuple[str, ...]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """What says what its runs do: itself, its mapping, and what both sides are declared by."""
        sides = [part for s in (self.source, self.target) for part in (s.integration, s.connector, s.auth)]
        return tuple({m.key: m for m in (self.manifest, self.mapping, *sides) if m is not None}.values())

    @property
    def digests(self) -> dict[str, str]:
        """The digests of its manifests, by their names: where they are equal, so is what runs do with equal data."""
        return {str(manifest.key): manifest.digest for manifest in self.manifests}

    @property
    def reads_on(self) -> bool:
        """Whether its runs read only what came, or changed, since the one before."""
        return self.spec.read in {"incremental", "changed"} or bool(self.source.queue)


#: Sides by the tenant that names them and how: many flows share theirs.
_Sides = dict[tuple[str, str], Side | None]


def flow_of(desired: Desired, key: ObjectKey, known: _Sides | None = None) -> Flow | None:
    """
    The flow of a Sync or an Import; None when it isn't one, or refers to something that isn't there.

    `known` keeps sides for the other flows of `desired`.
    """
    known = {} if known is None else known
    manifest = desired.objects.get(key)
    if manifest is None or not isinstance(manifest.spec, SyncSpec | ImportSpec):
        return None
    spec = manifest.spec
    mapping = desired.find(key.tenant, "Mapping", spec.mapping)
    source, target = (_side(desired, key.tenant, text, known) for text in (spec.source, spec.to))
    if mapping is None or not isinstance(mapping.spec, MappingSpec) or source is None or target is None:
        return None
    return Flow(key, manifest, spec, source, target, mapping, spec.key or mapping.spec.key)


def flows(desired: Desired) -> tuple[Flow, ...]:
    """Every flow whose references resolve, in the order of keys; they are resolved once."""
    if not desired.known_flows:
        known: _Sides = {}
        found = (flow_of(desired, key, known) for key in desired.objects if key.is_flow)
        desired.known_flows.append(tuple(flow for flow in found if flow is not None))
    return desired.known_flows[0]


def _side(desired: Desired, tenant: str, text: str, known: _Sides) -> Side | None:
    if (tenant, text) not in known:
        name, stream = endpoint(text)
        integration = desired.find(tenant, "Integration", name)
        known[tenant, text] = side_of(desired, integration, stream) if integration is not None else None
    return known[tenant, text]


def side_of(desired: Desired, integration: Manifest, stream: str) -> Side | None:
    """One stream of an integration, as an end of a flow; None when its connector isn't there."""
    if not isinstance(integration.spec, IntegrationSpec):
        return None
    # What a shared integration refers to is shared as well: a tenant can't put its own connector under it.
    owner = integration.key.tenant
    connector = desired.find(owner, "Connector", *connector_name(integration.spec.connector))
    if connector is None or not isinstance(connector.spec, ConnectorSpec):
        return None
    declaration = _streams(integration.spec, connector.spec).get(stream)
    schema: Schema | None = None
    if isinstance(declaration, FileStream | TableStream):
        if declaration.record_schema is not None:
            schema = logical_schema(declaration.record_schema, declaration.key)
    elif declaration is not None:
        from syncline.kinds.rest_stream import stream_schema

        schema = stream_schema(connector.spec.streams, stream)
    auth = desired.find(owner, "AuthConfig", integration.spec.auth) if integration.spec.auth else None
    return Side(integration, connector, stream, declaration, schema, _region(integration.spec), auth)


def _streams(
    integration: IntegrationSpec, connector: ConnectorSpec
) -> Mapping[str, RestStream | FileStream | TableStream]:
    return {**connector.streams, **(integration.tables if connector.runtime == "sql" else integration.streams)}


def _region(spec: IntegrationSpec) -> str:
    if spec.region:
        return spec.region
    return spec.endpoints[0].region if len(spec.endpoints) == 1 else ""
