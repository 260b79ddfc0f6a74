"""Where a browser comes back to after a login: one address on this machine, for one answer (RFC 8252, section 7.3)."""

from __future__ import annotations

import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from syncline.model.errors import Invalid, Stalled

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Syncline</title>
<p>The answer has arrived. You can close this window, and go on in the terminal.</p></html>"""
#: Seconds that one connection may take: who connects and says nothing doesn't keep the browser out.
_PATIENCE = 5.0


class Loopback:
    """
    Listens at a redirect URI such as `http://127.0.0.1/callback`; without a port, at a free one. `uri` is with it.

    `Invalid` where the port is taken.
    """

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        self._path = parts.path or "/"
        self._found: str | None = None
        host = parts.hostname or "127.0.0.1"
        address = "127.0.0.1" if host == "localhost" else host
        kind = _Six if ":" in address else HTTPServer
        try:
            self._server = kind((address, parts.port or 0), self._handler())
        except OSError as error:
            raise Invalid(
                f"nothing can listen at {redirect_uri}: {error.strerror}",
                code="SYN444",
                help="Stop what uses the port, or declare a redirectUri with another one.",
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.uri = f"http://{shown}:{self._server.server_port}{self._path}"

    def wait(self, seconds: float) -> str:
        """The URL that the browser came back with. `Stalled` when none comes within so many seconds."""
        deadline = time.monotonic() + seconds
        while self._found is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Stalled(
                    f"nobody has come back from the login within {seconds:.0f} s",
                    code="SYN444",
                    help="Nothing was stored. Begin again, and give it longer with --timeout.",
                )
            self._server.timeout = left
            self._server.handle_request()
        return self._found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                ours = urlsplit(self.path).path == loopback._path
                body = _PAGE.encode() if ours else b"There is nothing here."
                self.send_response(200 if ours else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8" if ours else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)
                if ours:
                    loopback._found = self.path

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
                """Nothing: the path holds the code."""

        return Handler

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.server_close()


class _Six(HTTPServer):
    address_family = socket.AF_INET6
