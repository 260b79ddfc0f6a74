"""An API whose requests are checked by libraries: mohawk, httpsig and http-message-signatures."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SCRIPT = Path(__file__).with_name("signatures_server.py")
#: httpsig asks for what setuptools no longer has in later versions.
PACKAGES = ("http-message-signatures==3.0.0", "mohawk==1.1.0", "httpsig==1.3.0", "setuptools==65.5.0")
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Signatures:
    """A running API with two items on each of three pages below each way's path; keys by their algorithms."""

    url: str
    id: str = "client-1"
    secret: str = field(default="hmac-canary-4711", repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


def install() -> Path:
    """The `bin` folder of its environment."""
    return python_environment("signatures", *PACKAGES)


@contextmanager
def signatures(folder: Path) -> Iterator[Signatures]:
    """An API on a free port."""
    python, port = install() / "python", free_port()  # by -P it finds the libraries, and not what is beside it
    made: dict[str, PrivateKeyTypes] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ecdsa-p256-sha256": ec.generate_private_key(ec.SECP256R1()),
        "rsa-pss-sha512": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    private = {
        name: key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        for name, key in made.items()
    }
    public = {
        name: key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        for name, key in made.items()
    }
    url = f"http://127.0.0.1:{port}"
    shared = base64.b64encode(Signatures.secret.encode()).decode()
    system = Signatures(url, keys={**private, "hmac-sha256": shared})
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"port": port, "id": system.id, "secret": system.secret, "keys": public}))
    with running([python, "-P", SCRIPT, settings], folder, lambda: answers(f"{url}/ready")):
        yield system
