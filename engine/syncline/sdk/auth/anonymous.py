"""No credentials: requests go as they are. A client certificate (mTLS) is the connection's, not the request's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request


class Anonymous(Struct, frozen=True):
    """Adds nothing.

    >>> from syncline.sdk.http import Request
    >>> Anonymous().sign(Request("GET", "https://api.example.com/me"), now=0.0).headers
    {}
    """

    hidden: tuple[Secret, ...] = ()
    sensitive: frozenset[str] = frozenset()
    fresh: bool = False

    def sign(self, request: Request, now: float) -> Request:
        del now
        return request
