"""Opening a client of an API: limits, circuit breaker, TLS and bounds of what may be reached, from what is declared."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from urllib.parse import urlsplit

from syncline.connectors.rest.exchange.authentication import hosts_of, open_authenticator
from syncline.connectors.rest.exchange.client import Client
from syncline.connectors.rest.exchange.request import base_url, connector_of
from syncline.connectors.rest.exchange.sender import Sender
from syncline.connectors.rest.exchange.told import declared_words
from syncline.connectors.tls import tls_of
from syncline.kinds.http import Http
from syncline.kinds.integration import IntegrationSpec, Limits
from syncline.model import units
from syncline.sdk.breaker import Breaker, Trip
from syncline.sdk.clients import Clients
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import HttpTransport, Origin, Transport
from syncline.sdk.limits import Account, Rule
from syncline.sdk.meter import Meter
from syncline.sdk.source import Instance
from syncline.sdk.uri import escaped, normal


def open_client(
    instance: Instance,
    *,
    transport: Transport | None = None,
    clock: Clock | None = None,
    chance: Callable[[], float] = random.random,
) -> Client:
    """
    A client of the instance's API, over the connections and within the limits that its process shares.

    Transport, clock and chance are parameters for tests: a real one of each by default.
    """
    clock = clock or SystemClock()
    _, http = connector_of(instance)
    shared = instance.keep.shared(Clients) if instance.keep is not None else None
    clients = shared or Clients(clock)
    meter = Meter(instance.count, instance.notice, instance.took, instance.waits)
    transport = transport or open_transport(instance, http, clock, clients)
    auth = open_authenticator(instance, transport, clock)
    sender = Sender(
        transport,
        auth,
        clock,
        timeout=units.duration(http.timeout),
        account=_account(instance, http, clients),
        breaker=_breaker(http, clients),
        meter=meter,
        release=_nothing if shared is not None else clients.close,
    )
    words = cache(partial(declared_words, instance))  # of many errors in one run
    return Client(http, auth, sender, clock, chance=chance, meter=meter, patience=instance.patience, words=words)


def once(instance: Instance) -> Instance:
    """The instance with its retries off: what it says is how it is now."""
    spec, http = connector_of(instance)
    retry = http.retry.model_copy(update={"attempts": 1})
    return replace(instance, connector=spec.model_copy(update={"http": http.model_copy(update={"retry": retry})}))


def _nothing() -> None:
    """What is shared is closed by whoever made it."""


def open_transport(instance: Instance, http: Http, clock: Clock, clients: Clients | None = None) -> Transport:
    """A transport to what the instance may reach, with TLS as declared; without `clients`, over its own connections."""
    hosts = {urlsplit(base_url(instance, http)).hostname or "", *hosts_of(instance.credentials)}
    return HttpTransport(
        clock,
        http.max_body,
        pool=clients.pool if clients else None,
        lookup=clients.lookup if clients else None,
        egress=instance.network.egress.declaring(hosts),
        tls=tls_of(instance, http.tls),
        proxies=instance.network.proxies,
    )


def _account(instance: Instance, http: Http, clients: Clients) -> Account:
    integration = instance.integration
    limits = integration.limits if isinstance(integration, IntegrationSpec) else Limits.model_construct()
    rules = [
        Rule(*units.rate(limit.rate), normal(escaped(limit.match)), limit.remaining, limit.reset)
        for limit in http.limits
    ]
    if limits.rate:
        rules.append(Rule(*units.rate(limits.rate)))
    network = instance.network
    return clients.account(
        network.account or instance.name,
        rules,
        concurrency=limits.concurrency,
        tenant=network.tenant,
        quota=network.quota,
    )


def _breaker(http: Http, clients: Clients) -> Callable[[Origin], Breaker | None]:
    if http.breaker is None:
        return lambda _: None
    trip = Trip.parse(http.breaker.failures, units.duration(http.breaker.open))
    return lambda origin: clients.breaker(origin, trip)
