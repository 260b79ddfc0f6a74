"""Authenticating the requests of an instance: its scheme, and where the tokens of it are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from syncline.connectors.rest.exchange.request import base_url, connector_of
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.schemes import scheme
from syncline.sdk.source import Credentials, Instance, plain

if TYPE_CHECKING:
    from syncline.sdk.auth.grant import Granted
    from syncline.sdk.auth.scheme import Scheme
    from syncline.sdk.clock import Clock
    from syncline.sdk.http import Transport


#: Ways that send the same with each request, so that another value is all that differs.
_CONSTANT = frozenset({"api_key", "basic", "bearer"})


def scheme_of(instance: Instance, *, former: bool = False) -> Scheme | Granted:
    """How the instance's requests are authenticated, or were. Raises as `sdk.auth.schemes.scheme`."""
    _, http = connector_of(instance)
    more = {"base_url": base_url(instance, http), "config": plain(instance.config)}
    credentials = instance.credentials
    secrets = {**credentials.secrets, **credentials.former} if former else credentials.secrets
    return scheme(Credentials(credentials.type, {**credentials.settings, **more}, secrets))


def open_authenticator(instance: Instance, transport: Transport, clock: Clock) -> Authenticator:
    """What authenticates the instance's requests; it asks for tokens by the same transport."""
    made = scheme_of(instance)
    basis = getattr(made, "basis", "")
    store = instance.tokens(basis) if basis and instance.tokens is not None else None
    before = None
    if instance.credentials.former and instance.credentials.type in _CONSTANT:
        before = cast("Scheme", scheme_of(instance, former=True))
    return Authenticator(made, clock, transport, store, former=before)


def hosts_of(credentials: Credentials) -> set[str]:
    """Hosts that an AuthConfig or its connector gives, such as that of the token endpoint."""
    return {urlsplit(url).hostname or "" for url in _urls(credentials.settings)} - {""}


def _urls(value: Any) -> Iterator[str]:
    match value:
        case str():
            if value.startswith(("https://", "http://")):
                yield value
        case dict():
            for inner in value.values():
                yield from _urls(inner)
        case tuple() | list():
            for inner in value:
                yield from _urls(inner)
        case _:
            pass
