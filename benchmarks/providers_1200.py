"""
1,200 providers at 1 s latency, all asked at once by one process; then again while one of them never answers.

python benchmarks/providers_1200.py [PROVIDERS] [SECONDS]

Each provider is a host of its own (127.x.y.z, all served by one process), with its own account, breaker and connection.
Asked through the `rest` client, from a thread each. Exits with 1 where a bound is broken: all done within three times
the latency, under 500 MB, open files back to what they were, and the others' p95 less than doubled by one that hangs.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.connectors.rest.exchange.opening import open_client
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Again
from syncline.sdk.clients import Clients, Network, raise_open_files
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, Request
from syncline.sdk.keep import Keep
from syncline.sdk.source import Instance

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BODY = json.dumps({"data": [{"id": n, "name": "x" * 20} for n in range(100)]}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
TIMEOUT = 8.0


def serve(seconds: float, ready: Connection) -> None:
    """Answers everything after so many seconds; what begins with /hang, never."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(3600 if head.startswith(b"GET /hang") else seconds)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "0.0.0.0", 0, backlog=4096)  # noqa: S104 - loopback hosts differ
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    raise_open_files(16_384)
    asyncio.run(main())


def host(number: int) -> str:
    """A loopback address for each provider."""
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


def ask_all(keep: Keep, port: int, providers: int, hanging: int = -1) -> tuple[float, list[float]]:
    """Asks every provider once, at the same moment; the whole time, and the seconds of each that answered."""
    start = threading.Barrier(providers + 1)
    took = [0.0] * providers
    failed: list[BaseException] = []

    def one(number: int) -> None:
        base = f"http://{host(number)}:{port}"
        spec = {"version": "1.0.0", "http": {"url": base, "timeout": f"{TIMEOUT:g}s", "retry": {"attempts": 1}}}
        spec["http"]["breaker"] = {"failures": "50% of 20"}  # type: ignore[index]  # a dictionary
        instance = Instance(
            f"provider-{number}",
            ConnectorSpec.model_validate_json(json.dumps(spec)),
            IntegrationSpec(connector="provider"),
            {},
            Path(),
            keep=keep,
            network=Network(account=f"acme/provider-{number}", egress=Egress(private=("127.0.0.0/8",))),
        )
        client = open_client(instance, transport=None, clock=SystemClock(), chance=lambda: 0.5)
        start.wait()
        began = time.perf_counter()
        try:
            client.fetch(Request("GET", f"{base}/{'hang' if number == hanging else 'items'}"))
            took[number] = time.perf_counter() - began
        except Again as error:
            if number != hanging:
                failed.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(providers)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for number, thread in enumerate(threads):
        if number != hanging:
            thread.join()
    whole = time.perf_counter() - began
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return whole, [seconds for number, seconds in enumerate(took) if number != hanging]


def open_files() -> int:
    """How many this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def peak_memory() -> float:
    """The most that this process had in memory, in MB; `getrusage` counts what its parent had before it began."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(providers: int, seconds: float) -> int:
    """Prints what was measured; the number of broken bounds."""
    theirs, ours = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(seconds, theirs), daemon=True)
    server.start()
    port = ours.recv()
    try:
        before = open_files()
        rounds: list[tuple[str, float, float]] = []
        with Keep() as keep:
            keep.share(Clients())
            for name, hanging in (("cold", -1), ("kept connections", -1), ("one hangs", 0)):
                whole, took = ask_all(keep, port, providers, hanging)
                p95 = statistics.quantiles(took, n=20)[-1]
                rounds.append((name, whole, p95))
                print(f"{name:18} {whole:6.2f} s in all, p95 {p95:5.2f} s, of {len(took):,}")
        after = open_files()
    finally:
        server.terminate()
        server.join()
    memory = peak_memory()
    print(f"{'memory':18} {memory:6.0f} MB at most; open files {before} before, {after} after")
    bounds = {
        "all done within three times the latency": rounds[0][1] < 3 * seconds,
        "memory under 500 MB": memory < 500,
        "open files back to what they were": after <= before,
        "one that hangs slows the others' p95 less than twice": rounds[2][2] < 2 * rounds[1][2],
    }
    for what, held in bounds.items():
        if not held:
            print(f"BROKEN: {what}")
    return sum(not held for held in bounds.values())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(int(arguments[0]) if arguments else 1200, float(arguments[1]) if arguments[1:] else 1.0))
