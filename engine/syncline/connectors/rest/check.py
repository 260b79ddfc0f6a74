"""The check of an API: one request, no retries, and everything that its answer tells of the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.content import read_json, read_nothing
from syncline.connectors.rest.exchange.opening import once, open_client, open_transport
from syncline.connectors.rest.exchange.request import base_url, compile_request, connector_of
from syncline.connectors.rest.reading.began import NOW
from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.http import CheckRequest, Http
from syncline.model.errors import Invalid
from syncline.sdk.announced import announced_ending, announced_quotas
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import HttpTransport, Request, Response, Transport, origin_of
from syncline.sdk.reached import Reached
from syncline.sdk.source import Instance, SourceRequest, plain

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class _Watched:
    """A transport that remembers its last answer, and how long it took."""

    inner: Transport
    clock: Clock
    url: str = ""
    status: int | None = None
    headers: Mapping[str, str] | None = None
    seconds: float = 0.0

    def ahead(self, request: Request, timeout: float) -> None:
        """Nothing is sent ahead: a check asks once."""

    def send(self, request: Request, timeout: float) -> Response:
        began = self.clock.monotonic()
        response = self.inner.send(request, timeout)
        self.seconds = self.clock.monotonic() - began
        self.url, self.status, self.headers = request.url, response.status, response.headers
        return response

    def close(self) -> None:
        self.inner.close()


def check(
    instance: Instance,
    *,
    transport: Transport | None = None,
    clock: Clock | None = None,
) -> Reached:
    """
    Sends the connector's check, or asks for the first page of its first stream, once.

    Raises what a run would: `Again` when the system can't be reached, `Stalled` for refused credentials. Transport and
    clock are parameters for tests.
    """
    instance = once(instance)
    spec, http = connector_of(instance)
    clock = clock or SystemClock()
    watched = _Watched(transport or open_transport(instance, http, clock), clock)
    ask = _declared if spec.check is not None else _first_page
    place, identity = ask(instance, spec, http, watched, clock)
    parts = urlsplit(watched.url)
    headers = watched.headers or {}
    return Reached(
        place=place,
        system=f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else ""),
        seconds=watched.seconds,
        status=watched.status,
        identity=identity,
        proxy=_proxy(instance, watched.url),
        tls=watched.inner.spoken if isinstance(watched.inner, HttpTransport) else None,
        quotas=announced_quotas(headers, clock.now(), [(limit.remaining, limit.reset) for limit in http.limits]),
        ending=announced_ending(headers),
    )


def _proxy(instance: Instance, url: str) -> str:
    """The proxy that a URL is reached through, as text; '' for none."""
    origin = origin_of(url)
    return next((str(proxy) for proxy in instance.network.proxies if proxy.leads_to(origin)), "")


def _declared(
    instance: Instance, spec: ConnectorSpec, http: Http, transport: Transport, clock: Clock
) -> tuple[str, str]:
    assert spec.check is not None
    client = open_client(instance, transport=transport, clock=clock)
    try:
        plan = compile_request(spec.check, base_url(instance, http), http, what="check")
        request = plan.build({"config": plain(instance.config), NOW: client.now()}, {})
        answer = client.fetch(request, reading=read_json if spec.check.identity is not None else read_nothing)
        return client.place(request), _identity(spec.check, answer)
    finally:
        client.close()


def _first_page(
    instance: Instance, spec: ConnectorSpec, http: Http, transport: Transport, clock: Clock
) -> tuple[str, str]:
    del http
    stream = next((name for name, s in spec.streams.items() if not (s.read_for or s.job or s.file)), "")
    if not stream:
        raise Invalid(
            f"the connector of {instance.name} declares neither a check nor a stream to ask for",
            code="SYN432",
            help="Declare check: {get: /PATH} in the connector.",
        )
    source = RestSource(instance, SourceRequest(stream, None, ()), transport=transport, clock=clock)
    try:
        return source.first_page(), ""
    finally:
        source.close()


def _identity(check: CheckRequest, answer: Answer) -> str:
    """Who the API says that we are; nothing where the expression finds no text or number."""
    if check.identity is None:
        return ""
    import jmespath

    found = jmespath.compile(check.identity).search(answer.document)
    return str(found)[:200] if isinstance(found, str | int) and not isinstance(found, bool) else ""
