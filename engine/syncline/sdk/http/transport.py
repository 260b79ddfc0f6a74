"""The transport over pooled connections: a request's whole answer under one deadline, from a host that may be reached.

Several threads may use one at once: each exchange has a connection of its own, taken from the pool and given back. The
deadline covers all of it: looking up the host, connecting, TLS, sending and receiving. Before anything is sent, the
addresses are checked (see `egress.py`), and the connection is made to a checked one.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Hashable, Sequence
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from syncline.model.errors import Denied, Invalid
from syncline.sdk.clock import Clock
from syncline.sdk.http.body import Cut
from syncline.sdk.http.connection import Connection
from syncline.sdk.http.egress import Egress
from syncline.sdk.http.lookup import Lookup, Lookups
from syncline.sdk.http.message import Request, Response, TransportError
from syncline.sdk.http.nested import NestedTls
from syncline.sdk.http.pool import Pool
from syncline.sdk.http.proxy import Proxy, place_of
from syncline.sdk.http.tls import Spoken, Tls, check_pins, context_of, refused, spoken
from syncline.sdk.http.url import Origin, checked_url, origin_of

_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
_SAFE = frozenset({"GET", "HEAD"})
#: Addresses of a host that are tried, one after another.
_ADDRESSES = 8
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})


class _Way(Struct, frozen=True):
    """How a transport reaches what it does: transports with equal ways may use each other's connections."""

    egress: Egress
    tls: Hashable
    proxies: tuple[Proxy, ...]


