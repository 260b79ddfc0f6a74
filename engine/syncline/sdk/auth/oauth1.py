"""OAuth 1.0 (RFC 5849): each request is signed with HMAC-SHA1, HMAC-SHA256 or RSA-SHA1.

PLAINTEXT isn't here: it sends the secrets themselves. The parameters go into the Authorization header only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from syncline.model.errors import Stalled
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import known, need, with_header

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials

Pair = tuple[str, str]
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


def _encoded(text: str) -> str:
    """Percent-encoding of section 3.6: everything but unreserved characters, in upper-case hex."""
    return quote(text, safe="~-._")


def base_string(method: str, url: str, parameters: Iterable[Pair]) -> str:
    """The signature base string (section 3.4.1): method, base URI and the sorted parameters.

    `parameters` are those of the protocol and of a form body, decoded; those of the URL are taken from it.

    >>> base_string("get", "http://EXAMPLE.com:80/r?b=2", [("a", "1")])
    'GET&http%3A%2F%2Fexample.com%2Fr&a%3D1%26b%3D2'
    """
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port and parts.port != usual else ""
    base = f"{parts.scheme}://{(parts.hostname or '').lower()}{port}{parts.path or '/'}"
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *parameters]
    normal = "&".join(f"{k}={v}" for k, v in sorted((_encoded(k), _encoded(v)) for k, v in pairs))
    return "&".join((method.upper(), _encoded(base), _encoded(normal)))


def form_pairs(request: Request) -> Sequence[Pair]:
    """The parameters of a form body (section 3.4.1.3.1); none for any other body.

    >>> from syncline.sdk.http import Request
    >>> headers = {"Content-Type": "application/x-www-form-urlencoded"}
    >>> form_pairs(Request("POST", "https://api.example.com/", headers, b"a=1&b="))
    [('a', '1'), ('b', '')]
    """
    kind = next((v for n, v in request.headers.items() if n.lower() == "content-type"), "")
    if kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class OAuth1:
    """A client, and the token of an account.

    `nonce` gives a random text; tests fix it. Example: `OAuth1("dpf43f3p2l4k3l03", secret).sign(request, now)`.
    """

    consumer_key: str
    consumer_secret: Secret | None
    token: str = ""
    token_secret: Secret | None = None
    method: str = "HMAC-SHA1"
    private_key: Any = field(default=None, repr=False)
    realm: str = ""
    nonce: Callable[[], str] = lambda: random.token_hex(16)
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = frozenset()
    fresh: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", forms(*filter(None, (self.consumer_secret, self.token_secret))))

    def sign(self, request: Request, now: float) -> Request:
        own = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_token": self.token,
            "oauth_signature_method": self.method,
            "oauth_timestamp": str(int(now)),
            "oauth_nonce": self.nonce(),
            "oauth_version": "1.0",
        }
        own = {name: value for name, value in own.items() if value}
        own["oauth_signature"] = self.signature(request, own.items())
        shown = [f'realm="{self.realm}"'] if self.realm else []
        shown += [f'{name}="{_encoded(value)}"' for name, value in own.items()]
        return with_header(request, "Authorization", "OAuth " + ", ".join(shown))

    def signature(self, request: Request, own: Iterable[Pair]) -> str:
        """The signature of a request (section 3.4.2, 3.4.3), in base64. `own` are the protocol's parameters.

        >>> from syncline.sdk.http import Request
        >>> from syncline.model.secret import Secret
        >>> client = OAuth1("key", Secret("s"))
        >>> client.signature(Request("GET", "https://api.example.com/"), [("oauth_nonce", "n")])[:8]
        '1y3Qb8VQ'
        """
        text = base_string(request.method, request.url, [*own, *form_pairs(request)]).encode()
        if self.method == "RSA-SHA1":
            return base64.b64encode(_rsa_sha1(self.private_key, text)).decode()
        shared = [_encoded(secret.reveal()) if secret else "" for secret in (self.consumer_secret, self.token_secret)]
        return base64.b64encode(hmac.digest("&".join(shared).encode(), text, _HASHES[self.method])).decode()


def _rsa_sha1(key: Any, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1

    signed: bytes = key.sign(text, PKCS1v15(), SHA1())  # noqa: S303 - the method's name says it; RFC 5849 has no other
    return signed


def oauth1(credentials: Credentials) -> OAuth1:
    """From `consumer_key`, `consumer_secret`, `token`, `token_secret`, `private_key`, `signature_method`, `realm`.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.source import Credentials
    >>> oauth1(Credentials("oauth1", {"consumer_key": "k"}, {"consumer_secret": Secret("s")})).method
    'HMAC-SHA1'
    """
    found = credentials.settings
    method = str(found.get("signature_method") or "HMAC-SHA1")
    if method not in {*_HASHES, "RSA-SHA1"}:
        raise Stalled(f"OAuth 1.0 does not sign with {method} here", code="SYN441", help="Use HMAC-SHA256.")
    key = None
    if method == "RSA-SHA1":
        from syncline.sdk.auth.keys import private_key

        key = private_key(need(credentials, "private_key"), "RSA")
    else:
        need(credentials, "consumer_secret")
    return OAuth1(
        known(credentials, "consumer_key"),
        credentials.secrets.get("consumer_secret"),
        known(credentials, "token") if found.get("token") or "token" in credentials.secrets else "",
        credentials.secrets.get("token_secret"),
        method,
        key,
        str(found.get("realm") or ""),
    )
