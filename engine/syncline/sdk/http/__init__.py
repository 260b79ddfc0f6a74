"""One HTTP exchange: requests and responses as values, and a transport with one method.

The transport is the standard library's persistent connection with what it lacks: one deadline for all of an exchange
(however slowly it trickles), a bound on the body before and after decompression, no half answers, a pool, and bounds of
what may be reached, and a proxy where one is given. What this isn't: it neither authenticates, retries nor follows
redirects; those are decisions, made by its caller. `docs/decisions/0003-http-client.md` and `0010-client-manager.md`
have the measurements behind the choice.
"""

from __future__ import annotations

from syncline.sdk.http.egress import Egress
from syncline.sdk.http.lookup import Lookup, Lookups
from syncline.sdk.http.message import Request, Response, Transport, TransportError
from syncline.sdk.http.pool import Pool
from syncline.sdk.http.proxy import Proxy
from syncline.sdk.http.tls import Spoken, Tls, context_of, pin_of
from syncline.sdk.http.transport import HttpTransport
from syncline.sdk.http.url import (
    Origin,
    checked_url,
    followed,
    origin_of,
    same_origin,
    shown_url,
    with_query,
    without_query,
)

__all__ = [
    "Egress",
    "HttpTransport",
    "Lookup",
    "Lookups",
    "Origin",
    "Pool",
    "Proxy",
    "Request",
    "Response",
    "Spoken",
    "Tls",
    "Transport",
    "TransportError",
    "checked_url",
    "context_of",
    "followed",
    "origin_of",
    "pin_of",
    "same_origin",
    "shown_url",
    "with_query",
    "without_query",
]
