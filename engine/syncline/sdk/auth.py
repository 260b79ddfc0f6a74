"""Authentication as a pure function of a request: API key, basic (RFC 7617) and bearer (RFC 6750).

Called for each attempt, right before it is sent: the result holds revealed secrets and is kept by nobody. What this
isn't: it performs no requests. Flows that must (OAuth 2.0) come as generators of requests, beside it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from urllib.parse import quote

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.http import Request, with_query
from syncline.sdk.source import Credentials

_FIELD_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20\x09\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


def authenticate(request: Request, credentials: Credentials) -> Request:
    """
    The request with its credentials.

    Settings: `in` (header, query or cookie), `name` and `prefix` of an API key; `username` of basic, if it isn't a
    secret. Secrets: `value`; `username`, `password`; `token`. Raises `Stalled` when one is missing or can't be sent.

    >>> request = Request("GET", "https://api.example.com/me")
    >>> sent = authenticate(request, Credentials("bearer", secrets={"token": Secret("t0k3n")}))
    >>> sent.headers["Authorization"]
    'Bearer t0k3n'
    """
    match credentials.type:
        case "none":
            return request
        case "bearer":
            return _header(request, "Authorization", f"Bearer {_secret(credentials, 'token')}")
        case "basic":
            return _header(request, "Authorization", f"Basic {_basic(credentials)}")
        case "api_key":
            return _api_key(request, credentials)
        case other:
            raise Invalid(
                f"the rest runtime cannot authenticate with {other}",
                code="SYN441",
                help="Use api_key, basic or bearer.",
            )


def sensitive_parameters(credentials: Credentials) -> frozenset[str]:
    """Names of the query parameters that carry a secret: masked where a URL is shown, stripped where it is kept.

    >>> sensitive_parameters(Credentials("api_key", {"in": "query", "name": "k"}, {"value": Secret("v")}))
    frozenset({'k'})
    """
    if credentials.type == "api_key" and _location(credentials) == "query":
        return frozenset({_name(credentials)})
    return frozenset()


def forms_of_secrets(credentials: Credentials) -> tuple[Secret, ...]:
    """The secrets in every form that they are sent in: for masking what an API sends back of a request.

    >>> [form.reveal() for form in forms_of_secrets(Credentials("bearer", secrets={"token": Secret("a b")}))]
    ['a b', 'a%20b']
    """
    found = list(credentials.secrets.values())
    found += [Secret(quote(secret.reveal(), safe="")) for secret in credentials.secrets.values()]
    if credentials.type == "basic" and credentials.secrets.get("password"):
        found.append(Secret(_basic(credentials)))
    return tuple(found)


def _basic(credentials: Credentials) -> str:
    user = credentials.settings.get("username") or _secret(credentials, "username")
    return base64.b64encode(f"{user}:{_secret(credentials, 'password')}".encode()).decode()


def _api_key(request: Request, credentials: Credentials) -> Request:
    name = _name(credentials)
    value = credentials.settings.get("prefix", "") + _secret(credentials, "value")
    match _location(credentials):
        case "query":
            return replace(request, url=with_query(request.url, {name: value}))
        case "cookie":
            if re.search(r'[\s",;\\]', value):
                raise _unsendable("cookie")
            others = request.headers.get("Cookie")
            return _header(request, "Cookie", f"{others}; {name}={value}" if others else f"{name}={value}")
        case _:
            return _header(request, name, value)


def _location(credentials: Credentials) -> str:
    return credentials.settings.get("in") or credentials.settings.get("location") or "header"


def _name(credentials: Credentials) -> str:
    return credentials.settings.get("name") or "X-API-Key"


def _secret(credentials: Credentials, name: str) -> str:
    secret = credentials.secrets.get(name)
    if not isinstance(secret, Secret) or not secret:
        raise Stalled(
            f"the {credentials.type} credentials have no {name}",
            code="SYN401",
            help="Look at the AuthConfig and at what its secretRef gives.",
        )
    return secret.reveal()


def _header(request: Request, name: str, value: str) -> Request:
    if not _FIELD_VALUE.fullmatch(value):
        raise _unsendable("header")
    return replace(request, headers={**request.headers, name: value})


def _unsendable(where: str) -> Stalled:
    return Stalled(
        f"a secret holds characters that a {where} cannot carry",
        code="SYN401",
        help="A line break at the end of a secret file is the usual cause.",
    )
