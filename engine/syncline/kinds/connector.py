"""Connector: a type of system, versioned: its configuration, authentication, streams, limits, errors, checks."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from syncline.kinds.auth_details import AuthOffer, AuthType
from syncline.kinds.base import Duration, Identifier, Jmespath, Rate, Spec, StreamName, Template
from syncline.kinds.carrying import Carrying
from syncline.kinds.request import Parameter, Request
from syncline.kinds.rule import ErrorRule
from syncline.kinds.stream import RestStream
from syncline.kinds.webhooks import Registering
from syncline.model.kind import Kind

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


class Limit(Spec):
    """A rate limit of the API, and the response headers that tell what is left of it."""

    rate: Annotated[
        Rate, Field(description="Most requests of an account in any span of that length, such as 100/min; others wait.")
    ]
    match: Annotated[str, Field(description="Start of the URL paths that it counts, such as /search; empty: all.")] = ""
    remaining: Annotated[
        str, Field(description="Response header with the number of requests left; at 0, further ones wait.")
    ] = ""
    reset: Annotated[
        str,
        Field(
            description="Response header that ends that wait: seconds from now, a Unix time or an HTTP date. Without "
            "it, a whole span is waited."
        ),
    ] = ""


class Backoff(Spec):
    """Exponential backoff with full jitter."""

    initial: Annotated[
        Duration,
        Field(description="Longest wait after the first attempt, such as 1s; it doubles with each further one."),
    ] = "1s"
    max: Annotated[Duration, Field(description="Bound that the doubled wait doesn't grow past, such as 2m.")] = "2m"


class Retry(Spec):
    """What is retried, and how."""

    on: Annotated[
        tuple[int | Literal["5xx", "timeout", "connection"], ...],
        Field(description="What is worth another attempt: HTTP statuses, 5xx for all from 500 on, and failures."),
    ] = (429, "5xx", "timeout", "connection")
    attempts: Annotated[
        int, Field(ge=1, le=20, description="Most attempts of one request, the first included; 1: no retries.")
    ] = 6
    backoff: Annotated[
        Backoff, Field(description="Waits between attempts: random, up to a bound that doubles (full jitter).")
    ] = Backoff.model_construct()
    honor: Annotated[
        tuple[str, ...],
        Field(description="Response headers that say how long to wait: seconds or an HTTP date. The longest counts."),
    ] = ("Retry-After",)


class Breaker(Spec):
    """A circuit breaker: a host that fails so often is left alone for a while, then one request tries it again.

    What fails is an exchange without a whole answer, or with a status from 500 on.
    """

    failures: Annotated[
        str,
        Field(
            pattern=r"^[1-9]\d{0,2}%? of [1-9]\d{0,2}$",
            description="Failed requests, of the last ones, that open it: 5 of 10, or 50% of 20.",
        ),
    ]
    open: Annotated[Duration, Field(description="How long it stays open before a request is tried, such as 60s.")] = (
        "60s"
    )


class Tls(Spec):
    """Exceptions from TLS 1.3 with the machine's certificate authorities."""

    min: Annotated[
        Literal["1.2", "1.3"],
        Field(description="Oldest version that is spoken: 1.2 for servers that know no newer one."),
    ] = "1.3"
    ca: Annotated[
        str,
        Field(
            max_length=1024,
            description="File of the repository with the only authorities to trust, in PEM form, for a private one.",
        ),
    ] = ""
    pins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^sha256/[A-Za-z0-9+/]{43}=$")], ...],
        Field(
            max_length=8,
            description="The only keys that the server's certificate may have: sha256/ and the base64 of its SPKI's "
            "digest. Absent: any that an authority vouches for. Give the next one too, before it is used.",
        ),
    ] = ()


class Http(Spec):
    """Everything that the streams of an HTTP API share."""

    url: Annotated[
        Template, Field(description="Base URL, a template over config; an integration's endpoints replace it.")
    ]
    headers: Annotated[
        dict[str, Template],
        Field(
            description="Headers of all requests, templates over what each of them knows: config and now. Its own win."
        ),
    ] = {}
    query: Annotated[
        dict[str, Parameter],
        Field(
            description="URL parameters of all requests, as in a request's `query`, over config and now. Its own win."
        ),
    ] = {}
    limits: Annotated[
        tuple[Limit, ...], Field(description="Rate limits of the API; all that match a request's path apply.")
    ] = ()
    retry: Annotated[Retry, Field(description="Which failures are tried again, how often, and after which wait.")] = (
        Retry.model_construct()
    )
    breaker: Annotated[
        Breaker | None,
        Field(description="Circuit breaker, one for each host; absent: retries and time limits apply without it."),
    ] = None
    tls: Annotated[
        Tls, Field(description="What is asked of TLS, where the default (1.3, public authorities) can't be had.")
    ] = Tls.model_construct()
    errors: Annotated[
        tuple[ErrorRule, ...],
        Field(description="What responses mean; the first rule that matches decides, before the status does."),
    ] = ()
    timeout: Annotated[Duration, Field(description="Longest time that one attempt may take in all, such as 60s.")] = (
        "60s"
    )
    max_body: Annotated[
        int, Field(ge=1024, description="Largest response that is accepted, in bytes; a larger one ends the run.")
    ] = 64 * 1024 * 1024


class CheckRequest(Request):
    """A request that shows whether the system answers, and as whom."""

    identity: Annotated[
        Jmespath | None,
        Field(description="JMESPath expression over the answer that gives who it was asked as: user.email."),
    ] = None


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
        tuple[AuthType | AuthOffer, ...],
        Field(
            description="Types of AuthConfig that it accepts, by name or with details such as a header's name; with "
            "none, it also works without one."
        ),
    ] = ("none",)
    http: Annotated[
        Http | None, Field(description="What all streams of an HTTP API share; the runtime rest needs it.")
    ] = None
    check: Annotated[
        CheckRequest | None,
        Field(
            description="Request that `syncline connector check` sends. Absent, it asks for the first stream's first "
            "page."
        ),
    ] = None
    notify: Annotated[
        Carrying | None,
        Field(description="How messages are sent through an HTTP API. Absent: subscriptions can't notify through it."),
    ] = None
    webhooks: Annotated[
        Registering | None,
        Field(description="How webhooks are registered at an HTTP API. Absent: integrations can't declare any."),
    ] = None
    streams: Annotated[
        dict[StreamName, RestStream], Field(description="Streams of an HTTP API that flows can read, by name.")
    ] = {}


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
