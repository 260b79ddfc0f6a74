"""Health and readiness of a daemon over HTTP, as orchestrators probe them: `/healthz` and `/readyz`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What a probe is answered: whether all is well, and the document that says how it stands.
Answer = Callable[[], tuple[bool, dict[str, Any]]]


@contextmanager
def serving(host: str, port: int, probes: dict[str, Answer]) -> Iterator[int]:
    """Answers GET of each path while the block runs: 200 or 503, with JSON. Gives the port; 0 asks for a free one.

    >>> import urllib.request
    >>> with serving("127.0.0.1", 0, {"/healthz": lambda: (True, {"leading": True})}) as port:
    ...     urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read()
    b'{"leading": true}'
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds: a probe that sends nothing is dropped
        server_version, sys_version = "syncline", ""

        def do_GET(self) -> None:
            probe = probes.get(self.path)
            ok, document = probe() if probe is not None else (False, {"error": "no such probe"})
            body = json.dumps(document).encode()
            self.send_response(200 if ok else 503 if probe is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's word
            """Says nothing: probes come every few seconds."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
