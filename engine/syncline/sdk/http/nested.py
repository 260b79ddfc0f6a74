"""TLS inside TLS: a connection to a server, through a proxy that is itself spoken to over TLS.

The standard library secures a descriptor, and here there is none for the inner connection: it is a state machine
(`ssl.SSLObject`) that reads and writes memory, and what is in between goes over the outer connection.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Bytes that are received at once: a record of TLS and its frame.
_RECORD: Final = 17 * 1024


class NestedTls:
    """
    A secured connection over a secured one, with as much of a socket as a client of HTTP uses. One thread at a time.

    Each operation, the handshake too, is done within the timeout as a whole, however slowly its parts come.

    Example: `NestedTls.handshaken(outer, context, "api.example.com", timeout=10.0).sendall(b"GET / HTTP/1.1…")`.
    """

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str) -> None:
        self.outer: Final = outer
        self._came, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._came, self._going, server_hostname=host)
        self._timeout: float | None = None

    @classmethod
    def handshaken(cls, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str, timeout: float) -> NestedTls:
        """One whose server was verified. Raises as `SSLContext.wrap_socket` does."""
        made = cls(outer, context, host)
        made.settimeout(timeout)
        deadline = made._deadline()
        while True:
            try:
                made._inner.do_handshake()
            except ssl.SSLWantReadError:
                made._flush(deadline)
                if not made._receive(deadline):
                    raise ConnectionResetError("closed in the handshake") from None
            except ssl.SSLError:
                made._flush(deadline)  # the alert that says why
                raise
            else:
                made._flush(deadline)
                return made

    # --- as a socket

    def settimeout(self, timeout: float | None) -> None:
        """The seconds that each operation may take in all."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """The seconds that each operation may take in all; None: any."""
        return self._timeout

    def sendall(self, data: ReadableBuffer) -> None:
        """Sends everything."""
        deadline = self._deadline()
        left = memoryview(data).cast("B")
        while left:
            left = left[self._inner.write(left) :]
            self._flush(deadline)

    def recv_into(self, buffer: WriteableBuffer) -> int:
        """Receives what there is; 0 at the end of the stream, also a cut one: HTTP says whether all has come."""
        deadline = self._deadline()
        view = memoryview(buffer).cast("B")
        while True:
            try:
                return cast("int", self._inner.read(len(view), view))  # of bytes, where it is given a buffer
            except ssl.SSLWantReadError:
                self._flush(deadline)  # an answer of TLS itself, such as to an update of keys
                self._receive(deadline)
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLEOFError:
                return 0  # as a socket tells it

    def fileno(self) -> int:
        """The descriptor of the connection to the proxy."""
        return self.outer.fileno()

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """Sets an option of the connection to the proxy."""
        self.outer.setsockopt(level, name, value)

    def close(self) -> None:
        """Closes the connection to the proxy."""
        self.outer.close()

    # --- what the inner connection turned out to be

    def getpeercert(self, binary_form: bool = False) -> dict[str, object] | bytes | None:
        """The server's certificate."""
        return self._inner.getpeercert(binary_form)  # type: ignore[return-value]  # typed by overloads there

    def cipher(self) -> tuple[str, str, int] | None:
        """The cipher suite, its version and the bits of its key."""
        return self._inner.cipher()

    def version(self) -> str | None:
        """The version of TLS."""
        return self._inner.version()

    # --- over the outer one

    def _deadline(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _within(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self.outer.settimeout(left)

    def _flush(self, deadline: float | None) -> None:
        if self._going.pending:
            self._within(deadline)
            self.outer.sendall(self._going.read())

    def _receive(self, deadline: float | None) -> int:
        self._within(deadline)
        data = self.outer.recv(_RECORD)
        if data:
            self._came.write(data)
        else:
            self._came.write_eof()
        return len(data)


def beneath(sock: socket.socket | NestedTls) -> socket.socket:
    """The connection that bytes go over. Example: `beneath(sock).fileno()`."""
    return sock.outer if isinstance(sock, NestedTls) else sock
