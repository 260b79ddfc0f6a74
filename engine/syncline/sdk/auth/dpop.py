"""Proofs that a token's sender has the key that it is bound to: DPoP (RFC 9449)."""

from __future__ import annotations

import base64
import hashlib
import secrets as random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from syncline.model.secret import Secret
from syncline.sdk.auth.jwt import signed

if TYPE_CHECKING:
    from syncline.sdk.http import Response


def new_key() -> Secret:
    """A new private key (EC, P-256) as a JWK.

    >>> new_key()
    Secret(***)
    """
    from joserfc.jwk import ECKey

    return Secret(orjson.dumps(ECKey.generate_key("P-256", private=True).as_dict(private=True)).decode())


def proof(key: Secret, method: str, url: str, now: float, *, nonce: str = "", token: Secret | None = None) -> str:
    """
    A proof for one request (section 4.2): bound to its method and to its URL without query and fragment.

    `nonce` is what the server asked for last; `token` is the access token that the request carries.

    >>> proof(new_key(), "POST", "https://id.example.com/token", now=0.0).count(".")
    2
    """
    from joserfc.jwk import ECKey

    private: Any = ECKey.import_key(orjson.loads(key.reveal()))
    public = {name: value for name, value in private.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}}
    claims = {
        "jti": random.token_urlsafe(16),
        "htm": method,
        "htu": urlsplit(url)._replace(query="", fragment="").geturl(),
        "iat": int(now),
    }
    if nonce:
        claims["nonce"] = nonce
    if token is not None:
        digest = hashlib.sha256(token.reveal().encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return signed(claims, private, "ES256", {"typ": "dpop+jwt", "jwk": public})


def asked_nonce(response: Response) -> str:
    """The nonce that a server wants in the next proof (section 8 and 9); empty where it wants none.

    >>> from syncline.sdk.http import Response
    >>> asked_nonce(Response(401, {"dpop-nonce": "n1"}, b""))
    'n1'
    """
    return response.headers.get("dpop-nonce", "")
