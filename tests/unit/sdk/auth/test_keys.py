"""Keys and signatures against the JOSE cookbook (RFC 7520, RFC 8037): its keys are read, its signatures are made."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.http_signature import signer
from syncline.sdk.auth.jwt import signing_key
from syncline.sdk.auth.keys import private_key


@pytest.fixture(scope="module")
def cookbook(shared: Path):
    return shared / "vectors/jose-cookbook"


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        ("jws/4_1.rsa_v15_signature.json", "rsa-v1_5-sha256"),
        ("jws/4_4.hmac-sha2_integrity_protection.json", "hmac-sha256"),
        ("curve25519/jws.json", "ed25519"),
    ],
)
def test_signatures_of_the_cookbook(cookbook, file, algorithm):
    """With the cookbook's key and its text, the deterministic algorithms give its signature."""
    example = json.loads((cookbook / file).read_text())
    key = example["input"]["key"]
    secret = json.dumps(key)
    if algorithm == "hmac-sha256":
        secret = base64.b64encode(decoded(key["k"])).decode()
    text, _, signature = example["output"]["compact"].rpartition(".")

    assert signer(algorithm, Secret(secret))(text.encode()) == decoded(signature)


def test_a_public_key_signs_nothing(cookbook):
    """A public key is refused by name, as is a key for something else."""
    public = Secret((cookbook / "jwk/3_3.rsa_public_key.json").read_text())
    for use in (lambda: private_key(public), lambda: signing_key(public, "RS256")):
        with pytest.raises(Stalled) as caught:
            use()
        assert caught.value.code == "SYN401"


@pytest.mark.parametrize(
    "text", ["", "nothing", "{}", '{"kty": "RSA"}', "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key(text):
    """What is neither PEM nor a JWK is refused without being shown."""
    with pytest.raises(Stalled) as caught:
        private_key(Secret(text + "canary"))
    assert "canary" not in str(caught.value)
