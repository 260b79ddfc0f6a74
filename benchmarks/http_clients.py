"""
Sequential paging with each HTTP client that is installed, then the whole `rest` source: fetch, check, decode.

python benchmarks/http_clients.py [URL] [ROUNDS]

URL answers JSON with `next_cursor`, taken up as `?cursor=`: the W2 pages that `bench.sh setup` serves. Rounds are
interleaved and medians shown, since machines have moods. Clients that aren't installed are left out.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import yaml

from syncline.connectors.rest.runtime import open_source
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.record import logical_schema
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request
from syncline.sdk.source import Instance, SourceRequest

URL = "http://127.0.0.1:8199/v1/items"

CONNECTOR = """
version: 1.0.0
http: {url: "%s"}
streams:
  items:
    get: "%s"
    records: data[]
    key: [id]
    page: {cursor: next_cursor, into: query.cursor}
    schema:
      properties:
        id: {type: integer}
        type: {type: string}
        created_at: {type: string}
        updated_at: {type: string}
        status: {type: string}
        currency: {type: string}
        total: {type: number}
        customer:
          type: object
          properties:
            id: {type: integer}
            name: {type: string}
            email: {type: string}
            address:
              type: object
              properties: {country: {type: string}, city: {type: string}, street: {type: string}, zip: {type: string}}
        note: {type: string}
        flags: {type: array, items: {type: string}}
        shipping: {type: object, properties: {method: {type: string}, tracking: {type: string}, cost: {type: number}}}
        score: {type: integer}
"""


class Next(msgspec.Struct):
    """The one field that paging needs."""

    next_cursor: str | None


_next = msgspec.json.Decoder(Next).decode


def walk(get: Callable[[str], bytes], url: str) -> int:
    """Asks for page after page; returns the number of pages."""
    pages, cursor = 0, None
    while pages == 0 or cursor is not None:
        cursor = _next(get(url if cursor is None else f"{url}?cursor={cursor}")).next_cursor
        pages += 1
    return pages


def standard_library(url: str) -> int:
    """http.client as it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def get(page: str) -> bytes:
        connection.request("GET", page.removeprefix(f"{parts.scheme}://{parts.netloc}"))
        return connection.getresponse().read()

    try:
        return walk(get, url)
    finally:
        connection.close()


def our_transport(url: str) -> int:
    """sdk/http: http.client with deadline, bounds and whole answers."""
    transport = HttpTransport(SystemClock(), 1 << 26, egress=Egress(private=("127.0.0.0/8",)))
    try:
        return walk(lambda page: transport.send(Request("GET", page), 60.0).body, url)
    finally:
        transport.close()


def httpx_client(url: str) -> int:
    """httpx, synchronous."""
    import httpx

    with httpx.Client() as client:
        return walk(lambda page: client.get(page).content, url)


def urllib3_client(url: str) -> int:
    """urllib3."""
    import urllib3

    with urllib3.PoolManager() as pool:
        return walk(lambda page: pool.request("GET", page).data, url)


def pyreqwest_client(url: str) -> int:
    """pyreqwest, synchronous."""
    from pyreqwest.client import SyncClientBuilder

    with SyncClientBuilder().build() as client:
        return walk(lambda page: bytes(client.get(page).build().send().bytes()), url)


def whole_source(url: str) -> int:
    """The rest source: every page fetched, checked and decoded into columns."""
    parts = urlsplit(url)
    text = CONNECTOR % (f"{parts.scheme}://{parts.netloc}", parts.path)
    spec = ConnectorSpec.model_validate_json(msgspec.json.encode(yaml.safe_load(text)))
    stream = spec.streams["items"]
    assert stream.record_schema is not None
    instance = Instance("bench", spec, IntegrationSpec(connector="bench"), {}, Path())
    source = open_source(instance, SourceRequest("items", logical_schema(stream.record_schema, stream.key), ()))
    try:
        batches = list(source.read(None))
    finally:
        source.close()
    assert not any(batch.malformed for batch in batches)
    return sum(len(batch.spans) for batch in batches)


CASES: tuple[tuple[str, str, Callable[[str], int]], ...] = (
    ("http.client", "http", standard_library),
    ("sdk/http", "http", our_transport),
    ("urllib3", "urllib3", urllib3_client),
    ("httpx", "httpx", httpx_client),
    ("pyreqwest", "pyreqwest", pyreqwest_client),
    ("rest source, whole", "http", whole_source),
)


def main(url: str, rounds: int) -> None:
    """Prints the median seconds and processor seconds of each client."""
    cases = [(name, run) for name, module, run in CASES if find_spec(module)]
    wall: dict[str, list[float]] = {name: [] for name, _ in cases}
    cpu: dict[str, list[float]] = {name: [] for name, _ in cases}
    pages = 0
    for _ in range(rounds):
        for name, run in cases:
            started, used = time.perf_counter(), time.process_time()
            pages = run(url)
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    print(f"{pages:,} pages, medians of {rounds}")
    for name, _ in cases:
        print(f"{name:20} {statistics.median(wall[name]):6.2f} s   {statistics.median(cpu[name]):6.2f} s processor")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else URL, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
