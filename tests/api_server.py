"""A real HTTP server for tests: answers by a function, remembers what it was asked.

A test gives a handler from `Asked` to `Reply`; `pages` has ready ones for the ways of paging. Runs in a thread of the
test's process and speaks HTTP/1.1 with persistent connections, as real APIs do.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Asked:
    """A request as it came in; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer. `body` is sent as it is when it is bytes, else as JSON. `cut` closes after so many bytes of it."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: int | None = None


@dataclass
class ApiServer:
    """A running server: its base URL, and the requests so far."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def api_server(handler: Callable[[Asked], Reply], tls: ssl.SSLContext | None = None) -> Iterator[ApiServer]:
    """Run a server at a free local port while the context lasts; with `tls`, one that speaks it."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)
            running.asked.append(asked)
            reply = handler(asked)
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data if reply.cut is None else data[: reply.cut])
            self.close_connection = self.close_connection or reply.cut is not None

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512  # hundreds of clients may come at once: none of them waits for its SYN to be repeated

    server = Server(("127.0.0.1", 0), Requests)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    running = ApiServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pages(records: Sequence[Any], size: int, way: str) -> Callable[[Asked], Reply]:
    """A handler that pages through records: by `cursor`, `page`, `offset`, `next` or `link`."""

    def part(asked: Asked) -> tuple[int, int]:
        match way:
            case "page":
                start = (int(asked.query["page"]) - 1) * size
            case "offset":
                start = int(asked.query["offset"])
            case _:
                start = int(asked.query.get("cursor", "0"))
        return start, start + size

    def answer(asked: Asked) -> Reply:
        start, end = part(asked)
        body: dict[str, Any] = {"data": records[start:end]}
        headers: dict[str, str] = {}
        if way == "cursor":
            body["next"] = str(end) if end < len(records) else None
        elif way == "next":
            body["next"] = f"{asked.path}?cursor={end}" if end < len(records) else ""
        elif way == "link" and end < len(records):
            headers["Link"] = f'<{asked.path}?cursor=0>; rel="first", <{asked.path}?cursor={end}>; rel="next"'
        return Reply(body, headers=headers)

    return answer
