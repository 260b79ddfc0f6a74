"""The `rest` runtime: HTTP APIs with JSON answers, declared by a Connector."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from syncline.connectors.runtime import Runtime

if TYPE_CHECKING:
    from syncline.sdk.source import Instance, Source, SourceRequest


def open_source(instance: Instance, request: SourceRequest) -> Source:
    """Opens a stream. `Invalid` when its declaration can't be run."""
    from syncline.connectors.rest.source import RestSource

    return RestSource(instance, request)


def check(instance: Instance) -> str:
    """Sends the connector's check, or asks for the first page of its first stream, and says what answered."""
    from syncline.connectors.rest.judge import read_nothing
    from syncline.connectors.rest.requests import base_url, compile_request, connector_of
    from syncline.connectors.rest.source import RestSource, open_client
    from syncline.sdk.clock import SystemClock
    from syncline.sdk.source import SourceRequest, plain

    spec, http = connector_of(instance)
    clock = SystemClock()
    began = clock.monotonic()
    if spec.check is not None:
        client = open_client(instance, transport=None, clock=clock, chance=random.random)
        try:
            plan = compile_request(spec.check, base_url(instance, http), http, what="check")
            request = plan.build({"config": plain(instance.config)}, {})
            client.fetch(request, reading=read_nothing)
            place = client.place(request)
        finally:
            client.close()
    else:
        stream = next((name for name, s in spec.streams.items() if s.parent is None), "")
        source = RestSource(instance, SourceRequest(stream, None, ()))
        try:
            place = source.first_page()
        finally:
            source.close()
    return f"{place} answered in {(clock.monotonic() - began) * 1000:.0f} ms"


RUNTIME = Runtime("rest", open_source, None, check)
