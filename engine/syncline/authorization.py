"""Logging in to APIs, and out: by a person's consent, once, after which runs renew the tokens by themselves.

    manifests → policy → secrets → the authorization server → sealed tokens in the state → evidence

Tokens are written to the state only, sealed, and shown nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.inspection import looking
from syncline.model.event import Action

if TYPE_CHECKING:
    from syncline.connectors.rest.login import Login
    from syncline.model.key import ObjectKey
    from syncline.sdk.auth.grant import Prompt
    from syncline.sdk.auth.tokens import Token
    from syncline.settings import Settings
    from syncline.state.store import SealedToken
    from syncline.workflow import Validation


class LoggedIn(Struct, frozen=True):
    """What a login gave, without its values: when the access token ends (Unix time, 0: unknown), whether it can be
    renewed, and the scopes that were granted.
    """

    expires: float
    renewable: bool
    scope: str


class Stored(Struct, frozen=True):
    """A token in the state, without its values."""

    tenant: str
    auth: str
    expires: float
    changed: str
    renewable: bool | None


def login(
    settings: Settings,
    validation: Validation,
    key: ObjectKey,
    *,
    seconds: float,
    show: Callable[[Prompt], None],
) -> LoggedIn:
    """
    Logs in to a declared integration and stores the token.

    `show` is given the page to open, with a code to type there or with none. Raises `Invalid` where no login is needed,
    and `Stalled` where it is refused, answered by another's, or not finished within so many seconds.
    """
    from syncline.executor.access.loopback import Loopback
    from syncline.sdk.auth.grant import Prompt

    with _login(settings, validation, key, Action.auth_login) as made:
        if made.scheme.grant == "device_code":
            return _shown(made.device(show, seconds))
        with Loopback(str(made.settings.get("redirect_uri"))) as loopback:
            attempt = made.begin(loopback.uri)
            show(Prompt(attempt.url, "", seconds))
            return _shown(made.finish(attempt, loopback.wait(seconds)))


def logout(settings: Settings, validation: Validation, key: ObjectKey, *, local: bool) -> tuple[bool, bool]:
    """Forgets the token of a declared integration, after ending it at the server, unless only here is asked for.

    Returns whether there was one, and whether the server was told.
    """
    with _login(settings, validation, key, Action.auth_logout) as made:
        there = made.store.read().token is not None
        told = there and not local and made.revoke() > 0
        if there:
            made.forget()
        return there, told


def stored(settings: Settings) -> tuple[Stored, ...]:
    """The tokens in the state. Nothing is changed, and no server is asked."""
    from contextlib import closing

    from syncline.executor.access.roles import hidden
    from syncline.state.open import open_reader

    unseen = hidden(settings)
    with closing(open_reader(settings.state_url)) as reader:
        found = [token for token in reader.tokens() if token.key.tenant not in unseen]
    return tuple(_stored(settings, token) for token in found)


def _stored(settings: Settings, token: SealedToken) -> Stored:
    from syncline.executor.services.tokens import opened
    from syncline.model.errors import SynclineError
    from syncline.secrets.keys.ring import KeyRing

    try:
        renewable: bool | None = opened(KeyRing.look(settings.keys, settings.environ), token).refresh is not None
    except SynclineError:  # its key isn't here
        renewable = None
    return Stored(token.key.tenant, token.key.name, token.expires, token.changed, renewable)


@contextmanager
def _login(settings: Settings, validation: Validation, key: ObjectKey, action: Action) -> Iterator[Login]:
    from contextlib import closing

    from syncline.connectors.rest.exchange.opening import open_transport
    from syncline.connectors.rest.exchange.request import connector_of
    from syncline.connectors.rest.login import Login
    from syncline.sdk.clock import SystemClock

    clock = SystemClock()
    with looking(settings, validation, key, action, {}, always=True) as inspector:
        instance = inspector.open()
        with closing(open_transport(instance, connector_of(instance)[1], clock)) as transport:
            yield Login.of(instance, transport, clock)


def _shown(token: Token) -> LoggedIn:
    return LoggedIn(token.expires, token.refresh is not None, token.scope)
