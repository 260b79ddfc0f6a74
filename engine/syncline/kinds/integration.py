"""Integration: an instance of a connector: version range, credentials, configuration, endpoints by region, limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from syncline.kinds.base import Name, Rate, SecretRef, Spec, StreamName
from syncline.kinds.stream import FileStream
from syncline.model.kind import Kind, Reference

#: `helpdesk`, `helpdesk@1.3.0`, `helpdesk@^1.3`, `helpdesk@~1.3.2`, `helpdesk@>=1.2 <2`.
ConnectorRef = Annotated[
    str, Field(pattern=r"^[a-z0-9][-a-z0-9]*(@[0-9^~<>=. ]+)?$", description="A connector, with a version range.")
]
ConfigValue = str | int | float | bool | SecretRef


class Endpoint(Spec):
    """Where the system answers, in a region."""

    region: str
    url: Annotated[str, Field(pattern=r"^https?://")]


class Limits(Spec):
    """Limits of this account, below the connector's own."""

    rate: Rate | None = None
    concurrency: Annotated[int | None, Field(ge=1)] = None


class IntegrationSpec(Spec):
    """A tenant's use of a connector."""

    connector: ConnectorRef
    auth: Annotated[Name | None, Field(description="An AuthConfig.")] = None
    config: dict[str, ConfigValue] = {}
    region: Annotated[str, Field(description="Where its data is; decides residency.")] = ""
    endpoints: tuple[Endpoint, ...] = ()
    limits: Limits = Limits.model_construct()
    streams: Annotated[dict[StreamName, FileStream], Field(description="Streams of files.")] = {}


def connector_name(ref: str) -> tuple[str, str]:
    """`helpdesk@^1.3` as ("helpdesk", "^1.3"); the range is empty when none is given."""
    name, _, version = ref.partition("@")
    return name, version


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, IntegrationSpec)
    name, version = connector_name(spec.connector)
    found = [Reference("Connector", name, ("spec", "connector"), version=version)]
    if spec.auth:
        found.append(Reference("AuthConfig", spec.auth, ("spec", "auth")))
    return tuple(found)


KIND = Kind(
    name="Integration",
    plural="integrations",
    spec=IntegrationSpec,
    scope="either",
    order=4,
    summary="An instance of a connector: credentials, configuration, region, limits.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec:
  connector: sqlite@^1
  region: eu-west
  config: {path: warehouse.db}
""",
)
