"""User name and password (RFC 7617)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncline.model.secret import Secret
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import known, need, with_header

if TYPE_CHECKING:
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials


@dataclass(frozen=True, slots=True)
class Basic:
    """A user name and a password, in UTF-8.

    >>> from syncline.sdk.http import Request
    >>> sent = Basic("ada", Secret("pw")).sign(Request("GET", "https://api.example.com/me"), now=0.0)
    >>> sent.headers["Authorization"]
    'Basic YWRhOnB3'
    """

    username: str = field(repr=False)
    password: Secret
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = frozenset()
    fresh: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", (*forms(self.password), Secret(self._encoded())))

    def sign(self, request: Request, now: float) -> Request:
        del now
        return with_header(request, "Authorization", f"Basic {self._encoded()}")

    def _encoded(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password.reveal()}".encode()).decode()


def basic(credentials: Credentials) -> Basic:
    """From `username`, as a setting or a secret, and the secret `password`.

    >>> from syncline.sdk.source import Credentials
    >>> basic(Credentials("basic", {"username": "ada"}, {"password": Secret("pw")})).password
    Secret(***)
    """
    return Basic(known(credentials, "username"), need(credentials, "password"))
