"""A small HTTP proxy for tests: tunnels (CONNECT) and passes on whole URLs, remembers what it was asked, may refuse.

Names are looked up in `names`, and nowhere else, as a proxy does in a network of its own.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.api_server import Asked


@dataclass
class ProxyServer:
    """A running proxy: its port of 127.0.0.1, the requests to itself so far, and how many connections were made."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


@contextmanager
def proxy_server(
    refuse: Callable[[Asked], int] = lambda _: 0, names: Mapping[str, str] | None = None
) -> Iterator[ProxyServer]:
    """Runs a proxy while the context lasts. `refuse` gives the status of a refusal, 0 for none."""
    known = names or {}

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            running.connections += 1

        def _asked(self) -> int:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            running.asked.append(Asked(self.command, self.path, {}, headers, body))
            return refuse(running.asked[-1])

        def _refused(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"refused")
            self.close_connection = True

        def do_CONNECT(self) -> None:
            if status := self._asked():
                self._refused(status)
                return
            host, _, port = self.path.rpartition(":")
            try:
                there = socket.create_connection((known.get(host, host.strip("[]")), int(port)), 30)
            except OSError:
                self._refused(503)
                return
            self.send_response(200, "Connection established")
            self.end_headers()
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join()
            there.close()
            self.close_connection = True

        def _passed_on(self) -> None:
            if status := self._asked():
                self._refused(status)
                return
            parts = urlsplit(self.path)
            host = known.get(parts.hostname or "", parts.hostname or "")
            there = http.client.HTTPConnection(host, parts.port or 80, timeout=30)
            kept = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            there.request(self.command, path, running.asked[-1].body or None, kept)
            answer = there.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            there.close()

        do_GET = do_POST = _passed_on  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Requests)
    running = ProxyServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
