"""Integration: an instance of a connector: version range, credentials, configuration, endpoints by region, limits."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Form, Name, Rate, SecretRef, Spec, StreamName, Value
from syncline.kinds.file_stream import FileStream
from syncline.kinds.handling import Handling
from syncline.kinds.table import TableStream
from syncline.kinds.tenant import HostPattern
from syncline.kinds.tls import Tls
from syncline.kinds.webhooks import RemoteWebhook
from syncline.model.kind import Kind, Reference

#: `helpdesk`, `helpdesk@1.3.0`, `helpdesk@^1.3`, `helpdesk@~1.3.2`, `helpdesk@>=1.2 <2`, `helpdesk@^1.4.0-rc.1`.
ConnectorRef = Annotated[
    str, Field(pattern=r"^[a-z0-9][-a-z0-9]*(@[0-9A-Za-z^~<>=. -]+)?$"), Form("A connector, with a version range.")
]
ConfigValue = str | int | float | bool | SecretRef


class Endpoint(Spec):
    """Where an HTTP API answers, in a region."""

    region: Annotated[str, Field(description="Region of this endpoint, such as eu-west; each only once.")]
    url: Annotated[str, Field(pattern=r"^https?://", description="Base URL there, instead of the connector's.")]


class Limits(Spec):
    """Limits of this account, besides the connector's own; they hold for everything that uses it together."""

    account: Annotated[
        Name | None,
        Field(
            description="Name of the provider account, where several integrations of a tenant use the same one: they "
            "share its limits. Absent: the integration has one of its own."
        ),
    ] = None
    rate: Annotated[
        Rate | None, Field(description="Most requests to an HTTP API in any span of that length; others wait.")
    ] = None
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            description="Most requests of a process that are under way at the same time; others wait. A run reads that "
            "many partitions side by side; absent: 4.",
        ),
    ] = None


class Proxy(Spec):
    """
    A proxy that the API is reached through: an HTTP proxy (a tunnel for https, whole URLs for http) or a SOCKS 5 proxy.
    TLS with the API is verified end to end. The proxy is itself a host that the flow must be allowed to reach.
    """

    url: Annotated[
        str,
        Field(
            pattern=r"^(https?|socks5h?)://[A-Za-z0-9._:\[\]-]+/?$",
            description="How the proxy is spoken to, and where it listens: http://proxy.corp.example:3128, https:// "
            "for TLS with the proxy itself, socks5:// for SOCKS 5, socks5h:// for that with lookup: proxy.",
        ),
    ]
    username: Annotated[
        Value | None, Field(description="User name for the proxy: text, or a reference where it is secret too.")
    ] = None
    password: Annotated[SecretRef | None, Field(description="Password for the proxy, as a reference.")] = None
    lookup: Annotated[
        Literal["here", "proxy"],
        Field(
            description="Who looks up the names of servers: here, where their addresses are checked and the proxy is "
            "told one of them; or the proxy, which is told names. These must then be named by the Tenant's egress."
        ),
    ] = "here"
    bypass: Annotated[
        tuple[HostPattern, ...],
        Field(description="Hosts that are reached without the proxy: names, with '*' for any text, or networks."),
    ] = ()
    tls: Annotated[
        Tls,
        Field(
            description="What is asked of TLS with the proxy itself, where its URL is https://; as http.tls of an API."
        ),
    ] = Tls.model_construct()


class IntegrationSpec(Spec):
    """A tenant's use of a connector."""

    connector: Annotated[
        ConnectorRef,
        Field(description="Connector that it is an instance of, by name; helpdesk@^1.3 takes the highest of a range."),
    ]
    auth: Annotated[
        Name | None, Field(description="AuthConfig with its credentials; absent where the connector needs none.")
    ] = None
    config: Annotated[
        dict[str, ConfigValue],
        Field(description="Settings that the connector declares, by name; secrets as secretRef."),
    ] = {}
    region: Annotated[
        str,
        Field(
            description="Region that its data is in, such as eu-west: policy judges by it, and it picks an endpoint."
        ),
    ] = ""
    handling: Annotated[
        Handling, Field(description="What its system does with data, as declared; policy judges by it.")
    ] = Handling.model_construct()
    endpoints: Annotated[
        tuple[Endpoint, ...], Field(description="Base URLs by region, for HTTP APIs; `region` picks one of several.")
    ] = ()
    limits: Annotated[Limits, Field(description="How much is asked of the system at most, as this account allows.")] = (
        Limits.model_construct()
    )
    proxy: Annotated[
        Proxy | None, Field(description="HTTP proxy that the API is reached through; for HTTP APIs only.")
    ] = None
    tls: Annotated[
        Tls,
        Field(
            description="What is asked of TLS with the system itself, an API, a database or a mail server, beyond 1.3 "
            "with the machine's authorities. Each field that is set wins over http.tls of the connector."
        ),
    ] = Tls.model_construct()
    streams: Annotated[
        dict[StreamName, FileStream], Field(description="Streams of files by name, for the runtime file only.")
    ] = {}
    tables: Annotated[
        dict[StreamName, TableStream],
        Field(description="Tables and queries that are read, by the stream's name; for the runtime sql only."),
    ] = {}
    webhooks: Annotated[
        dict[Name, RemoteWebhook],
        Field(
            description="Webhooks that `syncline serve` registers at an HTTP API and keeps registered, by a name of "
            "ours; one that is left out is deleted there."
        ),
    ] = {}


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
    refers={"connector": ("Connector",), "auth": ("AuthConfig",)},
    list_keys={"endpoints": "region"},
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
