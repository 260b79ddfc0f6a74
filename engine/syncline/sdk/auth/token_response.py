"""What a token endpoint answers (RFC 6749, section 5): a token, a refusal, or neither. All of it is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import orjson
from msgspec import Struct

from syncline.model.errors import Again, Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.auth.tokens import Token

if TYPE_CHECKING:
    from syncline.sdk.http import Response

#: Most bytes of an answer, and most characters of a token: more is neither stored nor sent.
MAX_BODY = 256 * 1024
MAX_TOKEN = 16 * 1024
#: Longest life of a token that is believed, in seconds (ten years).
MAX_LIFE = 10 * 365 * 86400.0


class Refusal(Struct, frozen=True):
    """An error of section 5.2: its code, and what the server says about it.

    >>> Refusal("invalid_grant", "the token is revoked").shown
    'invalid_grant (the token is revoked)'
    """

    error: str
    description: str = ""

    @property
    def shown(self) -> str:
        """For people, in one line."""
        return f"{self.error} ({self.description})" if self.description else self.error


def document(response: Response) -> Mapping[str, Any] | None:
    """The JSON object of an answer; None where it is none, or too large.

    >>> from syncline.sdk.http import Response
    >>> document(Response(200, {}, b"<html>")) is None
    True
    """
    if len(response.body) > MAX_BODY:
        return None
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def refusal(response: Response) -> Refusal | None:
    """The error that an answer states; None where it states none.

    >>> from syncline.sdk.http import Response
    >>> refusal(Response(400, {}, b'{"error": "invalid_grant"}'))
    Refusal(error='invalid_grant', description='')
    """
    found = document(response)
    if response.status >= 500 or response.status == 429 or found is None or not isinstance(found.get("error"), str):
        return None
    return Refusal(_printable(found["error"], 80), _printable(found.get("error_description"), 200))


def token_of(response: Response, began: float, *, key: Secret | None = None, origin: str = "") -> Token:
    """The token of a successful answer, asked for at `began` (Unix time). Raises `Stalled` for what is none.

    >>> from syncline.sdk.http import Response
    >>> body = b'{"access_token": "t0k3n", "token_type": "bearer", "expires_in": 60}'
    >>> token_of(Response(200, {}, body), began=1000.0).expires
    1060.0
    """
    found = document(response) or {}
    access, kind = found.get("access_token"), str(found.get("token_type") or "bearer").lower()
    if not _is_token(access):
        raise _unusable("it holds no access_token")
    if kind not in {"bearer", "dpop"}:
        raise _unusable(f"it holds a token of the type {_printable(kind, 40)}")
    if kind == "bearer" and key is not None:
        raise _unusable("its token is not bound to the key that was proven (DPoP)")
    refresh = found.get("refresh_token")
    return Token(
        Secret(access),
        kind,
        began,
        _expiry(found.get("expires_in"), began),
        Secret(refresh) if _is_token(refresh) else None,
        _printable(found.get("scope"), 1000),
        key,
        origin=origin,
    )


def failed(response: Response) -> SynclineError:
    """The error for an answer that is neither a token nor a refusal.

    >>> from syncline.sdk.http import Response
    >>> failed(Response(503, {}, b"")).code
    'SYN403'
    """
    status = response.status
    if status >= 500 or status == 429:
        after = response.headers.get("retry-after", "")
        return Again(
            f"the token endpoint answers with status {status}",
            code="SYN403",
            help="Run it again later.",
            after=float(after) if after.isdigit() else None,
        )
    return Stalled(
        f"the token endpoint answers with status {status}, and without an error of OAuth 2.0",
        code="SYN443",
        help="Look at tokenUrl: does it lead to the token endpoint?",
    )


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_TOKEN and value.isascii() and value.isprintable()


def _expiry(value: object, began: float) -> float:
    """When it ends; 0 where the server doesn't say so in a way that can be believed."""
    if isinstance(value, str) and value.isdigit():
        value = int(value[:12])  # some servers write the number as a text
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_LIFE:
        return 0.0
    return began + value


def _unusable(why: str) -> Stalled:
    return Stalled(
        f"the token endpoint's answer can't be used: {why}",
        code="SYN443",
        help="Compare tokenUrl and the grant with the vendor's documentation.",
    )


def _printable(value: object, most: int) -> str:
    return "".join(c for c in value[:most] if c.isprintable()) if isinstance(value, str) else ""
