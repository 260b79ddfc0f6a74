"""
oidc-provider: a certified OAuth 2 and OpenID Connect server.

Client credentials (basic, post, secret JWT, private-key JWT, DPoP, mTLS), authorization code with PKCE, refresh tokens
that rotate (a reused one kills its family), device code, introspection, revocation. `oidc.mjs` adds an API of twelve
items that takes its opaque tokens.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.install import node_modules, program
from tests.peers.pki import SERVER, Authority, Certificate
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("oidc.mjs")
TOKEN_SECONDS = 5
KEY_ID = "key-1"


@dataclass(frozen=True)
class Oidc:
    """
    A running authorization server, whose access tokens live `ttl` seconds.

    Its clients by name: `basic`, `post`, `secret-jwt`, `private-jwt`, `dpop` (client credentials), `web` (code and
    refresh with a secret), `native` (code, refresh and device code without one). A redirect goes to any port of
    `http://127.0.0.1/callback`. `secrets` has the secrets by client, `private_key` the PEM of `private-jwt`.
    """

    url: str
    ttl: int
    secrets: dict[str, str] = field(repr=False)
    private_key: Path = Path()
    key_id: str = KEY_ID

    @property
    def token_url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.url}/token"

    def counted(self, path: str) -> int:
        """How often a path was asked for since the start."""
        return int(ask("GET", f"{self.url}/counted").ok().get(path, 0))


@dataclass(frozen=True)
class OidcMtls:
    """A running authorization server over TLS: `client` is known by its certificate, and its tokens are bound to it."""

    url: str
    ca: Path
    client_id: str
    client: Certificate
    stranger: Certificate
    authority: Authority = field(repr=False)

    @property
    def token_url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.url}/token"


def install() -> Path:
    """The folder of its packages."""
    return node_modules("oidc", "oidc-provider@9.13.3")


@contextmanager
def oidc(folder: Path, ttl: int = TOKEN_SECONDS) -> Iterator[Oidc]:
    """An authorization server over HTTP, in memory."""
    key, public = _signing_key(folder / "private-jwt.pem")
    names = ("basic", "post", "secret-jwt", "dpop", "web")
    secrets = {name: f"oidc-canary-{name}-0123456789abcdef0123456789" for name in names}
    with _started(folder, _clients(secrets, public), ttl, None) as url:
        yield Oidc(url, ttl, secrets, key)


@contextmanager
def oidc_mtls(folder: Path) -> Iterator[OidcMtls]:
    """An authorization server over TLS, which asks for certificates."""
    authority = Authority(folder / "pki")
    served = authority.issue(SERVER)
    client = {
        "client_id": "mtls",
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=client1",
        "tls_client_certificate_bound_access_tokens": True,
        **_machine(),
    }
    tls = {"certificate": str(served.certificate), "key": str(served.key), "ca": str(authority.ca)}
    with _started(folder, [client], 60, tls, authority) as url:
        yield OidcMtls(url, authority.ca, "mtls", authority.issue("client1"), authority.issue("stranger"), authority)


@contextmanager
def _started(
    folder: Path, clients: list[dict[str, Any]], ttl: int, tls: Any, authority: Authority | None = None
) -> Iterator[str]:
    port = free_port()
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    given = {"modules": str(install()), "issuer": url, "port": port, "clients": clients, "ttl": ttl, "tls": tls}
    settings = folder / "settings.json"
    settings.write_text(json.dumps(given))
    context = authority.context() if authority else None
    known = f"{url}/.well-known/openid-configuration"
    with running([program("node"), SCRIPT, settings], folder, lambda: answers(known, tls=context)):
        yield url


def _machine() -> dict[str, Any]:
    return {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}


def _clients(secrets: dict[str, str], public: dict[str, str]) -> list[dict[str, Any]]:
    jwks = {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}
    person = {
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "response_types": ["code"],
    }
    code, refresh, device = "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"
    clients = [
        {"client_id": "basic", "token_endpoint_auth_method": "client_secret_basic", **_machine()},
        {"client_id": "post", "token_endpoint_auth_method": "client_secret_post", **_machine()},
        {"client_id": "secret-jwt", "token_endpoint_auth_method": "client_secret_jwt", **_machine()},
        {"client_id": "dpop", "dpop_bound_access_tokens": True, **_machine()},
        {"client_id": "private-jwt", "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks, **_machine()},
        {"client_id": "web", "grant_types": [code, refresh], **person},
        {
            "client_id": "native",
            "token_endpoint_auth_method": "none",
            "grant_types": [code, refresh, device],
            **person,
        },
    ]
    return [
        client | ({"client_secret": secrets[client["client_id"]]} if client["client_id"] in secrets else {})
        for client in clients
    ]


def _signing_key(path: Path) -> tuple[Path, dict[str, str]]:
    """The PEM file of a new key, and its public half as a JWK (RFC 7517)."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem)
    numbers = key.public_key().public_numbers()
    return path, {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def _number(value: int) -> str:
    import base64

    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
