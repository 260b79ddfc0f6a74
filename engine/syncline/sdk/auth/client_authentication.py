"""How an OAuth 2.0 client proves who it is: RFC 6749 section 2.3.1, RFC 7523 section 2.2, RFC 8705."""

from __future__ import annotations

import base64
import secrets as random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from syncline.model.secret import Secret
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.jwt import signed

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Life of an assertion, in seconds: it is used at once.
LIFE = 60


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """A client and its `method`: basic, post, client_secret_jwt, private_key_jwt, tls or none.

    >>> from syncline.sdk.http import Request
    >>> client = ClientAuthentication("app", "post", Secret("s"))
    >>> client.parameters("https://id.example.com/token", now=0.0)
    {'client_id': 'app', 'client_secret': 's'}
    """

    client_id: str
    method: str = "none"
    secret: Secret | None = None
    key: Any = field(default=None, repr=False)
    algorithm: str = "RS256"
    key_id: str = ""

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The secret in every form that it is sent in.

        >>> [s.reveal() for s in ClientAuthentication("app", "basic", Secret("s")).hidden]
        ['s', 'YXBwOnM=']
        """
        if self.secret is None:
            return ()
        return (*forms(self.secret), Secret(self._basic()))

    def headers(self) -> dict[str, str]:
        """Headers of a request that the client makes.

        >>> ClientAuthentication("app", "basic", Secret("s")).headers()
        {'Authorization': 'Basic YXBwOnM='}
        """
        return {"Authorization": f"Basic {self._basic()}"} if self.method == "basic" else {}

    def parameters(self, audience: str, now: float) -> dict[str, str]:
        """Fields of the form of a request that the client makes, to an endpoint.

        >>> ClientAuthentication("app").parameters("https://id.example.com/token", now=0.0)
        {'client_id': 'app'}
        """
        match self.method:
            case "basic":
                return {}
            case "post":
                return {"client_id": self.client_id, "client_secret": self.secret.reveal() if self.secret else ""}
            case "client_secret_jwt" | "private_key_jwt":
                assertion = self._assertion(audience, now)
                return {"client_id": self.client_id, "client_assertion_type": ASSERTION, "client_assertion": assertion}
            case _:
                return {"client_id": self.client_id}

    def _basic(self) -> str:
        # RFC 6749 encodes both as a form does before it joins them.
        secret = self.secret.reveal() if self.secret else ""
        return base64.b64encode(f"{quote_plus(self.client_id)}:{quote_plus(secret)}".encode()).decode()

    def _assertion(self, audience: str, now: float) -> str:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "jti": random.token_urlsafe(16),
            "iat": int(now),
            "exp": int(now) + LIFE,
        }
        return signed(claims, self.key, self.algorithm, {"kid": self.key_id} if self.key_id else {})
