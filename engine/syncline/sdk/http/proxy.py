"""A proxy between here and the servers: HTTP, itself in the open or over TLS, or SOCKS 5.

An HTTP proxy makes a tunnel for https (CONNECT), and for http it is given requests with the whole URL; a SOCKS proxy
makes a tunnel for both. What a proxy that fails or refuses says is told apart from what the API says: `TransportError`
with a code of its own. Its credentials (Basic, RFC 7617, or RFC 1929) go to it alone, never through a tunnel.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from syncline.model.secret import Secret
from syncline.sdk.http import socks
from syncline.sdk.http.connection import Deadlined
from syncline.sdk.http.egress import Egress, names_host
from syncline.sdk.http.message import TransportError
from syncline.sdk.http.tls import Tls, context_of
from syncline.sdk.http.url import Origin

#: Statuses that say that another attempt may do: too slow, too many, or the way to the server is down.
_PASSING: Final = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    A proxy at `host`:`port`, with its credentials, if it asks for any. `protocol` is how it is spoken to; `tls` what is
    asked of it where that is https.

    `lookup` is who finds the addresses of servers: `here`, where they are checked and the proxy is told a checked one;
    or the `proxy`, which is told names. `bypass` are hosts that are reached without it, by name, or as literal
    addresses by network. `scheme` is that of the URLs that it is for, '' for all. `trusted`: whoever runs this machine
    named it, so that it may be at a private address.

    Proxies are equal if they are reached as the same user with the same password.

    >>> proxy = Proxy("proxy.corp.example", 3128, bypass=("*.corp.example",))
    >>> proxy.leads_to(Origin("https", "wiki.corp.example", 443))
    False
    """

    host: str
    port: int
    username: str = ""
    password: Secret | None = field(default=None, compare=False, repr=False)
    lookup: Literal["here", "proxy"] = "here"
    bypass: tuple[str, ...] = ()
    scheme: Literal["", "http", "https"] = ""
    trusted: bool = False
    protocol: Literal["http", "https", "socks5"] = "http"
    tls: Tls = Tls()  # noqa: RUF009 - a frozen value
    mark: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mark", hashlib.sha256(self._pair()).digest())

    def __str__(self) -> str:
        place = f"{_bracketed(self.host)}:{self.port}"
        return place if self.protocol == "http" else f"{self.protocol}://{place}"

    def leads_to(self, origin: Origin) -> bool:
        """Whether an origin is reached through it."""
        return self.scheme in {"", origin.scheme} and not names_host(self.bypass, origin.host)

    def bounds(self, egress: Egress) -> Egress:
        """The bounds that its own address is under: those of whoever uses it, as a host that a manifest gives."""
        return Egress(private=(self.host,)) if self.trusted else egress.declaring([self.host])

    @property
    def headers(self) -> dict[str, str]:
        """What a request to it carries for it alone."""
        if not self.username and self.password is None:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(self._pair()).decode()}"}

    def tunnels(self, origin: Origin) -> bool:
        """Whether an origin's server itself answers behind it; else it is given whole URLs.

        >>> Proxy("proxy.corp.example", 1080, protocol="socks5").tunnels(Origin("http", "api.example.com", 80))
        True
        """
        return origin.scheme == "https" or self.protocol == "socks5"

    def led(self, sock: socket.socket, host: str, origin: Origin, remaining: Callable[[], float]) -> socket.socket:
        """
        A connection to it, made on an open socket: one on which an origin's server answers, if it tunnels to that.

        `host` is what it is told of the origin. Raises as `tunnel` does; the socket is closed then.
        """
        try:
            if self.protocol == "https":
                sock.settimeout(remaining())
                sock = context_of(self.tls, "proxy.tls").wrap_socket(sock, server_hostname=self.host)
            if self.protocol == "socks5":
                self._socks(sock, host, origin.port, remaining)
            elif origin.scheme == "https":
                self.tunnel(sock, host, origin.port, remaining)
        except BaseException:
            sock.close()
            raise
        return sock

    def tunnel(self, sock: socket.socket, host: str, port: int, remaining: Callable[[], float]) -> None:
        """
        Has it connect an open socket with a server, which then answers on it.

        `remaining` gives the seconds that are left, and raises `TimeoutError`. Raises `TransportError` where it
        refuses (for good), can't or takes too long (for now), and `OSError` where it breaks off.
        """
        target = f"{_bracketed(host)}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in self.headers.items())]
        sock.settimeout(remaining())
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = http.client.HTTPResponse(Deadlined(sock, remaining), method="CONNECT")  # type: ignore[arg-type]  # it has makefile()
        try:
            answer.begin()
            if not 200 <= answer.status < 300:
                raise self.refusal(answer.status, target)
        except TimeoutError as error:
            raise self._behind(target, "in time", "timeout") from error
        finally:
            answer.close()

    def refusal(self, status: int, target: str) -> TransportError:
        """What a status means with which it answers instead of the server."""
        if status in {401, 407}:  # tinyproxy says 401 to a wrong password
            return self._unwelcome(f" (status {status})", "Basic is the only scheme spoken")
        if status in _PASSING:
            return self._behind(target, f"(status {status})", "connection")
        return self._forbidden(target, f"status {status}")

    def unreachable(self, error: OSError | http.client.HTTPException) -> TransportError:
        """What it means that no connection to it came about, or that it broke off."""
        timeout = isinstance(error, TimeoutError)
        match error:
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                reason = "it closed the connection"
            case ssl.SSLError():
                return self._insecure(error)
            case TimeoutError():
                reason = "it is too slow"
            case socket.gaierror():
                reason = "it has no address"
            case http.client.RemoteDisconnected():
                reason = "it closed the connection"
            case http.client.HTTPException():
                reason = "its answer is none of an HTTP proxy"
            case _:
                reason = error.strerror or type(error).__name__
        return self._unusable(reason, "timeout" if timeout else "connection")

    def _socks(self, sock: socket.socket, host: str, port: int, remaining: Callable[[], float]) -> None:
        target = f"{_bracketed(host)}:{port}"
        known = self.username or self.password is not None
        password = self.password.reveal() if self.password is not None else ""
        user, word = (text.encode(errors="surrogatepass") for text in (self.username, password))
        try:
            socks.connect(sock, host, port, (user, word) if known else None, remaining)
        except socks.Unwelcome:
            raise self._unwelcome("", "it is told both or none, and no other way is spoken") from None
        except socks.Refused as error:
            if error.reply == socks.RULES:
                raise self._forbidden(target, str(error)) from None
            raise self._behind(target, f"({error})", "connection") from None
        except socks.NotSocks:
            raise self._unusable("its answer is none of a SOCKS 5 proxy") from None
        except TimeoutError as error:
            raise self._behind(target, "in time", "timeout") from error

    def _unwelcome(self, how: str, spoken: str) -> TransportError:
        known = self.username or self.password is not None
        return TransportError(
            f"the proxy {self} asks for {'other ' if known else ''}credentials{how}",
            "connection",
            permanent=True,
            code="SYN540",
            help=f"Look at proxy.username and proxy.password of the Integration; {spoken}.",
            unsent=True,
        )

    def _forbidden(self, target: str, how: str) -> TransportError:
        by_name = "" if self.lookup == "proxy" else " One that decides by names needs proxy.lookup: proxy."
        return TransportError(
            f"the proxy {self} refuses to connect to {target} ({how})",
            "connection",
            permanent=True,
            code="SYN543",
            help=f"Have whoever runs the proxy allow it.{by_name}",
            unsent=True,
        )

    def _insecure(self, error: ssl.SSLError) -> TransportError:
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is refused: {error.verify_message}"
        else:
            reason = f"TLS with it failed: {(error.reason or 'no reason').lower().replace('_', ' ')}"
        return TransportError(
            f"the proxy {self} can't be used: {reason}",
            "connection",
            permanent=True,
            code="SYN570",
            help="Give its authority by proxy.tls.ca; one that speaks no newer TLS needs proxy.tls.min, and one that "
            "speaks none is http://.",
            unsent=True,
        )

    def _unusable(self, reason: str, kind: Literal["timeout", "connection"] = "connection") -> TransportError:
        return TransportError(
            f"the proxy {self} can't be used: {reason}",
            kind,
            code="SYN542",
            help="Look at whether the proxy runs, and at proxy.url of the Integration.",
            unsent=True,
        )

    def _behind(self, target: str, how: str, kind: Literal["timeout", "connection"]) -> TransportError:
        return TransportError(
            f"the proxy {self} can't reach {target} {how}",
            kind,
            code="SYN541",
            help="The proxy answers, and what is behind it doesn't. The next run continues where this one stopped.",
            unsent=True,
        )

    def _pair(self) -> bytes:
        password = self.password.reveal() if self.password is not None else ""
        return f"{self.username}:{password}".encode(errors="surrogatepass")


def place_of(origin: Origin) -> str:
    """An origin as it stands in the URL of a request to a proxy: `http://api.example.com:8080`.

    >>> place_of(Origin("http", "::1", 80))
    'http://[::1]'
    """
    default = 443 if origin.scheme == "https" else 80
    port = "" if origin.port == default else f":{origin.port}"
    return f"{origin.scheme}://{_bracketed(origin.host)}{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
