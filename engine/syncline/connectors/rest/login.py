"""Logging in to an API by a person's consent, and logging out: what `syncline auth` does, for one instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.connectors.rest.exchange.authentication import scheme_of
from syncline.model.errors import Invalid, Stalled, SynclineError
from syncline.model.secret import Secret, redact
from syncline.sdk.auth import authorization_code, device_code
from syncline.sdk.auth.clock import Time
from syncline.sdk.auth.oauth2 import INTERACTIVE, OAuth2
from syncline.sdk.auth.revocation import revocations
from syncline.sdk.auth.runner import Runner
from syncline.sdk.http import TransportError

if TYPE_CHECKING:
    from syncline.sdk.auth.authorization_code import Attempt
    from syncline.sdk.auth.grant import Flow, Prompt
    from syncline.sdk.auth.tokens import Token, TokenStore
    from syncline.sdk.clock import Clock
    from syncline.sdk.http import Transport
    from syncline.sdk.source import Instance

#: Tries to store a new token while runs renew the old one.
_TRIES = 50


@dataclass(slots=True)
class Login:
    """The authorization of one instance. Raises `Invalid` for an AuthConfig that no person logs in with."""

    scheme: OAuth2
    store: TokenStore
    transport: Transport
    clock: Clock
    settings: dict[str, object]

    @classmethod
    def of(cls, instance: Instance, transport: Transport, clock: Clock) -> Login:
        """From an instance whose tokens are kept in a state."""
        scheme = scheme_of(instance)
        if not isinstance(scheme, OAuth2) or scheme.grant not in INTERACTIVE or instance.tokens is None:
            how = instance.credentials.settings.get("grant") or instance.credentials.type
            raise Invalid(
                f"{instance.name} needs no login: its AuthConfig authenticates by {how}",
                code="SYN441",
                help="Only the grants authorization_code and device_code ask a person.",
            )
        settings = dict(instance.credentials.settings)
        return cls(scheme, instance.tokens(scheme.basis), transport, clock, settings)

    def begin(self, redirect_uri: str) -> Attempt:
        """The page at which a person consents, in a browser that comes back to the redirect URI."""
        given = self.settings.get("authorization_parameters")
        issuer = self.settings.get("authorization_issuer")
        parameters = {**self.scheme.parameters, **(given if isinstance(given, dict) else {})}
        return authorization_code.begin(
            str(self.settings["authorization_url"]),
            self.scheme.client.client_id,
            redirect_uri,
            self.scheme.scopes,
            parameters,
            issuer=issuer if isinstance(issuer, str) else None,
        )

    def finish(self, attempt: Attempt, callback: str) -> Token:
        """Exchanges what the browser brought, and stores the token. Raises `Stalled` where it isn't ours."""
        time = Time(self.clock.now)
        code = attempt.code(callback)
        return self._kept(authorization_code.exchange(self.scheme, attempt, code, time), (code, attempt.verifier))

    def device(self, show: Callable[[Prompt], None], seconds: float) -> Token:
        """Shows a code, waits until a person has typed it elsewhere, and stores the token."""
        url = str(self.settings["device_authorization_url"])
        flow = device_code.login(self.scheme, url, Time(self.clock.now), most=seconds)
        return self._kept(flow, (), show)

    def revoke(self) -> int:
        """Ends the stored token at the server, where the connector says how; how many requests that took."""
        url, token = self.settings.get("revocation_url"), self.store.read().token
        if not isinstance(url, str) or token is None:
            return 0
        count = 0
        for request in revocations(self.scheme.client, url, token, self.clock.now()):
            try:
                response = self.transport.send(request, self.scheme.timeout)
            except TransportError as error:
                raise Stalled(f"the token can't be revoked: {error}", code="SYN402", help="Try again.") from error
            if response.status != 200:  # RFC 7009, section 2.2: also for a token that has ended
                raise Stalled(
                    f"the token can't be revoked: status {response.status}",
                    code="SYN444",
                    help="End it at the vendor's site; --local forgets it here all the same.",
                )
            count += 1
        return count

    def forget(self) -> None:
        """Empties the store."""
        for _ in range(_TRIES):
            if self.store.forget(self.store.read().version):
                return

    def _kept(self, flow: Flow, secrets: tuple[Secret, ...], show: Callable[[Prompt], None] | None = None) -> Token:
        runner = Runner(self.transport, self.clock, self.scheme.timeout)
        runner = runner if show is None else Runner(self.transport, self.clock, self.scheme.timeout, show)
        try:
            token = runner.run(flow)
        except SynclineError as error:
            error.message = redact(error.marked, (*self.scheme.hidden, *secrets))
            raise
        for _ in range(_TRIES):
            if self.store.swap(self.store.read().version, token):
                return token
        raise Stalled("the token can't be stored: others change it all the time", code="SYN444", help="Try again.")
