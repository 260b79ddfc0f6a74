"""One persistent HTTP/1.1 connection over an open socket, with one deadline for all of an exchange.

Requests are written here, and answers are read by the standard library. However slowly an answer trickles, each receive
gets only the time that is left.
"""

from __future__ import annotations

import io
import re
import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from syncline.model.errors import Invalid
from syncline.sdk.http.body import read_response
from syncline.sdk.http.head import HeadedResponse
from syncline.sdk.http.message import Request, Response
from syncline.sdk.http.nested import NestedTls, beneath
from syncline.sdk.http.url import Origin

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from syncline.sdk.clock import Clock

#: The head of a request, one line each: no value of it may begin another.
_HEAD: Final = re.compile(r"[!-~]+ [!-~]+ HTTP/1\.1(?:\n[!#-'*+.0-9A-Z^-z|~-]+: [\t -~\x80-\xff]*)*")
#: Methods whose requests tell the length of their body, also where that is 0 (RFC 9110, section 8.6).
_SIZED: Final = frozenset({"POST", "PUT", "PATCH"})
#: Bodies of so many bytes go out together with their head.
_TOGETHER: Final = 64 * 1024


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
        self._method = ""
        self._host = urlsplit(prefix).netloc or _host_of(origin)
        self.reusable = True
        self.idle_since = 0.0

    def put(self, request: Request, parts: SplitResult, deadline: float) -> None:
        """Sends a request; the answer is to be complete by `deadline` (monotonic)."""
        self._deadline = deadline
        self._unpacks = not request.raw
        self._method = request.method
        target = self._prefix + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = self._head(request, target, {"Accept-Encoding": "gzip", **request.headers, **self._more})
        try:
            _allow(self._sock, self._remaining())
            if len(request.body) <= _TOGETHER:
                self._sock.sendall(head + request.body)
            else:
                self._sock.sendall(head)
                self._sock.sendall(request.body)
        except BaseException:
            self.reusable = False
            raise

    def extend(self, deadline: float) -> None:
        """Another deadline for the answer that is awaited."""
        self._deadline = deadline

    def receive(self, max_body: int) -> Response:
        """The whole answer to what was put."""
        self.reusable = False
        # It only wants something that has makefile().
        answer = HeadedResponse(Deadlined(self._sock, self._remaining), method=self._method)  # type: ignore[arg-type]
        try:
            answer.begin()
            response = read_response(answer, max_body, unpack=self._unpacks)
        finally:
            answer.close()
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
        self._sock.close()

    def _head(self, request: Request, target: str, headers: Mapping[str, str]) -> bytes:
        """What is sent before the body. `Invalid` (SYN431) for what would be no head, or more than one."""
        names = {name.lower() for name in headers}
        lines = [f"{request.method} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {self._host}")
        sized = request.body or request.method in _SIZED
        if sized and "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(request.body)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\n".join(lines)
        if _HEAD.fullmatch(head) is None or head.count("\n") != len(lines) - 1:
            raise Invalid(
                f"{request.method} would be sent with a path or header that HTTP can't carry",
                code="SYN431",
                help="Names of headers have no spaces; values have no ends of lines and no letters beyond Latin-1.",
            )
        return (head.replace("\n", "\r\n") + "\r\n\r\n").encode("latin-1")

    def _remaining(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _host_of(origin: Origin) -> str:
    """An origin's host as the header Host has it: with its port, unless that is the scheme's own."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == (443 if origin.scheme == "https" else 80) else f"{host}:{origin.port}"


def _allow(sock: socket.socket | NestedTls, seconds: float) -> None:
    """Gives an operation of a socket so long, to within a hundredth: it is a system call, and most requests of a
    connection are given the same.
    """
    given = sock.gettimeout()
    if given is None or abs(given - seconds) > seconds / 100:
        sock.settimeout(seconds)


class Deadlined(io.RawIOBase):
    """What an HTTPResponse reads from: the socket, each receive with the time that is left of the whole exchange.

    Example: `http.client.HTTPResponse(Deadlined(sock, lambda: deadline - time.monotonic())).begin()`.
    """

    def __init__(self, sock: socket.socket | NestedTls, remaining: Callable[[], float]) -> None:
        self._sock = sock
        self._remaining = remaining

    def makefile(self, *_: object) -> io.BufferedReader:
        """Itself, as a socket gives its file."""
        return io.BufferedReader(self, 64 * 1024)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Receives what there is."""
        _allow(self._sock, self._remaining())
        return self._sock.recv_into(buffer)
