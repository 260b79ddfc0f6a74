"""A small HTTP server for what a daemon is asked: bounded in time, size and connections. One request a connection."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from syncline.model.errors import Invalid
from syncline.model.pulse import thread, turned

if TYPE_CHECKING:
    from syncline.daemon.http.tls import ServerTls

#: Seconds that a connection may take from its start to its end, however it is used.
DEADLINE: Final = 10.0
#: Connections at once; further ones are closed, as an orchestrator or a Git server asks again.
CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `path` is as sent, the query included."""

    method: str
    path: str
    headers: Message
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status, a document that is sent as JSON, and further headers. `body` is sent instead, as `kind`."""

    status: int
    document: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    kind: str = "application/json"


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT` as a pair; the host is 127.0.0.1 where it is left out. `Invalid` (SYN666) for anything else.

    >>> address("127.0.0.1:8088"), address(":8088"), address("[::1]:8088")
    (('127.0.0.1', 8088), ('127.0.0.1', 8088), ('::1', 8088))
    """
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise Invalid(f"{text!a} is no address to listen at", code="SYN666", help="Give HOST:PORT: 127.0.0.1:8088.")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


@contextmanager
def listening(
    at: tuple[str, int],
    answer: Callable[[Asked], Reply],
    *,
    max_body: int = 0,
    name: str = "http",
    tls: ServerTls | None = None,
) -> Iterator[int]:
    """
    Answers GET, and POST where bodies of up to `max_body` bytes are read, while the block runs; with `tls`, nothing
    but HTTPS. Gives the port that is bound; 0 asks for a free one. `answer` is called by several threads. `Invalid`
    (SYN666) where it can't be bound. `name` is that of the loop that takes connections.
    """
    server = _server(at, answer, max_body, tls)
    taking = thread(name, server.serve_forever)
    taking.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        taking.join()


def _server(
    at: tuple[str, int], answer: Callable[[Asked], Reply], max_body: int, tls: ServerTls | None
) -> ThreadingHTTPServer:
    class Handler(_Handler):
        asked = staticmethod(answer)
        most = max_body

    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET

    try:
        return Server(at, Handler, tls)
    except OSError as error:
        raise Invalid(
            f"{at[0]}:{at[1]} can't be listened at: {error.strerror or error}",
            code="SYN666",
            help="Give an address of this machine and a port that is free.",
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, at: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ServerTls | None) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._tls = tls
        super().__init__(at, handler)

    def service_actions(self) -> None:
        turned()  # called after each wait of half a second at most
        if self._tls is not None:
            self._tls.remind()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection. Its handshake is left to its own thread: others don't wait for it."""
        connection, who = super().get_request()
        if self._tls is not None:
            connection = self._tls.context().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, who

    def finish_request(self, request: Any, client_address: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            request.settimeout(_Handler.timeout)
            request.do_handshake()
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                request.settimeout(0)  # says that this is the end, and doesn't wait for the same from there
                request.unwrap()
        super().shutdown_request(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        clock = threading.Timer(DEADLINE, _cut, (request,))
        clock.daemon = True
        clock.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            clock.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: whoever asked is gone, or was cut off."""


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # of the socket itself: TLS's own would have what is under way go on in the clear
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    timeout = 5  # seconds: one that sends nothing is dropped
    server_version, sys_version = "syncline", ""
    asked: Callable[[Asked], Reply]
    most: int

    def do_GET(self) -> None:
        self._send(self.asked(Asked("GET", self.path, self.headers)))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self.most:
            self._send(Reply(405, {"error": "only GET is answered here"}, {"Allow": "GET"}))
        elif not (length.isascii() and length.isdecimal()) or "Transfer-Encoding" in self.headers:
            self._send(Reply(411, {"error": "a body needs its Content-Length"}))
        elif len(length) > 12 or int(length) > self.most:
            self._send(Reply(413, {"error": f"a body has at most {self.most} bytes"}))
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):  # else it was cut off
                self._send(self.asked(Asked("POST", self.path, self.headers, body)))

    def _send(self, reply: Reply) -> None:
        body = json.dumps(reply.document).encode() if reply.body is None else reply.body
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's word
        """Says nothing: probes come every few seconds."""
