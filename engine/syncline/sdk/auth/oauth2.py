"""OAuth 2.0 (RFC 6749): access tokens by client credentials, refresh tokens, JWT bearer assertions, DPoP and mTLS.

The grants that need a person begin in `authorization_code.py` and `device_code.py`; what they give is renewed here.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from syncline.model import units
from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth import dpop
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.client_authentication import LIFE, ClientAuthentication
from syncline.sdk.auth.grant import Flow, digest, origin
from syncline.sdk.auth.jwt import signed, signing_key
from syncline.sdk.auth.scheme import known, need, with_header
from syncline.sdk.auth.token_response import Refusal, failed, refusal, token_of
from syncline.sdk.auth.tokens import Token
from syncline.sdk.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Generator

    from syncline.sdk.auth.clock import Time
    from syncline.sdk.source import Credentials

#: Longest time that getting a token may be given, in seconds: others wait for it.
MAX_TIMEOUT = 120.0
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
INTERACTIVE = ("authorization_code", "device_code")


@dataclass(slots=True)
class OAuth2:
    """A client of an authorization server.

    >>> from syncline.sdk.auth.clock import Time
    >>> from syncline.sdk.auth.grant import answered
    >>> client = ClientAuthentication("app", "basic", Secret("s"))
    >>> scheme = OAuth2("client_credentials", "https://id.example.com/token", client, scopes=("read",))
    >>> body = b'{"access_token": "t0k3n", "token_type": "Bearer", "expires_in": 3600}'
    >>> token = answered(scheme.obtain(None, Time(lambda: 0.0)), [Response(200, {}, body)])
    >>> scheme.present(Request("GET", "https://api.example.com/"), token, 0.0).headers["Authorization"]
    'Bearer t0k3n'
    """

    grant: str
    token_url: str
    client: ClientAuthentication
    scopes: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    first_refresh: Secret | None = None
    key: Any = field(default=None, repr=False)
    algorithm: str = "RS256"
    key_id: str = ""
    issuer: str = ""
    subject: str = ""
    dpop: bool = False
    timeout: float = 20.0
    sensitive: frozenset[str] = frozenset()
    nonce: str = ""
    assertion_audience: str = ""
    assertion_claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hidden(self) -> tuple[Secret, ...]:
        return self.client.hidden + (forms(self.first_refresh) if self.first_refresh else ())

    @property
    def fresh(self) -> bool:
        return self.dpop

    @property
    def basis(self) -> str:
        settings = sorted(self.parameters.items())
        if self.assertion_claims:
            settings.append(("assertion", str(sorted(self.assertion_claims.items()))))
        return digest(self.grant, self.token_url, self.client.client_id, self.scopes, settings, self.subject, self.dpop)

    def fits(self, token: Token) -> bool:
        return token.origin == origin(self.first_refresh) and bool(token.key) == self.dpop

    def obtain(self, kept: Token | None, time: Time) -> Flow:
        refresh = (kept.refresh if kept else None) or (self.first_refresh if self.grant == "refresh_token" else None)
        key = (kept.key if kept else None) or (dpop.new_key() if self.dpop else None)
        if refresh is None and self.grant in INTERACTIVE:
            raise self.login_needed("nobody has logged in yet" if kept is None else "it has ended, without a successor")
        if refresh is not None:
            found = yield from self.asked({"grant_type": "refresh_token", "refresh_token": refresh.reveal()}, key, time)
            if isinstance(found, Token):
                return _continued(found, refresh)
            if found.error not in {"invalid_grant", "invalid_token"} or self.grant not in {
                "client_credentials",
                "jwt_bearer",
            }:
                raise self._refused(found)
        found = yield from self.asked(self._first(), key, time)
        if isinstance(found, Token):
            return found
        raise self._refused(found)

    def asked(
        self, form: Mapping[str, str], key: Secret | None, time: Time
    ) -> Generator[Request, Response | None, Token | Refusal]:
        """
        Asks the token endpoint, again where it wants a nonce, or refuses the time in an assertion or proof.

        Example: `found = yield from scheme.asked({"grant_type": "client_credentials"}, None, time)`.
        """
        tries = 3
        while True:
            began = time.now()
            response = yield self._request(form, key, time)
            assert response is not None
            if response.status == 200:
                return token_of(response, began, key=key, origin=origin(self.first_refresh))
            found = refusal(response)
            if found is None:
                raise failed(response)
            tries -= 1
            nonce_asked = self.dpop and self.learn(response)
            if tries and (nonce_asked or (self._dated() and time.learn(response))):
                continue
            return found

    def present(self, request: Request, token: Token, now: float) -> Request:
        if token.key is None:
            return with_header(request, "Authorization", f"Bearer {token.access.reveal()}")
        proof = dpop.proof(token.key, request.method, request.url, now, nonce=self.nonce, token=token.access)
        return with_header(with_header(request, "Authorization", f"DPoP {token.access.reveal()}"), "DPoP", proof)

    def learn(self, response: Response) -> bool:
        nonce = dpop.asked_nonce(response) if self.dpop else ""
        if not nonce or nonce == self.nonce:
            return False
        self.nonce = nonce
        return True

    def login_needed(self, why: str) -> Stalled:
        """The error that sends a person to log in.

        >>> OAuth2("device_code", "https://id.example.com/token", ClientAuthentication("app")).login_needed("x").code
        'SYN442'
        """
        if self.grant in INTERACTIVE:
            help_ = "Run `syncline auth login` with the name of the integration."
        else:
            help_ = "Put a new one where its secretRef points."
        return Stalled(f"there is no valid authorization: {why}", code="SYN442", help=help_)

    def _refused(self, found: Refusal) -> Stalled:
        if found.error == "invalid_grant" and self.grant not in {"client_credentials", "jwt_bearer"}:
            return self.login_needed(f"the server says {found.shown}")
        return Stalled(
            f"no token is given: {found.shown}",
            code="SYN401",
            help="Look at the AuthConfig: client, secret, scopes, and what the server allows this client.",
        )

    def _audience(self) -> str:
        return self.assertion_audience or self.token_url

    def _dated(self) -> bool:
        return self.dpop or self.grant == "jwt_bearer" or self.client.method.endswith("_jwt")

    def _first(self) -> dict[str, str]:
        """The form of the grant itself."""
        form = {"grant_type": _JWT_BEARER if self.grant == "jwt_bearer" else "client_credentials"}
        if self.scopes:
            form["scope"] = " ".join(self.scopes)
        return form

    def _assertion(self, now: float) -> str:
        """A new assertion: servers take none twice, and none of another time than theirs."""
        claims = {**self.assertion_claims, "iss": self.issuer or self.client.client_id, "aud": self._audience()}
        claims |= {"jti": random.token_urlsafe(16), "iat": int(now), "exp": int(now) + LIFE}
        claims |= {"sub": self.subject} if self.subject else {}
        return signed(claims, self.key, self.algorithm, {"kid": self.key_id} if self.key_id else {})

    def _request(self, form: Mapping[str, str], key: Secret | None, time: Time) -> Request:
        whole = {**form, **self.parameters, **self.client.parameters(self._audience(), time())}
        if form.get("grant_type") == _JWT_BEARER:
            whole["assertion"] = self._assertion(time())
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **self.client.headers(),
        }
        if key is not None:
            headers["DPoP"] = dpop.proof(key, "POST", self.token_url, time(), nonce=self.nonce)
        return Request("POST", self.token_url, headers, urlencode(whole).encode())


def _continued(found: Token, refresh: Secret) -> Token:
    """A renewed token; a server that doesn't rotate says nothing of the refresh token, which then stays."""
    from msgspec.structs import replace

    return found if found.refresh is not None else replace(found, refresh=refresh)


