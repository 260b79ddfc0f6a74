"""SOCKS 5 (RFC 1928) with user name and password (RFC 1929): asking a proxy for a connection to a server.

The proxy is told an address, or a name where it is to look that up itself. Every message has a bounded length.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

_VERSION, _AUTHENTICATION, _CONNECT = 5, 1, 1
_NO_CREDENTIALS, _PASSWORD, _NONE = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LONGEST: Final = 255

#: What a reply says, by its code.
REPLIES: Final = {
    1: "it failed",
    2: "its rules don't allow it",
    3: "the network can't be reached",
    4: "the host can't be reached",
    5: "the connection was refused",
    6: "it took too long",
    7: "it doesn't know the command",
    8: "it doesn't know this type of address",
}
#: The reply of a proxy whose rules don't allow the connection.
RULES: Final = 2


class NotSocks(Exception):
    """What answers doesn't speak SOCKS 5. Example: the proxy of a URL `socks5://…` is a web proxy."""


class Unwelcome(Exception):
    """The proxy wants credentials, or others. Example: it knows users, and none was sent."""


class Refused(Exception):
    """The proxy made no connection: the code of its reply.

    >>> Refused(RULES).reply
    2
    """

    def __init__(self, reply: int) -> None:
        super().__init__(REPLIES.get(reply, f"reply {reply}"))
        self.reply = reply


def connect(
    sock: socket.socket,
    host: str,
    port: int,
    credentials: tuple[bytes, bytes] | None,
    remaining: Callable[[], float],
) -> None:
    """
    Has the proxy at the other end of a socket connect it with a server, which then answers on it.

    `credentials` are a user name and a password. `remaining` gives the seconds that are left, and raises
    `TimeoutError`. Raises `NotSocks`, `Unwelcome`, `Refused`, and `OSError` where it breaks off.

    >>> here, there = socket.socketpair()
    >>> _ = there.send(b"HTTP/1.1 400 Bad Request")
    >>> connect(here, "example.com", 443, None, lambda: 5.0)
    Traceback (most recent call last):
    syncline.sdk.http.socks.NotSocks
    >>> here.close(), there.close()
    (None, None)
    """
    wire = _Wire(sock, remaining)
    _introduce(wire, credentials)
    wire.send(bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = wire.take(4)
    if version != _VERSION:
        raise NotSocks
    if reply:
        raise Refused(reply)  # with an address that says nothing
    sizes = {_IPV4: 4, _IPV6: 16}
    if kind != _NAME and kind not in sizes:
        raise NotSocks
    wire.take((sizes[kind] if kind in sizes else wire.take(1)[0]) + 2)


def _introduce(wire: _Wire, credentials: tuple[bytes, bytes] | None) -> None:
    methods = [_NO_CREDENTIALS] if credentials is None else [_NO_CREDENTIALS, _PASSWORD]
    wire.send(bytes([_VERSION, len(methods), *methods]))
    version, method = wire.take(2)
    if version != _VERSION or method not in {*methods, _NONE}:
        raise NotSocks
    if method == _NONE:
        raise Unwelcome
    if method != _PASSWORD or credentials is None:
        return
    user, password = credentials
    wire.send(bytes([_AUTHENTICATION, len(user)]) + user + bytes([len(password)]) + password)
    if wire.take(2)[1]:
        raise Unwelcome


def fits(text: str) -> bool:
    """Whether a user name or a password can be sent: 1 to 255 bytes.

    >>> fits("alice"), fits("")
    (True, False)
    """
    return 0 < len(text.encode(errors="surrogatepass")) <= _LONGEST


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna") if not host.isascii() else host.encode()
        if not 0 < len(name) <= _LONGEST:
            raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


class _Wire:
    """Messages over a socket, each within the time that is left."""

    def __init__(self, sock: socket.socket, remaining: Callable[[], float]) -> None:
        self._sock = sock
        self._remaining = remaining

    def send(self, message: bytes) -> None:
        self._sock.settimeout(self._remaining())
        self._sock.sendall(message)

    def take(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            self._sock.settimeout(self._remaining())
            part = self._sock.recv(size - len(found))
            if not part:
                raise ConnectionResetError("it closed the connection")
            found += part
        return found
