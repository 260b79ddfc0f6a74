"""One HTTP exchange: requests and responses as values, and a transport with one method.

The transport is the standard library's persistent connection with what it lacks: one deadline for all of an exchange
(however slowly it trickles), a bound on the body before and after decompression, and no half answers. What this isn't:
it neither authenticates, retries, follows redirects nor honours proxies; those are decisions, made by its caller.
`docs/decisions/0003-http-client.md` has the measurements behind the choice.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from syncline.sdk.clock import Clock

_CHUNK = 256 * 1024
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with an absolute URL. Its `repr` shows neither query nor headers, where secrets may be.

    >>> Request("GET", "https://api.example.com/tickets?token=t0k3n").with_headers(Accept="text/csv")
    Request(GET https://api.example.com/tickets)
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"

    def with_headers(self, **headers: str) -> Request:
        """The request with these headers added."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response: header names in lower case, the body decompressed.

    >>> Response(429, {"retry-after": "3"}, b"").headers["retry-after"]
    '3'
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """An exchange did not complete. `kind` is as in `retry.on`; `permanent`: trying again is useless.

    >>> TransportError("no complete answer within 30 s", "timeout").kind
    'timeout'
    """

    def __init__(self, message: str, kind: Literal["timeout", "connection"], *, permanent: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.permanent = permanent


class Transport(Protocol):
    """Sends requests, one at a time. A fake is a class with these three methods.

    >>> class Always:
    ...     def send(self, request: Request, timeout: float) -> Response:
    ...         return Response(200, {}, b"[]")
    ...     def close(self) -> None:
    ...         pass
    >>> transport: Transport = Always()
    >>> transport.send(Request("GET", "https://api.example.com/"), timeout=30).body
    b'[]'
    """

    def ahead(self, request: Request, timeout: float) -> None:
        """
        May send a request before `send` is called with an equal one, which then only has to wait for the answer.

        For requests that change nothing. Never raises: what goes wrong shows when it is sent.
        """

    def send(self, request: Request, timeout: float) -> Response:
        """The whole response within `timeout` seconds. Raises `TransportError`, or `Invalid` for too large a body."""

    def close(self) -> None:
        """Closes its connections."""


def same_origin(base: str, url: str) -> bool:
    """Whether a URL is at the origin (RFC 6454) of a base: where credentials may go. Never true for another scheme.

    >>> same_origin("https://api.example.com/v1", "https://API.example.com:443/v2")
    True
    >>> same_origin("https://api.example.com", "http://api.example.com")
    False
    """
    return _origin(urlsplit(base)) == _origin(urlsplit(url))


def checked_url(url: str) -> str:
    """The URL, if it is one that may be asked: http or https, a host, no user name in it, no control characters.

    >>> checked_url("https://api.example.com/me")
    'https://api.example.com/me'
    >>> checked_url("file:///etc/passwd")
    Traceback (most recent call last):
    syncline.model.errors.Invalid: not a URL that can be asked: '/etc/passwd'
    """
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        parts, port_ok = SplitResult("", "", "", "", ""), False
    plain = url.isascii() and url.isprintable() and " " not in url and "%" not in parts.netloc
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or not port_ok
        or not plain
    ):
        raise Invalid(
            f"not a URL that can be asked: {shown_url(url)[:200]!a}",
            code="SYN406",
            help="An absolute http or https URL with a host and without a user name is expected.",
        )
    return url


def with_query(url: str, values: Mapping[str, str]) -> str:
    """The URL with these query parameters set, instead of those of the same names.

    >>> with_query("https://api.example.com/tickets?page=1", {"page": "2"})
    'https://api.example.com/tickets?page=2'
    """
    if not values:
        return url
    if "?" not in url and "#" not in url:
        return f"{url}?{urlencode(values, quote_via=quote)}"
    parts = urlsplit(url)
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k not in values]
    query = urlencode([*kept, *values.items()], quote_via=quote)
    return urlunsplit(parts._replace(query=query, fragment=""))


