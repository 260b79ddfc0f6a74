"""What all requests of an HTTP API share: its URL, headers, rate limits, retries, and what answers mean."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Duration, Jmespath, Rate, Spec, Template
from syncline.kinds.request import Parameter, Request
from syncline.kinds.rule import ErrorRule
from syncline.kinds.tls import Tls


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
