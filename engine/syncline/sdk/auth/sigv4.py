"""AWS Signature Version 4: each request is signed with a key derived from the secret, the day, region and service.

The canonical form is the one that AWS publishes ("Create a signed AWS API request"). The body's hash is sent as
`x-amz-content-sha256`, as S3 demands and others allow.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from msgspec.structs import replace

from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import known, need, with_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
#: Headers that proxies and the transport may change on the way.
_UNSIGNED = frozenset({"authorization", "user-agent", "accept-encoding", "connection", "x-amzn-trace-id", "expect"})


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _uri(path: str, service: str) -> str:
    """The path, percent-encoded once for S3 and twice for every other service; dots are taken out but for S3."""
    if service == "s3":
        return quote(unquote(path or "/"), safe="/~-._")
    kept: list[str] = []
    for part in (path or "/").split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part and part != ".":
            kept.append(part)
    end = "/" if path.endswith("/") and kept else ""
    return quote("/" + "/".join(kept) + end, safe="/~-._")


def _query(query: str) -> str:
    pairs = [(quote(k, safe="~-._"), quote(v, safe="~-._")) for k, v in parse_qsl(query, keep_blank_values=True)]
    return "&".join(f"{k}={v}" for k, v in sorted(pairs))


def canonical_request(request: Request, headers: Mapping[str, str], service: str, payload: str) -> str:
    """The canonical request: what is signed, in one form. `headers` are those that are signed, in lower case.

    >>> from syncline.sdk.http import Request
    >>> print(canonical_request(Request("GET", "https://h/?b=2&a=1"), {"host": "h"}, "s3", "UNSIGNED-PAYLOAD"))
    GET
    /
    a=1&b=2
    host:h
    <BLANKLINE>
    host
    UNSIGNED-PAYLOAD
    """
    parts = urlsplit(request.url)
    lines = [f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)]
    path, query, names = _uri(parts.path, service), _query(parts.query), ";".join(sorted(headers))
    return "\n".join((request.method, path, query, "".join(lines), names, payload))


@dataclass(frozen=True, slots=True)
class SigV4:
    """An access key, and the service and region that requests are for.

    `session` is the token of temporary credentials. `body_header` sends the body's hash as a header of its own.
    Example: `SigV4("AKIDEXAMPLE", secret, "service", "us-east-1").sign(request, now)`.
    """

    access_key: str
    secret_key: Secret
    service: str
    region: str
    session: Secret | None = None
    body_header: bool = True
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = frozenset()
    fresh: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", forms(*filter(None, (self.secret_key, self.session))))

    def sign(self, request: Request, now: float) -> Request:
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        payload = _hash(request.body)
        request = with_header(request, "X-Amz-Date", stamp)
        if self.body_header:
            request = with_header(request, "X-Amz-Content-Sha256", payload)
        if self.session is not None:
            request = with_header(request, "X-Amz-Security-Token", self.session.reveal())
        headers = {n.lower(): v for n, v in request.headers.items() if n.lower() not in _UNSIGNED}
        headers.setdefault("host", _host(request.url))
        # A query that is written as AWS reads it back: both sides then sign the same text.
        parts = urlsplit(request.url)
        request = replace(request, url=parts._replace(query=_query(parts.query), fragment="").geturl())
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        canonical = canonical_request(request, headers, self.service, payload)
        text = "\n".join((_ALGORITHM, stamp, scope, _hash(canonical.encode())))
        signature = hmac.new(self._key(stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
        value = (
            f"{_ALGORITHM} Credential={self.access_key}/{scope}, "
            f"SignedHeaders={';'.join(sorted(headers))}, Signature={signature}"
        )
        return with_header(request, "Authorization", value)

    def _key(self, day: str) -> bytes:
        key = b"AWS4" + self.secret_key.reveal().encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        return key


def _host(url: str) -> str:
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.hostname or "") + (f":{parts.port}" if parts.port and parts.port != usual else "")


def aws_sigv4(credentials: Credentials) -> SigV4:
    """From `access_key_id`, `service`, `region`, and the secrets `secret_access_key` and `session_token`.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.source import Credentials
    >>> settings = {"access_key_id": "AKID", "service": "s3", "region": "eu-west-1"}
    >>> aws_sigv4(Credentials("aws_sigv4", settings, {"secret_access_key": Secret("s")})).service
    's3'
    """
    found = credentials.settings
    return SigV4(
        known(credentials, "access_key_id"),
        need(credentials, "secret_access_key"),
        str(found["service"]),
        str(found["region"]),
        credentials.secrets.get("session_token"),
    )
