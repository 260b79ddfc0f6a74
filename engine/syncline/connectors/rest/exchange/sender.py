"""Sends one request of an API within all limits: authenticated, counted, redirects followed at the same origin.

What an answer means and whether to ask again is decided by `client.py`. Credentials are added to each request right
before it is sent, and are in nothing that outlives it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from syncline.model.errors import Denied, Invalid, SynclineError
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.breaker import Breaker
from syncline.sdk.clock import Clock
from syncline.sdk.http import Origin, Request, Response, Transport, followed, origin_of, same_origin, without_query
from syncline.sdk.limits import Account
from syncline.sdk.meter import Meter
from syncline.sdk.uri import normal, of_header

_REDIRECTS = 5


class Elsewhere(Exception):
    """A redirect to another origin, as the cause of the error about it: its text is the URL.

    Whoever reads a file may ask for it there, without credentials.
    """


class Open(Exception):
    """The host's circuit breaker is open: nothing was sent. `after` is in seconds."""

    def __init__(self, host: str, after: float) -> None:
        super().__init__(f"{host} has failed too often of late")
        self.after = after


class Sent(NamedTuple):
    """A response, the URL that gave it after redirects, and the version of the token that it was asked with."""

    response: Response
    url: str
    version: int


class Sender:
    """Sends requests of one account to one API. Safe for threads; `close` it.

    `breaker` gives the circuit breaker of an origin, or None where none is declared. `release` closes what this sender
    alone uses.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Authenticator,
        clock: Clock,
        *,
        timeout: float,
        account: Account,
        breaker: Callable[[Origin], Breaker | None],
        meter: Meter,
        release: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._clock = clock
        self._timeout = timeout
        self._account = account
        self._breaker = breaker
        self._meter = meter
        self._release = release

    def send(self, request: Request) -> Sent:
        """
        The response to a request, after redirects.

        Raises `Open`, `TransportError`, `Again` (SYN404) where a limit is used up for long, and `Invalid`.
        """
        for _ in range(_REDIRECTS + 1):
            response, version = self._one(request)
            location = response.headers.get("location", "")
            if response.status not in {301, 302, 303, 307, 308} or not location:
                return Sent(response, request.url, version)
            request = self._redirected(request, response.status, location)
        raise Invalid(f"more than {_REDIRECTS} redirects", code="SYN406")

    def ahead(self, request: Request) -> None:
        """May send a request before it is sent for good, where nothing limits when. What comes of it shows then."""
        if request.method == "GET" and self._account.unlimited and not self._auth.fresh:
            breaker = self._breaker(origin_of(request.url))
            if breaker is None or breaker.wait() == 0:
                with suppress(SynclineError):  # there is no token: that shows when it is sent
                    self._transport.ahead(self._auth.apply(request).request, self._timeout)

    def hold(self, url: str, seconds: float, why: str) -> None:
        """The server asked to wait: everybody who uses the account waits."""
        self._account.hold(normal(urlsplit(url).path), seconds, why)

    def close(self) -> None:
        """Closes the connections; what waits for an answer on one fails."""
        self._transport.close()
        self._release()

    def _one(self, request: Request) -> tuple[Response, int]:
        origin = origin_of(request.url)
        path = normal(urlsplit(request.url).path)
        breaker = self._breaker(origin)
        with self._account.turn(path, partial(self._meter.waiting, origin.host)) as waited:
            if waited:
                self._meter.throttled(origin.host)
            signed = self._auth.apply(request)  # after the wait: a signature holds for minutes only
            ticket = breaker.ask() if breaker is not None else 0
            if ticket is None:
                assert breaker is not None
                raise Open(origin.host, breaker.wait())
            response: Response | None = None
            healthy = False
            began = self._clock.monotonic()
            try:
                response = self._transport.send(signed.request, self._timeout)
                healthy = response.status < 500
            except (Denied, Invalid):
                healthy = True  # what was asked or answered is wrong, but the host is there
                raise
            finally:
                seconds = self._clock.monotonic() - began
                size = len(response.body) if response is not None else 0
                self._meter.answered(origin.host, seconds, size=size, ok=healthy)
                if breaker is not None and breaker.tell(ticket, ok=healthy):
                    self._meter.opened(origin.host)
        self._account.learn(path, response.headers)
        if "deprecation" in response.headers or "sunset" in response.headers:
            self._meter.ending(origin.host, response.headers)
        return response, signed.version

    def _redirected(self, request: Request, status: int, location: str) -> Request:
        try:
            url = without_query(followed(request.url, of_header(location)), self._auth.sensitive)
            same = same_origin(request.url, url)
        except ValueError:
            url, same = location, False
        if not same:
            raise Invalid(
                f"redirected to another origin: {url.partition('?')[0][:200]!a}",
                code="SYN406",
                help="Credentials are only sent to the origin of the connector's URL: change the URL if it has moved.",
            ) from Elsewhere(url)
        if status in {301, 302, 303} and request.method != "GET":
            return replace(request, method="GET", url=url, body=b"")
        return replace(request, url=url)
