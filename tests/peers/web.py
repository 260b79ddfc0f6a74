"""Asking a system directly, past Syncline: to fill it before a test and to look at it afterwards."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    def ok(self) -> Any:
        """The decoded body of a 2xx answer (None where there is no body); anything else is an error in the test."""
        assert 200 <= self.status < 300, f"{self.status}: {self.body[:500]!r}"
        return json.loads(self.body) if self.body else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


def ask(
    method: str,
    url: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request. `body` is sent as it is when it is bytes, else as JSON. Redirects and proxies aren't followed."""
    named = dict(headers or {})
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    if data is not None:
        named.setdefault("Content-Type", "application/json")
    if basic:
        named["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _NoRedirect()]
    if tls:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    request = urllib.request.Request(url, data=data, headers=named, method=method)  # noqa: S310 - the test's own address
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=SECONDS) as response:
            return Answer(response.status, _lower(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lower(error.headers), error.read())


def answers(url: str, *, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a GET is answered by anything below 500."""
    try:
        return ask("GET", url, tls=tls).status < 500
    except OSError:
        return False


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
