"""An authorization server of Authlib's parts that takes JWTs as grants and as client credentials (RFC 7523)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("authlib_server.py")
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Whom clients act for, and one whom the server knows and they may not act for.
USER, OTHER = "ada", "bob"
ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")


@dataclass(frozen=True)
class AuthlibServer:
    """
    A running server. For each algorithm NAME in lower case there are a client `grant-NAME`, which acts for `USER` by
    JWT bearer grants, and a client `machine-NAME`, which authenticates itself by JWT. `keys` are their PEMs, by
    algorithm. Tokens live `ttl` seconds.
    """

    url: str
    ttl: int
    keys: dict[str, str] = field(repr=False)

    @property
    def token_url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.url}/token"


def install() -> Path:
    """The `bin` folder of its environment."""
    return python_environment("authlib", "Authlib==1.9.10", "Flask==3.1.3", "joserfc==1.8.0")


@contextmanager
def authlib(folder: Path, ttl: int = 5) -> Iterator[AuthlibServer]:
    """An authorization server in memory, with an API at `/items`."""
    python = install() / "python"  # by -P it finds Authlib, and not this file
    port = free_port()
    keys: dict[str, str] = {}
    clients: list[dict[str, Any]] = []
    for algorithm in ALGORITHMS:
        keys[algorithm], public = key_pair(algorithm)
        jwks = {"keys": [{**public, "kid": f"key-{algorithm}", "alg": algorithm}]}
        common = {"jwks": jwks, "acts_for": [USER]}
        clients.append({"id": f"grant-{algorithm.lower()}", "auth": "none", "grants": [GRANT], **common})
        machine = {"auth": "client_assertion_jwt", "grants": ["client_credentials"]}
        clients.append({"id": f"machine-{algorithm.lower()}", **machine, **common})
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"port": port, "ttl": ttl, "clients": clients, "users": [USER, OTHER]}))
    url = f"http://127.0.0.1:{port}"
    env = {"AUTHLIB_INSECURE_TRANSPORT": "1"}
    with running([python, "-P", SCRIPT, settings], folder, lambda: answers(f"{url}/ready"), env=env):
        yield AuthlibServer(url, ttl, keys)


def key_pair(algorithm: str) -> tuple[str, dict[str, Any]]:
    """The PEM of a new key, and its public half as a JWK."""
    kinds: dict[str, tuple[Any, Any]] = {
        "RS256": (RSAKey, lambda: rsa.generate_private_key(65537, 2048)),
        "ES256": (ECKey, lambda: ec.generate_private_key(ec.SECP256R1())),
        "EdDSA": (OKPKey, ed25519.Ed25519PrivateKey.generate),
        "Ed25519": (OKPKey, ed25519.Ed25519PrivateKey.generate),
    }
    kind, make = kinds[algorithm]
    pem = make().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), kind.import_key(pem).as_dict(private=False)
