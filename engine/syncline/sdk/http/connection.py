"""One persistent HTTP/1.1 connection: the standard library's, with one deadline for all of an exchange.

However slowly an answer trickles, each receive gets only the time that is left. It never connects by itself: its socket
was opened to an address that had been checked.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from syncline.sdk.http.body import read_response
from syncline.sdk.http.head import HeadedResponse
from syncline.sdk.http.message import Request, Response
from syncline.sdk.http.nested import NestedTls, beneath
from syncline.sdk.http.url import Origin

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from syncline.sdk.clock import Clock


class Connection:
    """A connection with an open socket, for one exchange at a time: `put`, then `receive`.

    `reusable` is False once an exchange failed or the server said that it closes. `prefix` and `more` are for a proxy
    that requests are given to: what stands before each path, and headers that are meant for it. Example:

        connection = Connection(sock, origin_of(url), SystemClock())
        connection.put(Request("GET", url), urlsplit(url), deadline)
        response = connection.receive(max_body=1 << 20)
    """

    def __init__(
        self,
        sock: socket.socket | NestedTls,
        origin: Origin,
        clock: Clock,
        *,
        prefix: str = "",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self._prefix = prefix
        self._more = more
        self._deadline = 0.0
        self._unpacks = True
        self._sock = sock
        self._raw = http.client.HTTPConnection(origin.host, origin.port)
        self._raw.default_port = 443 if origin.scheme == "https" else 80
        self._raw.auto_open = 0  # a connection that it opened by itself would be to an unchecked address
        self._raw.sock = sock
        self._raw.response_class = self._response  # type: ignore[assignment]  # a factory will do
        self.reusable = True
        self.idle_since = 0.0

    def put(self, request: Request, parts: SplitResult, deadline: float) -> None:
        """Sends a request; the answer is to be complete by `deadline` (monotonic)."""
        self._deadline = deadline
        self._unpacks = not request.raw
        self._sock.settimeout(self._remaining())
        target = self._prefix + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "gzip", **request.headers, **self._more}
        try:
            self._raw.request(request.method, target, body=request.body or None, headers=headers)
        except BaseException:
            self.reusable = False
            raise

    def extend(self, deadline: float) -> None:
        """Another deadline for the answer that is awaited."""
        self._deadline = deadline

    def receive(self, max_body: int) -> Response:
        """The whole answer to what was put."""
        self.reusable = False
        answer = self._raw.getresponse()
        try:
            response = read_response(answer, max_body, unpack=self._unpacks)
        except BaseException:
            answer.close()  # it holds the socket open
            raise
        self.reusable = not answer.will_close
        return response

    def quiet(self) -> bool:
        """Whether nothing arrived while it was idle: a server says that it closes by an end of the stream."""
        with suppress(OSError, ValueError):
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return not poll.poll(0)
        return False

    def interrupt(self) -> None:
        """Makes an exchange in another thread fail at once."""
        with suppress(OSError):
            # Not SSLSocket's own, which takes the TLS state away from under the thread that reads.
            socket.socket.shutdown(beneath(self._sock), socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the socket."""
        self.reusable = False
        self._raw.close()

    def _response(self, sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        return HeadedResponse(Deadlined(sock, self._remaining), *args, **kwargs)  # type: ignore[arg-type]  # it has makefile()

    def _remaining(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Deadlined(io.RawIOBase):
    """What an HTTPResponse reads from: the socket, each receive with the time that is left of the whole exchange.

    Example: `http.client.HTTPResponse(Deadlined(sock, lambda: deadline - time.monotonic())).begin()`.
    """

    def __init__(self, sock: socket.socket | NestedTls, remaining: Callable[[], float]) -> None:
        self._sock = sock
        # Holds the socket open while a response is read whose connection is to be closed after it.
        self._raw = sock.makefile("rb", buffering=0)
        self._remaining = remaining

    def makefile(self, *_: object) -> io.BufferedReader:
        """Itself, as a socket gives its file."""
        return io.BufferedReader(self, 64 * 1024)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Receives what there is."""
        self._sock.settimeout(self._remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Closes the file; the socket stays open."""
        self._raw.close()
        super().close()
