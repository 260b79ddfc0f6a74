"""A bearer token in the Authorization header (RFC 6750)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from syncline.model.secret import Secret
from syncline.sdk.auth.scheme import need, with_header

if TYPE_CHECKING:
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that doesn't change.

    >>> from syncline.sdk.http import Request
    >>> sent = Bearer(Secret("t0k3n")).sign(Request("GET", "https://api.example.com/me"), now=0.0)
    >>> sent.headers["Authorization"]
    'Bearer t0k3n'
    """

    token: Secret
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = frozenset()
    fresh: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", forms(self.token))

    def sign(self, request: Request, now: float) -> Request:
        del now
        return with_header(request, "Authorization", f"Bearer {self.token.reveal()}")


def forms(*secrets: Secret) -> tuple[Secret, ...]:
    """Secrets as they are, and percent-encoded as in a URL.

    >>> [form.reveal() for form in forms(Secret("a b"))]
    ['a b', 'a%20b']
    """
    encoded = [quote(secret.reveal(), safe="") for secret in secrets]
    return (*secrets, *(Secret(text) for text, own in zip(encoded, secrets, strict=True) if text != own.reveal()))


def bearer(credentials: Credentials) -> Bearer:
    """From the secret `token`.

    >>> from syncline.sdk.source import Credentials
    >>> bearer(Credentials("bearer", secrets={"token": Secret("t0k3n")})).token
    Secret(***)
    """
    return Bearer(need(credentials, "token"))
