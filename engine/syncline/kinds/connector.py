"""Connector: a type of system, versioned: its configuration, authentication, streams, limits, errors, checks.

Most connectors declare an HTTP API in a language of a hundred models. Those of files, databases and mail declare
nothing in it, so these models are imported when the first connector comes that does.
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, JsonValue

from syncline.kinds.auth_type import AuthType
from syncline.kinds.base import Identifier, Spec, StreamName
from syncline.model.kind import Kind

if TYPE_CHECKING:
    from syncline.kinds.auth_details import AuthOffer
    from syncline.kinds.carrying import Carrying
    from syncline.kinds.http import CheckRequest, Http
    from syncline.kinds.registering import Registering
    from syncline.kinds.rest_stream import RestStream

#: A version as semver.org writes it, without build metadata: two texts are never one version.
_VERSION = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?$"
)


class ConfigProperty(Spec):
    """A configuration value of an integration."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean"], Field(description="JSON type that the value must have.")
    ] = "string"
    format: Annotated[
        Literal["date", "date-time", "uri", "hostname", "path"] | None,
        Field(description="Form that the value must have; it is checked by `syncline validate`."),
    ] = None
    description: Annotated[str, Field(description="What it is; shown where the value is missing or wrong.")] = ""
    default: Annotated[
        JsonValue, Field(description="Value where the integration gives none; a secret can't have one.")
    ] = None
    enum: Annotated[tuple[str, ...], Field(description="The only values allowed; empty: any.")] = ()
    pattern: Annotated[
        str, Field(description="Regular expression (RE2) that the whole value must match; empty: any.")
    ] = ""
    secret: Annotated[bool, Field(description="Whether the value must be a secretRef and never a literal.")] = False


class ConfigSchema(Spec):
    """What an integration configures."""

    properties: Annotated[
        dict[Identifier, ConfigProperty], Field(description="Settings by name; an integration can give no others.")
    ] = {}
    required: Annotated[tuple[Identifier, ...], Field(description="Settings that an integration must give.")] = ()


class Deprecated(Spec):
    """That a version is not to be used any more, and until when it works."""

    date: Annotated[
        dt.date, Field(strict=False, description="Day since which it is deprecated; from then on its use is a warning.")
    ]
    sunset: Annotated[
        dt.date | None, Field(strict=False, description="Last day on which the API behind it is expected to answer.")
    ] = None
    reason: Annotated[str, Field(min_length=1, description="Why, for people: which API version ends, for example.")]
    replaced_by: Annotated[str, Field(description="What to use instead, as an integration names it: helpdesk@^2.")] = ""
    refuse: Annotated[
        bool, Field(description="Whether its use is an error, and no warning, after the sunset; policy may suspend it.")
    ] = False


class _Described(Spec):
    """What every connector declares."""

    version: Annotated[
        str,
        Field(
            pattern=_VERSION,
            max_length=64,
            description="Semantic version, such as 1.3.0, or 1.4.0-rc.1 for a pre-release; without build metadata. "
            "Several live side by side; integrations pin ranges of them.",
        ),
    ]
    runtime: Annotated[
        Literal["rest", "file", "sql", "smtp"],
        Field(
            description="Code that runs it: rest for HTTP APIs, file for folders of files, sql for databases, smtp for "
            "mail servers."
        ),
    ] = "rest"
    deprecated: Annotated[
        Deprecated | None,
        Field(description="That this version is not to be used any more; integrations that use it get a warning."),
    ] = None
    title: Annotated[str, Field(description="Name for people; it has no effect.")] = ""
    vendor: Annotated[str, Field(description="Who makes the system, for people; it has no effect.")] = ""
    documentation: Annotated[str, Field(description="URL of the vendor's documentation, for people.")] = ""
    config: Annotated[ConfigSchema, Field(description="Settings that its integrations give, with their types.")] = (
        ConfigSchema.model_construct()
    )


class SystemSpec(_Described):
    """All that a connector of files, databases or mail declares."""

    auth: Annotated[
        tuple[AuthType, ...], Field(description="Types of AuthConfig that it accepts; with none, it works without one.")
    ] = ("none",)


class ConnectorSpec(_Described):
    """A type of system: how it is reached, and what can be read of it."""

    auth: Annotated[
        tuple["AuthType | AuthOffer", ...],
        Field(
            description="Types of AuthConfig that it accepts, by name or with details such as a header's name; with "
            "none, it also works without one."
        ),
    ] = ("none",)
    http: Annotated[
        "Http | None", Field(description="What all streams of an HTTP API share; the runtime rest needs it.")
    ] = None
    check: Annotated[
        "CheckRequest | None",
        Field(
            description="Request that `syncline connector check` sends. Absent, it asks for the first stream's first "
            "page."
        ),
    ] = None
    notify: Annotated[
        "Carrying | None",
        Field(description="How messages are sent through an HTTP API. Absent: subscriptions can't notify through it."),
    ] = None
    webhooks: Annotated[
        "Registering | None",
        Field(description="How webhooks are registered at an HTTP API. Absent: integrations can't declare any."),
    ] = None
    streams: Annotated[
        dict[StreamName, "RestStream"], Field(description="Streams of an HTTP API that flows can read, by name.")
    ] = {}

    @property
    def declares_api(self) -> bool:
        """Whether it declares anything of an HTTP API."""
        parts = (self.http, self.check, self.notify, self.webhooks, self.streams)
        return any(parts) or not all(isinstance(offer, str) for offer in self.auth)

    @classmethod
    def model_rebuild(cls, **how: Any) -> bool | None:
        """Makes what validates it, and imports the models of its parts for that."""
        from syncline.kinds.auth_details import AuthOffer
        from syncline.kinds.carrying import Carrying
        from syncline.kinds.http import CheckRequest, Http
        from syncline.kinds.registering import Registering
        from syncline.kinds.rest_stream import RestStream

        models = (Carrying, CheckRequest, Http, Registering, RestStream)
        parts = {"AuthOffer": AuthOffer, **{model.__name__: model for model in models}}
        return super().model_rebuild(**{**how, "_types_namespace": parts})


KIND = Kind(
    name="Connector",
    plural="connectors",
    spec=ConnectorSpec,
    short=SystemSpec,
    scope="either",
    order=3,
    summary="A type of system: configuration, authentication, streams with schemas, limits, errors, checks.",
    example="""\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.0.0
  auth: [bearer]
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  streams:
    tickets:
      get: /tickets
      records: data[]
      key: [id]
      page: {cursor: next, into: query.cursor}
      schema: {properties: {id: {type: integer}, subject: {type: string}}}
""",
)
