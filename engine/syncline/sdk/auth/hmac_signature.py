"""A keyed hash (RFC 2104) of the request, in the canonical form that a connector declares as a template."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from syncline.model.errors import Invalid, Stalled
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import filled, names_read, need, placed

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials


@dataclass(frozen=True, slots=True)
class HmacSignature:
    r"""
    A key, the template of what is signed, and the templates of what is sent.

    The templates know method, host, hostname, port, path, query, sorted_query, url, body, content_type, headers (in
    lower case), body_md5, body_sha256 (hex), body_sha256_base64, timestamp, nonce, key_id and config; those of `send`
    also signature.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.http import Request
    >>> scheme = HmacSignature(Secret("k"), "{{ method }}\n{{ path }}", {"headers.X-Sign": "v1={{ signature }}"})
    >>> scheme.sign(Request("GET", "https://api.example.com/me"), now=0.0).headers["X-Sign"][:11]
    'v1=5b13d6a4'
    """

    key: Secret
    canonical: str
    send: Mapping[str, str]
    algorithm: str = "sha256"
    encoding: str = "hex"
    key_encoding: str = "text"
    timestamp: str = "unix"
    key_id: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    nonce: Callable[[], str] = lambda: random.token_hex(16)
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = field(init=False)
    fresh: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", forms(self.key))
        names = (place.partition(".") for place in self.send)
        object.__setattr__(self, "sensitive", frozenset(name for area, _, name in names if area == "query"))

    def sign(self, request: Request, now: float) -> Request:
        variables = self._variables(request, now)
        text = filled(self.canonical, variables, whole=True)
        digest = hmac.digest(self._key(), text.encode(), self.algorithm)
        variables["signature"] = _encoded(digest, self.encoding)
        return placed(request, {place: filled(template, variables) for place, template in self.send.items()})

    def _key(self) -> bytes:
        text = self.key.reveal()
        try:
            match self.key_encoding:
                case "hex":
                    return bytes.fromhex(text)
                case "base64":
                    return base64.b64decode(text, validate=True)
                case _:
                    return text.encode()
        except (ValueError, binascii.Error):
            del text
            raise Stalled(f"the key is not {self.key_encoding}", code="SYN401", help="Look at keyEncoding.") from None

    def _variables(self, request: Request, now: float) -> dict[str, Any]:
        parts = urlsplit(request.url)
        try:
            body = request.body.decode()
        except UnicodeDecodeError:
            if any("body" in names_read(text) for text in (self.canonical, *self.send.values())):
                raise Invalid(
                    "a body that isn't text can't be signed as `body`", code="SYN441", help="Sign body_sha256."
                ) from None
            body = ""
        headers = {name.lower(): value for name, value in request.headers.items()}
        sha = hashlib.sha256(request.body)
        return {
            "method": request.method,
            "host": parts.netloc,
            "hostname": parts.hostname or "",
            "port": str(parts.port or (443 if parts.scheme == "https" else 80)),
            "path": parts.path or "/",
            "query": parts.query,
            "sorted_query": _sorted(parts.query),
            "url": request.url,
            "body": body,
            "content_type": headers.get("content-type", ""),
            "headers": headers,
            "body_md5": hashlib.md5(request.body, usedforsecurity=False).hexdigest(),
            "body_sha256": sha.hexdigest(),
            "body_sha256_base64": base64.b64encode(sha.digest()).decode(),
            "timestamp": _written(now, self.timestamp),
            "nonce": self.nonce(),
            "key_id": self.key_id,
            "config": self.config,
        }


def _sorted(query: str) -> str:
    """Parameters percent-encoded (RFC 3986) and sorted by name, then by value, as many APIs sign them."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(f"{name}={value}" for name, value in sorted((quote(k, ""), quote(v, "")) for k, v in pairs))


def _encoded(digest: bytes, encoding: str) -> str:
    match encoding:
        case "base64":
            return base64.b64encode(digest).decode()
        case "base64url":
            return base64.urlsafe_b64encode(digest).decode().rstrip("=")
        case _:
            return digest.hex()


def _written(now: float, form: str) -> str:
    match form:
        case "unix_ms":
            return str(int(now * 1000))
        case "iso8601":
            return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "http":
            return formatdate(int(now), usegmt=True)
        case _:
            return str(int(now))


def hmac_signature(credentials: Credentials) -> HmacSignature:
    """From the settings of the same names, and the secret `key`.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.source import Credentials
    >>> settings = {"canonical": "{{ path }}", "send": {"query.sig": "{{ signature }}"}}
    >>> hmac_signature(Credentials("hmac", settings, {"key": Secret("k")})).sensitive
    frozenset({'sig'})
    """
    found = credentials.settings
    return HmacSignature(
        need(credentials, "key"),
        str(found["canonical"]),
        found["send"],
        str(found.get("algorithm") or "sha256"),
        str(found.get("encoding") or "hex"),
        str(found.get("key_encoding") or "text"),
        str(found.get("timestamp") or "unix"),
        str(found.get("key_id") or ""),
        found.get("config") or {},
    )