def oauth2(credentials: Credentials) -> OAuth2:
    """From the settings and secrets of an AuthConfig of type oauth2, by their names in Python.

    >>> from syncline.sdk.source import Credentials
    >>> settings = {"grant": "client_credentials", "token_url": "https://id.example.com/token", "client_id": "app"}
    >>> oauth2(Credentials("oauth2", settings, {"client_secret": Secret("s")})).client.method
    'basic'
    """
    found, secrets = credentials.settings, credentials.secrets
    grant, algorithm = str(found["grant"]), str(found.get("algorithm") or "RS256")
    method = str(found.get("client_auth") or ("basic" if "client_secret" in secrets else "none"))
    key = signing_key(need(credentials, "private_key"), algorithm) if "private_key" in secrets else None
    client_key, client_algorithm = key, algorithm
    if method == "client_secret_jwt":
        client_key, client_algorithm = signing_key(need(credentials, "client_secret"), "HS256"), "HS256"
    parameters = {name: str(found[name]) for name in ("audience", "resource") if found.get(name)}
    client = ClientAuthentication(
        known(credentials, "client_id"),
        method,
        secrets.get("client_secret"),
        client_key,
        client_algorithm,
        str(found.get("key_id") or "") if method == "private_key_jwt" else "",
    )
    return OAuth2(
        grant,
        str(found["token_url"]),
        client,
        tuple(found.get("scopes") or ()),
        parameters | dict(found.get("parameters") or {}),
        need(credentials, "refresh_token") if grant == "refresh_token" else None,
        key,
        algorithm,
        str(found.get("key_id") or ""),
        str(found.get("issuer") or ""),
        str(found.get("subject") or ""),
        bool(found.get("dpop")),
        min(units.duration(str(found.get("timeout") or "20s")), MAX_TIMEOUT),
        assertion_audience=str(found.get("assertion_audience") or ""),
        assertion_claims=found.get("assertion_claims") or {},
    )
