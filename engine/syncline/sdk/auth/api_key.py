"""An API key in a header, a query parameter, a cookie or a member of the JSON body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncline.model.secret import Secret
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import need, placed

if TYPE_CHECKING:
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, and its place: `header`, `query`, `cookie` or `body`, and the name there.

    >>> from syncline.sdk.http import Request
    >>> ApiKey("query", "k", "", Secret("1")).sign(Request("GET", "https://api.example.com/me"), now=0.0).url
    'https://api.example.com/me?k=1'
    """

    location: str
    name: str
    prefix: str
    value: Secret
    hidden: tuple[Secret, ...] = field(init=False)
    sensitive: frozenset[str] = field(init=False)
    fresh: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", forms(self.value))
        object.__setattr__(self, "sensitive", frozenset({self.name} if self.location == "query" else ()))

    def sign(self, request: Request, now: float) -> Request:
        del now
        area = {"query": "query", "cookie": "cookies", "body": "body"}.get(self.location, "headers")
        return placed(request, {f"{area}.{self.name}": self.prefix + self.value.reveal()})


def api_key(credentials: Credentials) -> ApiKey:
    """From the settings `location` (or `in`), `name` and `prefix`, and the secret `value`.

    >>> from syncline.sdk.source import Credentials
    >>> api_key(Credentials("api_key", {"in": "query", "name": "k"}, {"value": Secret("v")})).sensitive
    frozenset({'k'})
    """
    found = credentials.settings
    location = found.get("in") or found.get("location") or "header"
    name, prefix = found.get("name") or "X-API-Key", found.get("prefix") or ""
    return ApiKey(str(location), str(name), str(prefix), need(credentials, "value"))