class HttpTransport:
    """See `Transport`. `context` is a ready TLS context instead of what `tls` says; of `proxies`, the
    first that leads to a host is gone through.

    Example: `HttpTransport(SystemClock(), max_body=1 << 20).send(Request("GET", url), timeout=30)`.
    """

    def __init__(
        self,
        clock: Clock,
        max_body: int,
        *,
        pool: Pool | None = None,
        lookup: Lookup | None = None,
        egress: Egress = Egress(),  # noqa: B008 - a frozen value
        tls: Tls = Tls(),  # noqa: B008 - likewise
        context: ssl.SSLContext | None = None,
        proxies: Sequence[Proxy] = (),
    ) -> None:
        self._clock = clock
        self._max_body = max_body
        self._pool = pool or Pool(clock)
        self._own_pool = pool is None
        self._lookup = lookup or Lookups()
        self._egress = egress
        self._tls = tls
        self._context = context
        self._proxies = tuple(proxies)
        self._way = _Way(egress, context or tls, self._proxies)
        #: What the last TLS connection that was opened turned out to be.
        self.spoken: Spoken | None = None
        self._lock = threading.Lock()
        self._busy: set[Connection] = set()
        self._pending: dict[int, tuple[Request, Connection]] = {}  # by thread
        self._closed = False

    def ahead(self, request: Request, timeout: float) -> None:
        self._forget()
        parts = urlsplit(request.url)
        # Only on a connection that is open already: making one is slow, and fails in ways that `send` tells.
        connection = self._taken(origin_of(parts))
        if connection is None:
            return
        try:
            connection.put(request, parts, self._clock.monotonic() + timeout)
            self._pending[threading.get_ident()] = (request, connection)
        except (OSError, Invalid, http.client.HTTPException):
            self._drop(connection)

    def send(self, request: Request, timeout: float) -> Response:
        deadline = self._clock.monotonic() + timeout
        parts = urlsplit(checked_url(request.url))
        try:
            return self._exchange(request, parts, deadline)
        except Denied:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise _told(error, parts, timeout, closed=self._closed) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            busy, pending = list(self._busy), [connection for _, connection in self._pending.values()]
            self._pending.clear()
        for connection in busy:
            connection.interrupt()
        for connection in pending:
            self._drop(connection)
        if self._own_pool:
            self._pool.close()

    # --- one exchange

    def _exchange(self, request: Request, parts: SplitResult, deadline: float) -> Response:
        origin = origin_of(parts)
        pending = self._pending.pop(threading.get_ident(), None)
        if pending is not None:
            asked, connection = pending
            if asked == request:
                connection.extend(deadline)
                try:
                    return self._received(connection, origin)
                except (OSError, http.client.HTTPException, TransportError):
                    pass  # it may have waited for too long: ask again, as if it hadn't been sent
            else:
                self._drop(connection)
        reused = self._taken(origin)
        if reused is not None:
            try:
                return self._once(reused, origin, request, parts, deadline)
            except _STALE:
                # The server closed a connection that had been idle: no answer began, so a safe request may go again.
                if request.method not in _SAFE:
                    raise
        return self._once(self._opened(origin, deadline), origin, request, parts, deadline)

    def _once(
        self, connection: Connection, origin: Origin, request: Request, parts: SplitResult, deadline: float
    ) -> Response:
        try:
            connection.put(request, parts, deadline)
        except BaseException:
            self._drop(connection)
            raise
        return self._received(connection, origin)

    def _received(self, connection: Connection, origin: Origin) -> Response:
        try:
            response = connection.receive(self._max_body)
            proxy = self._proxy_to(origin) if response.status == 407 else None
            if proxy is not None and not proxy.tunnels(origin):
                raise proxy.refusal(407, place_of(origin))
            return response
        finally:
            self._busy.discard(connection)
            if connection.reusable and not self._closed:
                self._pool.give((origin, self._way), connection)
            else:
                connection.close()

    def _forget(self) -> None:
        """Gives up what this thread had sent ahead."""
        pending = self._pending.pop(threading.get_ident(), None)
        if pending is not None:
            self._drop(pending[1])

    def _drop(self, connection: Connection) -> None:
        self._busy.discard(connection)
        connection.close()

    # --- connections

    def _taken(self, origin: Origin) -> Connection | None:
        connection = self._pool.take((origin, self._way))
        if connection is not None:
            self._track(connection)
        return connection

    def _opened(self, origin: Origin, deadline: float) -> Connection:
        proxy = self._proxy_to(origin)
        way = self._connected(origin, deadline) if proxy is None else self._proxied(proxy, origin, deadline)
        sock: socket.socket | NestedTls = way
        try:
            # Header and body of a request go out as two writes, which Nagle's algorithm would hold up.
            way.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.scheme == "https":
                sock = secured = self._secured(way, origin, deadline)
                self.spoken = spoken(secured)
        except BaseException:
            sock.close()
            raise
        if proxy is not None and not proxy.tunnels(origin):
            connection = Connection(sock, origin, self._clock, prefix=place_of(origin), more=proxy.headers)
        else:
            connection = Connection(sock, origin, self._clock)
        self._track(connection)
        return connection

    def _secured(self, way: socket.socket, origin: Origin, deadline: float) -> ssl.SSLSocket | NestedTls:
        """TLS with a server, over a connection that a proxy may have secured already."""
        context = self._context or context_of(self._tls)
        if isinstance(way, ssl.SSLSocket):
            nested = NestedTls.handshaken(way, context, origin.host, self._left(deadline))
            check_pins(nested, self._tls.pins, origin.host)
            return nested
        way.settimeout(self._left(deadline))
        return context.wrap_socket(way, server_hostname=origin.host)

    def _connected(self, origin: Origin, deadline: float) -> socket.socket:
        """A socket to a host that may be reached."""
        found = self._lookup(origin.host, self._left(deadline))[:_ADDRESSES]
        self._egress.check(origin.host, found)
        return self._dialled(found, origin.port, deadline)

    def _dialled(self, found: Sequence[str], port: int, deadline: float) -> socket.socket:
        """A socket to the first address that accepts; each gets its share of the time that is left."""
        for index, address in enumerate(found):
            try:
                return socket.create_connection((address, port), self._left(deadline) / (len(found) - index))
            except OSError as error:
                if index == len(found) - 1 or error.errno in _NO_FILES:
                    raise
        raise socket.gaierror(socket.EAI_NONAME, "no address")

    # --- through a proxy

    def _proxy_to(self, origin: Origin) -> Proxy | None:
        return next((proxy for proxy in self._proxies if proxy.leads_to(origin)), None)

    def _proxied(self, proxy: Proxy, origin: Origin, deadline: float) -> socket.socket:
        """A socket on which the host answers, or, without TLS, a proxy that passes requests on to it."""
        targets = self._targets(proxy, origin, deadline)
        for index, target in enumerate(targets):
            until = self._clock.monotonic() + self._left(deadline) / (len(targets) - index)
            try:
                return self._tunnelled(proxy, target, origin, until)
            except TransportError as error:
                # It may reach another address of the host, as where it speaks IPv4 only.
                if index == len(targets) - 1 or error.code != "SYN541":
                    raise
        raise socket.gaierror(socket.EAI_NONAME, "no address")

    def _targets(self, proxy: Proxy, origin: Origin, deadline: float) -> tuple[str, ...]:
        """What a proxy is asked to connect to: checked addresses, or the name where it looks names up itself."""
        if proxy.lookup == "proxy":
            self._egress.check_name(origin.host)
            return (origin.host,)
        found = self._lookup(origin.host, self._left(deadline))[:_ADDRESSES]
        self._egress.check(origin.host, found)
        if not proxy.tunnels(origin) and found != (origin.host,):
            raise Denied(
                f"{origin.host} can't be asked over http through the proxy {proxy}",
                code="SYN545",
                help="Without TLS the proxy looks the name up itself: say so by proxy.lookup: proxy, or use https.",
            )
        return found

    def _tunnelled(self, proxy: Proxy, target: str, origin: Origin, deadline: float) -> socket.socket:
        try:
            found = self._lookup(proxy.host, self._left(deadline))[:_ADDRESSES]
            proxy.bounds(self._egress).check(proxy.host, found)
            sock = self._dialled(found, proxy.port, deadline)
            return proxy.led(sock, target, origin, lambda: self._left(deadline))
        except (OSError, http.client.HTTPException) as error:
            if self._closed or getattr(error, "errno", None) in _NO_FILES:
                raise
            raise proxy.unreachable(error) from error

    def _track(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._busy.add(connection)
                return
        connection.close()
        raise ConnectionAbortedError(errno.ECONNABORTED, "closed")

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _told(
    error: OSError | http.client.HTTPException, parts: SplitResult, timeout: float, *, closed: bool
) -> TransportError:
    """What an exchange failed of, in words."""
    match error:
        case _ if closed:
            return TransportError("the client was closed while it asked", "connection")
        case TimeoutError():
            return TransportError(f"no complete answer within {timeout:g} s", "timeout")
        case ssl.SSLCertVerificationError():
            return TransportError(f"certificate refused: {error.verify_message}", "connection", permanent=True)
        case ssl.SSLError() if reason := refused(error):
            return TransportError(
                reason,
                "connection",
                permanent=True,
                code="SYN468",
                help='An older server needs tls: {min: "1.2"} in the integration; one that asks for a client '
                "certificate needs it in the AuthConfig.",
            )
        case socket.gaierror():
            return TransportError(f"host {parts.hostname} has no address", "connection", unsent=True)
        case Cut():
            return TransportError("the answer ended early", "connection", part=error.response)
        case http.client.IncompleteRead():
            return TransportError("the answer ended early", "connection")
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return TransportError(
                f"no more connections can be opened: {os.strerror(error.errno or 0)}",
                "connection",
                code="SYN466",
                help="Raise the limit of open files (`ulimit -n`, LimitNOFILE= of systemd), or run fewer at once.",
            )
        case OSError(strerror=str() as reason):
            absent = isinstance(error, ConnectionRefusedError)  # which only connecting is
            return TransportError(f"connection failed: {reason}", "connection", unsent=absent)
        case _:
            return TransportError(f"connection failed: {type(error).__name__}", "connection")
