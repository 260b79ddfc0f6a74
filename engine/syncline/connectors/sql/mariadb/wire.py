"""MariaDB's protocol as PyMySQL speaks it, with two things of our own: rows to load come from memory, and a cut.

`LOAD DATA LOCAL` lets the server name the file that it wants, any file (MariaDB's documentation, "LOAD DATA INFILE").
Here no name opens anything: what the caller gave is sent, or nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.connections import Connection, MySQLResult
from pymysql.err import OperationalError

from syncline.sdk.dial import dialled_within

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from syncline.sdk.http.egress import Egress

    _Connection = Connection[Cursor]
else:
    _Connection = Connection

#: Bytes of one packet of a load.
_PACKET = 1 << 20

#: Seconds to connect within, where nobody says.
_CONNECT = 10.0

#: Seconds. A peer that falls silent is noticed within two minutes.
_NETWORK = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 120_000))


class Wire(_Connection):
    """A connection. `loading` is what the next `LOAD DATA LOCAL` sends."""

    loading: Iterable[bytes] = ()
    _sock: Any

    def __init__(self, *, bounds: Egress | None = None, **settings: Any) -> None:
        """Connects, within bounds where there are any."""
        self._bounds = bounds
        super().__init__(**settings)

    def connect(self, sock: socket.socket | None = None) -> None:
        """Connects, and has the machine look whether the server is still there."""
        super().connect(sock if sock is not None or self._bounds is None else self._dialled(self._bounds))
        for option, value in _NETWORK:
            if hasattr(socket, option):
                with suppress(OSError):  # a local socket has no such options
                    self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def _dialled(self, bounds: Egress) -> socket.socket:
        """A socket to a checked address. `Denied` (SYN460) where one of the server's is out of bounds."""
        try:
            found = dialled_within(bounds, self.host, self.port, self.connect_timeout or _CONNECT)
        except OSError as error:
            message = f"Can't connect to MySQL server on {self.host!r} ({error})"
            raise OperationalError(2003, message) from None
        self.host_info = f"socket {self.host}:{self.port}"
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return found

    def _read_query_result(self, unbuffered: bool = False) -> int:
        del unbuffered
        self._result: _Result | None = None
        result = _Result(self)
        result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return int(result.affected_rows or 0)

    def told(self) -> str:
        """What the server said of the last statement beside its result: `Records: 3  Duplicates: 1  Warnings: 0`."""
        message: bytes = getattr(self._result, "message", b"") or b""
        return message.decode(errors="replace")

    def cut(self) -> None:
        """Shuts the socket down: whatever waits for the server raises. From any thread."""
        with suppress(OSError, AttributeError):
            self._sock.shutdown(socket.SHUT_RDWR)


class _Result(MySQLResult):
    connection: Any
    _read_ok_packet: Any

    def _read_load_local_packet(self, first_packet: Any) -> None:
        """Sends what was given, whatever file the server asks for; then reads its answer."""
        del first_packet
        wire = self.connection
        parts, wire.loading = wire.loading, ()
        for part in parts:
            for begin in range(0, len(part), _PACKET):
                wire.write_packet(part[begin : begin + _PACKET])
        wire.write_packet(b"")
        self._read_ok_packet(wire._read_packet())  # noqa: SLF001 - as the method that this one replaces


Error = pymysql.err.Error
