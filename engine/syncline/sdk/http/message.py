"""Requests and responses as values, what goes wrong between them, and the protocol of what sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace


class Request(Struct, frozen=True):
    """A request with an absolute URL. Its `repr` shows neither query nor headers, where secrets may be.

    `raw` asks for the answer's body as it is sent: whatever Content-Encoding says, it isn't unpacked.

    >>> Request("GET", "https://api.example.com/tickets?token=t0k3n").with_headers(Accept="text/csv")
    Request(GET https://api.example.com/tickets)
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bool = False

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"

    def with_headers(self, **headers: str) -> Request:
        """The request with these headers added."""
        return replace(self, headers={**self.headers, **headers})


class Response(Struct, frozen=True):
    """A whole response: header names in lower case, the body decompressed.

    >>> Response(429, {"retry-after": "3"}, b"").headers["retry-after"]
    '3'
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """An exchange did not complete. `kind` is as in `retry.on`; `permanent`: trying again is useless.

    `code` and `help` are for the error that people see, where there is something better to say than "no connection".
    `unsent`: not a byte of the request left, so that it can't have had an effect. `part`: as much of the response as
    came before it was cut or turned out to be damaged.

    >>> TransportError("no complete answer within 30 s", "timeout").kind
    'timeout'
    """

    def __init__(
        self,
        message: str,
        kind: Literal["timeout", "connection"],
        *,
        permanent: bool = False,
        code: str = "",
        help: str = "",  # noqa: A002 - the field's word
        unsent: bool = False,
        part: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.permanent = permanent
        self.code = code
        self.help = help
        self.unsent = unsent
        self.part = part


class Transport(Protocol):
    """Sends requests; several threads may send at once. A fake is a class with these three methods.

    >>> class Always:
    ...     def ahead(self, request: Request, timeout: float) -> None:
    ...         pass
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

        For requests that change nothing; each thread has one such request at a time. Never raises: what goes wrong
        shows when it is sent.
        """

    def send(self, request: Request, timeout: float) -> Response:
        """
        The whole response within `timeout` seconds.

        Raises `TransportError`, `Invalid` for too large a body or no URL, and `Denied` for a host out of bounds.
        """

    def close(self) -> None:
        """Closes its connections; what is being sent on them fails."""
