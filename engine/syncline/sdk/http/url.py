"""URLs: which may be asked, where credentials may go with them, and what of them may be shown."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import (
    SplitResult,
    parse_qsl,
    quote,
    unquote_plus,
    urldefrag,
    urlencode,
    urljoin,
    urlsplit,
    urlunsplit,
)

from syncline.model.errors import Invalid
from syncline.sdk.uri import requoted


class Origin(NamedTuple):
    """An origin (RFC 6454): the host is in lower case, the port always there.

    >>> origin_of("https://API.example.com/v1")
    Origin(scheme='https', host='api.example.com', port=443)
    """

    scheme: str
    host: str
    port: int


def origin_of(url: str | SplitResult) -> Origin:
    """The origin of a URL.

    >>> origin_of("http://[::1]:8080/").host
    '::1'
    """
    parts = urlsplit(url) if isinstance(url, str) else url
    return _origin(parts.scheme, parts.netloc)


@lru_cache(maxsize=4096)
def _origin(scheme: str, netloc: str) -> Origin:
    """Each request asks for its origin several times, and there are few of them."""
    parts = SplitResult(scheme, netloc, "", "", "")
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or (443 if scheme == "https" else 80))


def same_origin(base: str, url: str) -> bool:
    """Whether a URL is at the origin (RFC 6454) of a base: where credentials may go. Never true for another scheme.

    >>> same_origin("https://api.example.com/v1", "https://API.example.com:443/v2")
    True
    >>> same_origin("https://api.example.com", "http://api.example.com")
    False
    """
    return origin_of(base) == origin_of(url)


def followed(base: str, reference: str) -> str:
    """
    Where a reference leads that a server gave in its answer to `base`: a URL without a fragment, requoted as browsers
    do (see `requoted`). Whether it may be asked is for who follows it to say. `ValueError` for what is no URL at all.

    >>> followed("https://api.example.com/v1/items?page=1", "?page=2&q=a b")
    'https://api.example.com/v1/items?page=2&q=a%20b'
    """
    return urldefrag(urljoin(base, requoted(reference))).url


def checked_url(url: str) -> str:
    """The URL, if it is one that may be asked: http or https, a host, no user name in it, no control characters.

    >>> checked_url("https://api.example.com/me")
    'https://api.example.com/me'
    >>> checked_url("file:///etc/passwd")
    Traceback (most recent call last):
    syncline.model.errors.Invalid: not a URL that can be asked: '/etc/passwd'
    """
    try:
        parts = urlsplit(url)
        sound = _sound(parts.scheme, parts.netloc)
    except ValueError:
        sound = False
    if not (sound and url.isascii() and url.isprintable() and " " not in url):
        raise Invalid(
            f"not a URL that can be asked: {shown_url(url)[:200]!a}",
            code="SYN406",
            help="An absolute http or https URL with a host and without a user name is expected.",
        )
    return url


@lru_cache(maxsize=4096)
def _sound(scheme: str, netloc: str) -> bool:
    """Whether something at this place may be asked. `ValueError` for a port that is none."""
    parts = SplitResult(scheme, netloc, "", "", "")
    port_ok = parts.port is None or 0 < parts.port < 65536
    return (
        scheme in {"http", "https"}
        and bool(parts.hostname)
        and parts.username is None
        and port_ok
        and "%" not in netloc
    )


def with_query(url: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """
    The URL with these query parameters set, instead of those of the same names; the others stay byte for byte. A list
    of values is a parameter for each.

    >>> with_query("https://api.example.com/tickets?page=1&of=a+b", {"page": "2"})
    'https://api.example.com/tickets?of=a+b&page=2'
    >>> with_query("https://api.example.com/tickets", {"tag": ["a", "b c"]})
    'https://api.example.com/tickets?tag=a&tag=b%20c'
    """
    if not values:
        return url
    if "?" not in url and "#" not in url:
        return f"{url}?{urlencode(values, doseq=True, quote_via=quote)}"
    parts = urlsplit(url)
    query = "&".join([*_others(parts.query, values), urlencode(values, doseq=True, quote_via=quote)])
    return urlunsplit(parts._replace(query=query, fragment=""))


def _others(query: str, names: Container[str]) -> list[str]:
    """The parameters of a query that aren't these, as they are written."""
    return [text for text in query.split("&") if text and unquote_plus(text.partition("=")[0]) not in names]


def without_query(url: str, names: frozenset[str]) -> str:
    """The URL without these query parameters; the others stay byte for byte.

    >>> without_query("https://api.example.com/tickets?page=1&k=t0k3n", frozenset({"k"}))
    'https://api.example.com/tickets?page=1'
    """
    parts = urlsplit(url)
    kept = _others(parts.query, names)
    if len(kept) == len(_others(parts.query, ())):
        return url
    return urlunsplit(parts._replace(query="&".join(kept)))


#: Query parameters whose values are never shown, whatever the connector calls its key.
_SENSITIVE = frozenset({
    "access_token", "api_key", "api-key", "apikey", "auth", "key", "password", "secret", "sig", "signature", "token",
    "x-amz-signature", "x-amz-security-token",
})  # fmt: skip


#: A query that is shown as it is written, but for what is hidden.
_AS_SHOWN = re.compile(r"[A-Za-z0-9._~-]+=[A-Za-z0-9:.,_~-]*(&[A-Za-z0-9._~-]+=[A-Za-z0-9:.,_~-]*)*")


def shown_url(url: str, sensitive: frozenset[str] = frozenset()) -> str:
    """Path and query for people: `/tickets?cursor=8&api_key=***`. Host and fragment are left out.

    >>> shown_url("https://api.example.com/tickets?cursor=8&api_key=t0k3n")
    '/tickets?cursor=8&api_key=***'
    """
    parts = urlsplit(url)
    hidden = _SENSITIVE | {name.lower() for name in sensitive}
    if _AS_SHOWN.fullmatch(parts.query):
        written = (text.partition("=")[::2] for text in parts.query.split("&"))
        shown = [f"{name}={'***' if name.lower() in hidden else value}" for name, value in written]
    else:
        shown = [
            f"{quote(name, safe='.-_[]')}={'***' if name.lower() in hidden else quote(value, safe=':.,-_')}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
    return (parts.path or "/") + ("?" + "&".join(shown) if shown else "")