def without_query(url: str, names: frozenset[str]) -> str:
    """The URL without these query parameters; unchanged (byte for byte) when it has none of them.

    >>> without_query("https://api.example.com/tickets?page=1&k=t0k3n", frozenset({"k"}))
    'https://api.example.com/tickets?page=1'
    """
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(k, v) for k, v in pairs if k not in names]
    if len(kept) == len(pairs):
        return url
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))


#: Query parameters whose values are never shown, whatever the connector calls its key.
_SENSITIVE = frozenset({
    "access_token", "api_key", "api-key", "apikey", "auth", "key", "password", "secret", "sig", "signature", "token",
    "x-amz-signature", "x-amz-security-token",
})  # fmt: skip


def shown_url(url: str, sensitive: frozenset[str] = frozenset()) -> str:
    """Path and query for people: `/tickets?cursor=8&api_key=***`. Host and fragment are left out.

    >>> shown_url("https://api.example.com/tickets?cursor=8&api_key=t0k3n")
    '/tickets?cursor=8&api_key=***'
    """
    parts = urlsplit(url)
    hidden = _SENSITIVE | {name.lower() for name in sensitive}
    shown = [
        f"{quote(name, safe='.-_[]')}={'***' if name.lower() in hidden else quote(value, safe=':.,-_')}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return (parts.path or "/") + ("?" + "&".join(shown) if shown else "")


class HttpTransport:
    """A persistent HTTP/1.1 connection to one origin at a time. Used by one thread.

    Example: `HttpTransport(SystemClock(), max_body=1 << 20).send(Request("GET", url), timeout=30)`.
    """

    def __init__(self, clock: Clock, max_body: int, *, context: ssl.SSLContext | None = None) -> None:
        self._clock = clock
        self._max_body = max_body
        self._context = context
        self._connection: http.client.HTTPConnection | None = None
        self._origin: tuple[str, str, int] | None = None
        self._deadline = 0.0
        self._pending: Request | None = None

    def ahead(self, request: Request, timeout: float) -> None:
        self._deadline = self._clock.monotonic() + timeout
        parts = urlsplit(request.url)
        # Only on a connection that is open already: making one is slow, and fails in ways that `send` tells.
        if self._connection is None or self._connection.sock is None or self._origin != _origin(parts):
            return
        try:
            self._put(self._connection, request, parts)
            self._pending = request
        except (OSError, ValueError, http.client.HTTPException):
            self.close()

    def send(self, request: Request, timeout: float) -> Response:
        self._deadline = self._clock.monotonic() + timeout
        parts = urlsplit(checked_url(request.url))
        try:
            return self._exchange(request, parts)
        except TimeoutError as error:
            raise TransportError(f"no complete answer within {timeout:g} s", "timeout") from error
        except ssl.SSLCertVerificationError as error:
            raise TransportError(
                f"certificate refused: {error.verify_message}", "connection", permanent=True
            ) from error
        except socket.gaierror as error:
            raise TransportError(f"host {parts.hostname} has no address", "connection") from error
        except http.client.IncompleteRead as error:
            raise TransportError("the answer ended early", "connection") from error
        except (OSError, http.client.HTTPException) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise TransportError(f"connection failed: {reason}", "connection") from error

    def close(self) -> None:
        connection, self._connection, self._origin, self._pending = self._connection, None, None, None
        if connection is not None:
            connection.close()

    def _exchange(self, request: Request, parts: SplitResult) -> Response:
        if self._pending is not None:
            if self._pending == request and self._connection is not None:
                try:
                    return self._receive(self._connection)
                except (OSError, http.client.HTTPException, TransportError):
                    pass  # it may have waited for too long: ask again, as if it hadn't been sent
            self.close()
        reused = self._connection is not None and self._origin == _origin(parts)
        try:
            return self._once(request, parts)
        except _STALE:
            # The server closed a connection that had been idle: no answer began, so a safe request may be sent again.
            if not reused or request.method not in {"GET", "HEAD"}:
                raise
            return self._once(request, parts)

    def _once(self, request: Request, parts: SplitResult) -> Response:
        try:
            connection = self._connected(_origin(parts))
            self._put(connection, request, parts)
        except BaseException:
            self.close()
            raise
        return self._receive(connection)

    @staticmethod
    def _put(connection: http.client.HTTPConnection, request: Request, parts: SplitResult) -> None:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "gzip", **request.headers}
        connection.request(request.method, target, body=request.body or None, headers=headers)

    def _receive(self, connection: http.client.HTTPConnection) -> Response:
        self._pending = None
        complete = False
        try:
            answer = connection.getresponse()
            response = self._read(answer)
            complete = not answer.will_close
            return response
        finally:
            if not complete:
                self.close()

    def _connected(self, origin: tuple[str, str, int]) -> http.client.HTTPConnection:
        if self._connection is not None and self._origin == origin:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._remaining())
            return self._connection
        self.close()
        scheme, host, port = origin
        if scheme == "https":
            context = self._context or _trusted()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._remaining(), context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._remaining())
        connection.response_class = self._response  # type: ignore[assignment]  # a factory will do
        connection.connect()
        # Header and body of a request go out as two writes, which Nagle's algorithm would hold up.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._origin = connection, origin
        return connection

    def _response(self, sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Deadlined(sock, self._remaining), *args, **kwargs)  # type: ignore[arg-type]  # it has makefile()

    def _remaining(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _read(self, answer: http.client.HTTPResponse) -> Response:
        length = answer.length
        if length is not None and length > self._max_body:
            raise self._too_large()
        encoding = (answer.getheader("Content-Encoding") or "identity").lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise TransportError(f"unknown Content-Encoding {encoding[:40]!a}", "connection", permanent=True)
        if encoding == "identity" and length is not None:
            body = answer.read()  # raises IncompleteRead when cut
        else:
            body = self._stream(answer, inflate=encoding != "identity")
        headers: dict[str, str] = {}
        for name, value in answer.getheaders():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        return Response(answer.status, headers, body)

    def _stream(self, answer: http.client.HTTPResponse, *, inflate: bool) -> bytes:
        inflater = zlib.decompressobj(wbits=31) if inflate else None
        declared, received, size = answer.length, 0, 0
        chunks: list[bytes] = []
        while chunk := answer.read(_CHUNK):
            received += len(chunk)
            if inflater is not None:
                try:
                    chunk = inflater.decompress(chunk, self._max_body + 1 - size)
                except zlib.error as error:
                    raise TransportError("damaged gzip data", "connection") from error
            size += len(chunk)
            if size > self._max_body or received > self._max_body:
                raise self._too_large()
            chunks.append(chunk)
        cut = declared is not None and received < declared
        if cut or (inflater is not None and received and not inflater.eof):
            raise TransportError("the answer ended early", "connection")
        return b"".join(chunks)

    def _too_large(self) -> Invalid:
        return Invalid(
            f"an answer has more than {self._max_body:,} bytes",
            code="SYN407",
            help="Ask for smaller pages, or raise http.maxBody of the connector.",
        )


class _Deadlined(io.RawIOBase):
    """What an HTTPResponse reads from: the socket, each receive with the time that is left of the whole exchange."""

    def __init__(self, sock: socket.socket, remaining: Callable[[], float]) -> None:
        self._sock = sock
        # Holds the socket open while a response is read whose connection is to be closed after it.
        self._raw = sock.makefile("rb", buffering=0)
        self._remaining = remaining

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self, 64 * 1024)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's trusted authorities, read once: it takes tens of milliseconds."""
    return ssl.create_default_context()


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return (parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80))
