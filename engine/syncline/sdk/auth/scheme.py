"""What every way of authenticating is, and what they share: credentials that are there, in places that carry them.

A scheme is a pure function of a request and the time: it performs no requests and keeps nothing. What must ask a
server first (`grant.py`) gives generators of requests, which `runner.py` sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.http import Request, with_query

if TYPE_CHECKING:
    from syncline.sdk.source import Credentials

_FIELD_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20\x09\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


class Scheme(Protocol):
    """Authenticates requests.

    `hidden` are the secrets in every form that they are sent in, for masking what a server repeats; `sensitive` names
    the query parameters that carry one. `fresh` says that signing a request again gives another one.

    >>> from syncline.sdk.auth.bearer import Bearer
    >>> scheme: Scheme = Bearer(Secret("t0k3n"))
    >>> scheme.sign(Request("GET", "https://api.example.com/me"), now=0.0).headers["Authorization"]
    'Bearer t0k3n'
    """

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """Secrets to mask in what is shown."""

    @property
    def sensitive(self) -> frozenset[str]:
        """Query parameters whose values are never shown or kept."""

    @property
    def fresh(self) -> bool:
        """Whether each signing differs (a time, a nonce), so that a request sent ahead can't be told from another."""

    def sign(self, request: Request, now: float) -> Request:
        """The request with its credentials, at a Unix time. Raises `Stalled` where they can't be sent."""


def need(credentials: Credentials, name: str) -> Secret:
    """A secret that the scheme can't do without. Raises `Stalled` when it is missing or empty.

    >>> from syncline.sdk.source import Credentials
    >>> need(Credentials("bearer", secrets={"token": Secret("t0k3n")}), "token")
    Secret(***)
    """
    secret = credentials.secrets.get(name)
    if not isinstance(secret, Secret) or not secret:
        raise Stalled(
            f"the {credentials.type} credentials have no {name}",
            code="SYN401",
            help="Look at the AuthConfig and at what its secretRef gives.",
        )
    return secret


def known(credentials: Credentials, name: str) -> str:
    """A value that may be text in the AuthConfig or a secret, such as a user name.

    >>> from syncline.sdk.source import Credentials
    >>> known(Credentials("basic", {"username": "ada"}), "username")
    'ada'
    """
    found = credentials.settings.get(name)
    return found if isinstance(found, str) and found else need(credentials, name).reveal()


def with_header(request: Request, name: str, value: str) -> Request:
    """The request with a header that carries a credential. Raises `Stalled` where a header can't.

    >>> with_header(Request("GET", "https://api.example.com/"), "X-API-Key", "k").headers
    {'X-API-Key': 'k'}
    """
    if not _FIELD_VALUE.fullmatch(value):
        raise unsendable("header")
    kept = {n: v for n, v in request.headers.items() if n.lower() != name.lower()}
    return replace(request, headers={**kept, name: value})


def with_cookie(request: Request, name: str, value: str) -> Request:
    """The request with one more cookie (RFC 6265). Raises `Stalled` where a cookie can't carry the value.

    >>> with_cookie(Request("GET", "https://api.example.com/"), "sid", "1").headers
    {'Cookie': 'sid=1'}
    """
    if re.search(r'[\s",;\\]', value):
        raise unsendable("cookie")
    others = next((v for n, v in request.headers.items() if n.lower() == "cookie"), "")
    return with_header(request, "Cookie", f"{others}; {name}={value}" if others else f"{name}={value}")


def with_member(request: Request, name: str, value: str) -> Request:
    """The request with a member more in its JSON object, as JSON-RPC has it; what is there keeps its bytes.

    >>> with_member(Request("POST", "https://api.example.com/", body=b'{"id":1}'), "auth", "t").body
    b'{"auth":"t","id":1}'
    """
    import orjson

    try:
        there = orjson.loads(request.body or b"")
    except orjson.JSONDecodeError:
        there = None
    if not isinstance(there, dict) or name in there:
        raise Invalid(
            f"credentials go to body.{name[:80]}, and the request has no JSON object without it",
            code="SYN441",
            help="Give the request a JSON body (an empty one is {}), and leave that member out.",
        )
    member = orjson.dumps(name) + b":" + orjson.dumps(value)
    rest = request.body.lstrip()[1:]
    return replace(request, body=b"{" + member + (b"," if there else b"") + rest)


def placed(request: Request, values: Mapping[str, str]) -> Request:
    """The request with values in their places: `headers.X-Sign`, `query.sig`, `cookies.sid`, `body.auth`.

    >>> placed(Request("GET", "https://api.example.com/"), {"query.sig": "a b"}).url
    'https://api.example.com/?sig=a%20b'
    """
    for place, value in values.items():
        area, _, name = place.partition(".")
        match area:
            case "headers" | "header" if name:
                request = with_header(request, name, value)
            case "cookies" | "cookie" if name:
                request = with_cookie(request, name, value)
            case "body" if name:
                request = with_member(request, name, value)
            case "query" if name:
                request = replace(request, url=with_query(request.url, {name: value}))
            case _:
                raise Invalid(
                    f"{place[:80]!r} is no place for credentials",
                    code="SYN441",
                    help="Use headers.NAME, query.NAME, cookies.NAME or body.NAME.",
                )
    return request


def unsendable(where: str) -> Stalled:
    """The error for a secret with characters that can't be sent where it belongs.

    >>> unsendable("header").message
    'a secret holds characters that a header cannot carry'
    """
    return Stalled(
        f"a secret holds characters that a {where} cannot carry",
        code="SYN401",
        help="A line break at the end of a secret file is the usual cause.",
    )


def names_read(text: str) -> frozenset[str]:
    """The variables that a template reads; none of one that is wrong.

    >>> names_read("{{ body_sha256 }}")
    frozenset({'body_sha256'})
    """
    from syncline.sdk.template import TemplateError, compile_template

    try:
        return compile_template(text).names
    except TemplateError:
        return frozenset()


def filled(text: str, variables: Mapping[str, Any], *, whole: bool = False) -> str:
    """A template, filled, of a text that is `whole` with the end of its last line. Values aren't in errors.

    >>> filled("{{ method }} {{ path }}", {"method": "GET", "path": "/me"})
    'GET /me'
    """
    from syncline.sdk.template import TemplateError, compile_template

    try:
        return compile_template(text, whole=whole).render(variables)
    except TemplateError as error:
        raise Invalid(f"template {text[:200]!r}: {error.message}", code="SYN430") from error
