"""An API whose requests are checked by oauthlib: OAuth 1.0 (RFC 5849)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("oauthlib_server.py")


@dataclass(frozen=True)
class OAuthLib:
    """A running API with two items on each of three pages; its one client and token, and the client's RSA key (PEM)."""

    url: str
    client: str = "client & söhne"
    client_secret: str = field(default="client-canary-4711&ü", repr=False)
    token: str = "token of the account"
    token_secret: str = field(default="token-canary-4711%", repr=False)
    private_key: str = field(default="", repr=False)


def install() -> Path:
    """The `bin` folder of its environment."""
    return python_environment("oauthlib", "oauthlib[signedtoken]==3.3.1")


@contextmanager
def oauthlib(folder: Path) -> Iterator[OAuthLib]:
    """An API on a free port."""
    python, port = install() / "python", free_port()  # by -P it finds oauthlib, and not this file
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    url = f"http://127.0.0.1:{port}"
    system = OAuthLib(url, private_key=private)
    known = {"client": [system.client, system.client_secret], "token": [system.token, system.token_secret]}
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"port": port, "rsa": public, **known}))
    with running([python, "-P", SCRIPT, settings], folder, lambda: answers(f"{url}/ready")):
        yield system
