"""Connector: a type of system, versioned: its configuration, authentication, streams, limits, errors, checks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from syncline.kinds.base import Duration, Identifier, Jmespath, Rate, Spec, StreamName, Template
from syncline.kinds.stream import Request, RestStream
from syncline.model.kind import Kind

AuthType = Literal["api_key", "basic", "bearer", "oauth2", "none"]


class ConfigProperty(Spec):
    """A configuration value of an integration."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    format: Literal["date", "date-time", "uri", "hostname", "path"] | None = None
    description: str = ""
    default: JsonValue = None
    enum: tuple[str, ...] = ()
    pattern: str = ""
    secret: Annotated[bool, Field(description="Must be a secretRef.")] = False


class ConfigSchema(Spec):
    """What an integration configures."""

    properties: dict[Identifier, ConfigProperty] = {}
    required: tuple[Identifier, ...] = ()


class Limit(Spec):
    """A rate limit of the API, and the response headers that tell what is left of it."""

    rate: Rate
    match: Annotated[str, Field(description="Paths it is for; empty: all.")] = ""
    remaining: Annotated[str, Field(description="Header with the requests left.")] = ""
    reset: Annotated[str, Field(description="Header with the time until, or of, the reset.")] = ""


class Backoff(Spec):
    """Exponential backoff with full jitter."""

    initial: Duration = "1s"
    max: Duration = "2m"


class Retry(Spec):
    """What is retried, and how."""

    on: Annotated[
        tuple[int | Literal["5xx", "timeout", "connection"], ...], Field(description="Statuses and failures.")
    ] = (429, "5xx", "timeout", "connection")
    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    backoff: Backoff = Backoff.model_construct()
    honor: Annotated[tuple[str, ...], Field(description="Headers that tell when to retry.")] = ("Retry-After",)


class Breaker(Spec):
    """A circuit breaker: opens at so many failures, tries again after a while."""

    failures: Annotated[str, Field(pattern=r"^\d+%? of \d+$", description="50% of 20, or 5 of 10.")]
    open: Duration = "60s"


class ErrorRule(Spec):
    """What a response means, by a JMESPath condition over {status, headers, body}; the first that matches decides."""

    when: Jmespath
    do: Literal["retry", "rate_limited", "ignore", "skip", "fail", "reauthenticate", "reset_paging"]
    message: Annotated[str, Field(description="For people.")] = ""


class Http(Spec):
    """Everything that the streams of an HTTP API share."""

    url: Annotated[Template, Field(description="Base URL, a template over config.")]
    headers: dict[str, Template] = {}
    query: dict[str, Template] = {}
    limits: tuple[Limit, ...] = ()
    retry: Retry = Retry.model_construct()
    breaker: Breaker | None = None
    errors: tuple[ErrorRule, ...] = ()
    timeout: Annotated[Duration, Field(description="Of one request, in all.")] = "60s"
    max_body: Annotated[int, Field(ge=1024, description="Largest response, in bytes.")] = 64 * 1024 * 1024


class ConnectorSpec(Spec):
    """A type of system."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$", description="Semantic version.")]
    runtime: Annotated[Literal["rest", "file", "sql"], Field(description="The code that runs it.")] = "rest"
    title: str = ""
    vendor: str = ""
    documentation: Annotated[str, Field(description="URL of the vendor's documentation.")] = ""
    config: ConfigSchema = ConfigSchema.model_construct()
    auth: tuple[AuthType, ...] = ("none",)
    http: Http | None = None
    check: Request | None = None
    streams: dict[StreamName, RestStream] = {}


KIND = Kind(
    name="Connector",
    plural="connectors",
    spec=ConnectorSpec,
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
