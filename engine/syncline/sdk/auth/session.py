"""A login by requests: each step may use what the steps before it took, and later requests carry what is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from msgspec import Struct, field

from syncline.model import units
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.grant import Flow, digest, origin
from syncline.sdk.auth.scheme import filled, placed
from syncline.sdk.auth.token_response import MAX_BODY, MAX_TOKEN
from syncline.sdk.auth.tokens import Token
from syncline.sdk.http import Request, Response, checked_url, with_query
from syncline.sdk.uri import escaped

if TYPE_CHECKING:
    from syncline.sdk.auth.clock import Time
    from syncline.sdk.source import Credentials

_METHODS = ("get", "post", "put")
_COOKIE = re.compile(r"(?:^|, )([^=;,\s]+)=([^;,]*)")


class Session(Struct, frozen=True):
    """
    Steps of a login (by the names of `kinds.auth_details.LoginStep`), and what later requests carry of it.

    Templates know `auth` (the AuthConfig's values), `config`, and by their names the values that steps took.

    >>> from syncline.sdk.auth.clock import Time
    >>> from syncline.sdk.auth.grant import answered
    >>> step = {"post": "/login", "body": {"pw": "{{ auth.pw }}"}, "take": {"sid": "body.session"}}
    >>> scheme = Session("https://api.example.com", [step], {"headers.X-Session": "{{ sid }}"}, {"pw": Secret("s")})
    >>> token = answered(scheme.obtain(None, Time(lambda: 0.0)), [Response(200, {}, b'{"session": "s1"}')])
    >>> scheme.present(Request("GET", "https://api.example.com/me"), token, 0.0).headers
    {'X-Session': 's1'}
    """

    base: str
    steps: Sequence[Mapping[str, Any]]
    send: Mapping[str, str]
    values: Mapping[str, str | Secret] = field(default_factory=dict)
    lifetime: float = 0.0
    timeout: float = 20.0
    config: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False

    @property
    def hidden(self) -> tuple[Secret, ...]:
        return forms(*self._secrets())

    @property
    def sensitive(self) -> frozenset[str]:
        return frozenset(place.partition(".")[2] for place in self.send if place.startswith("query."))

    @property
    def basis(self) -> str:
        plain = sorted((name, value) for name, value in self.values.items() if isinstance(value, str))
        return digest("session", self.base, orjson.dumps(list(self.steps), default=str), plain)

    def fits(self, token: Token) -> bool:
        return token.origin == self._origin()

    def obtain(self, kept: Token | None, time: Time) -> Flow:
        del kept
        began = time.now()
        auth = {name: v.reveal() if isinstance(v, Secret) else v for name, v in self.values.items()}
        taken: dict[str, str] = {}
        for number, step in enumerate(self.steps, 1):
            response = yield self._request(step, {"auth": auth, "config": self.config, **taken})
            assert response is not None
            _check(response, number)
            taken |= _taken(step, response, number)
        if not taken:
            raise Invalid("a login takes nothing from its answers", code="SYN441", help="Declare `take` in a step.")
        values = {name: Secret(value) for name, value in taken.items()}
        expires = began + self.lifetime if self.lifetime else 0.0
        return Token(next(iter(values.values())), "session", began, expires, values=values, origin=self._origin())

    def present(self, request: Request, token: Token, now: float) -> Request:
        del now
        taken = {name: value.reveal() for name, value in token.values.items()}
        auth = {name: value for name, value in self.values.items() if isinstance(value, str)}
        variables = {"auth": auth, "config": self.config, **taken}
        return placed(request, {place: filled(text, variables) for place, text in self.send.items()})

    def learn(self, response: Response) -> bool:
        del response
        return False

    def _secrets(self) -> list[Secret]:
        return [value for value in self.values.values() if isinstance(value, Secret)]

    def _origin(self) -> str:
        return origin(Secret("\x1f".join(secret.reveal() for secret in self._secrets())))

    def _request(self, step: Mapping[str, Any], variables: Mapping[str, Any]) -> Request:
        found = [(name, step[name]) for name in _METHODS if step.get(name)]
        if len(found) != 1:
            raise Invalid("a step of a login needs exactly one of get, post, put", code="SYN441")
        method, path = found[0]
        target = escaped(filled(path, {**variables, "auth": {}}))  # no secret can get into a URL by its path
        url = target if target.startswith(("http://", "https://")) else f"{self.base.rstrip('/')}/{target.lstrip('/')}"
        url = with_query(checked_url(url), _all(step.get("query"), {**variables, "auth": {}}))
        headers = {"Accept": "application/json", **_all(step.get("headers"), variables)}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Stalled("a value can't be sent in a header of the login", code="SYN401")
        if step.get("form"):
            kind, body = "application/x-www-form-urlencoded", urlencode(_all(step["form"], variables)).encode()
        elif step.get("body") is not None:
            kind, body = "application/json", orjson.dumps(_deep(step["body"], variables))
        else:
            return Request(method.upper(), url, headers)
        return Request(method.upper(), url, {"Content-Type": kind, **headers}, body)


def _all(templates: Mapping[str, str] | None, variables: Mapping[str, Any]) -> dict[str, str]:
    return {name: filled(text, variables) for name, text in (templates or {}).items()}


def _deep(value: Any, variables: Mapping[str, Any]) -> Any:
    match value:
        case str():
            return filled(value, variables)
        case list() | tuple():
            return [_deep(inner, variables) for inner in value]
        case dict():
            return {name: _deep(inner, variables) for name, inner in value.items()}
        case _:
            return value


def _check(response: Response, number: int) -> None:
    status = response.status
    if 200 <= status < 400:
        return
    if status >= 500 or status == 429:
        raise Again(f"step {number} of the login was answered with status {status}", code="SYN403")
    raise Stalled(
        f"step {number} of the login was refused (status {status})",
        code="SYN401",
        help="Look at the values of the AuthConfig: are user name and password current?",
    )


def _taken(step: Mapping[str, Any], response: Response, number: int) -> dict[str, str]:
    import jmespath

    found: Any = None
    if len(response.body) <= MAX_BODY:
        try:
            found = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            found = None
    cookies = dict(_COOKIE.findall(response.headers.get("set-cookie", "")))
    seen = {"status": response.status, "headers": dict(response.headers), "cookies": cookies, "body": found}
    taken: dict[str, str] = {}
    for name, expression in (step.get("take") or {}).items():
        value = jmespath.search(expression, seen)
        if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(str(value)) <= MAX_TOKEN:
            raise Stalled(
                f"step {number} of the login gives no {name}: {expression[:80]!a} finds no text",
                code="SYN401",
                help="The answer may be a refusal; compare the expression with the API's documentation.",
            )
        taken[name] = str(value)
    return taken


def session(credentials: Credentials) -> Session:
    """From the settings `base_url`, `steps`, `send`, `lifetime`, `timeout`; `values` from settings and secrets.

    >>> from syncline.sdk.source import Credentials
    >>> settings = {"base_url": "https://api.example.com", "steps": [], "send": {}, "values": {"user": "ada"}}
    >>> list(session(Credentials("session", settings, {"values.password": Secret("pw")})).values)
    ['user', 'password']
    """
    found = credentials.settings
    secret = {n.removeprefix("values."): s for n, s in credentials.secrets.items() if n.startswith("values.")}
    lifetime = found.get("lifetime")
    return Session(
        str(found["base_url"]),
        tuple(found["steps"]),
        found["send"],
        {**(found.get("values") or {}), **secret},
        units.duration(str(lifetime)) if lifetime else 0.0,
        min(units.duration(str(found.get("timeout") or "20s")), 120.0),
        found.get("config") or {},
    )
