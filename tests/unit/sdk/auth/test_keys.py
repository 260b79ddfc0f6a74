"""Keys and signatures against the JOSE cookbook (RFC 7520, 7797, 8037), every file of it: its keys are read, its
signatures are made.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import import_key

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.http_signature import signer
from syncline.sdk.auth.jwt import ALGORITHMS, signed, signing_key
from syncline.sdk.auth.keys import jwk, private_key


@pytest.fixture(scope="module")
def cookbook(shared: Path):
    return shared / "vectors/jose-cookbook"


#: What the program does with each file of the cookbook. It signs tokens and requests, and reads none: nothing is
#: encrypted as JWE, and no token of others is verified.
FILES = {
    "jws/4_1.rsa_v15_signature.json": "signed",
    "jws/4_2.rsa-pss_signature.json": "PS384 is not emitted",
    "jws/4_3.ecdsa_signature.json": "ES512 is not emitted",
    "jws/4_4.hmac-sha2_integrity_protection.json": "signed",
    "jws/4_5.signature_with_detached_content.json": "signed",
    "jws/4_6.protecting_specific_header_fields.json": "signed",
    "jws/4_7.protecting_content_only.json": "signed",
    "jws/4_8.multiple_signatures.json": "signed",
    "curve25519/jws.json": "signed",
    "rfc7797/4.2.hmac-sha2_b64_false.json": "signed",
    "rfc7797/hmac-sha2_b64_false.json": "signed",
    "6.nesting_signatures_and_encryption.json": "signed",
    "jwk/3_1.ec_public_key.json": "a public key",
    "jwk/3_2.ec_private_key.json": "a key",
    "jwk/3_3.rsa_public_key.json": "a public key",
    "jwk/3_4.rsa_private_key.json": "a key",
    "jwk/3_5.symmetric_key_mac_computation.json": "a key",
    "jwk/3_6.symmetric_key_encryption.json": "a key for encryption",
    "curve25519/ecdh-es.json": "a key for encryption",
    **{
        f"jwe/5_{name}.json": "a key for encryption"
        for name in (
            "1.key_encryption_using_rsa_v15_and_aes-hmac-sha2",
            "2.key_encryption_using_rsa-oaep_with_aes-gcm",
            "4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_with_aes-gcm",
            "5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2",
            "6.direct_encryption_using_aes-gcm",
            "7.key_wrap_using_aes-gcm_keywrap_with_aes-cbc-hmac-sha2",
            "8.key_wrap_using_aes-keywrap_with_aes-gcm",
            "9.compressed_content",
            "10.including_additional_authentication_data",
            "11.protecting_specific_header_fields",
            "12.protecting_content_only",
            "13.encrypting_to_multiple_recipients",
        )
    },
    "jwe/5_3.key_wrap_using_pbes2-aes-keywrap_with-aes-cbc-hmac-sha2.json": "a password, which is no key",
    "package.json": "nothing: how the cookbook is published",
}
#: Its steps are those of another file; what comes out in the end is its own.
MIXED_UP = "rfc7797/hmac-sha2_b64_false.json"
#: How `signer` names what the cookbook's algorithms do. PSS has another digest there, and ECDSA another curve.
SAME = {"RS256": "rsa-v1_5-sha256", "HS256": "hmac-sha256", "EdDSA": "ed25519"}


def files(what):
    """The names of the files with which something is done."""
    return [name for name, done in FILES.items() if done == what]


def listed(value):
    return value if isinstance(value, list) else [value]


def keys_of(cookbook, name):
    """The keys in a file: it is one, or has one or more as its input."""
    content = json.loads((cookbook / name).read_text())
    return [content] if "kty" in content else listed(content["input"]["key"])


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_every_file_of_the_cookbook_has_its_place(cookbook):
    """No file of the cookbook is left out of the list."""
    assert {str(path.relative_to(cookbook)) for path in cookbook.rglob("*.json")} == set(FILES)


@pytest.mark.parametrize("name", files("signed"))
def test_signatures_of_the_cookbook(cookbook, name):
    """With the cookbook's key and its text, algorithms that always sign alike give its signature, and what one that
    doesn't signs verifies with its key.
    """
    content = json.loads((cookbook / name).read_text())
    content = content.get("sign", content)
    made = 0
    for key, algorithm, signing in zip(
        *(listed(part) for part in (content["input"]["key"], content["input"]["alg"], content["signing"])), strict=True
    ):
        text, expected = signing["sig-input"], signing["sig"]
        if name == MIXED_UP:
            text, _, expected = content["output"]["compact"].rpartition(".")
        if algorithm == "PS256":
            claims = json.loads(content["input"]["payload"])
            token = signed(claims, signing_key(Secret(json.dumps(key)), algorithm), algorithm)
            found = jws.deserialize_compact(token, import_key(key), algorithms=[algorithm])
            assert (found.headers(), json.loads(found.payload)) == (signing["protected"], claims)
        elif algorithm in SAME:
            shared_key = base64.b64encode(decoded(key["k"])).decode() if "k" in key else json.dumps(key)
            assert signer(SAME[algorithm], Secret(shared_key))(text.encode()) == decoded(expected)
        else:
            assert algorithm not in ALGORITHMS
            continue
        made += 1

    assert made


@pytest.mark.parametrize("name", [name for name, what in FILES.items() if what.endswith("is not emitted")])
def test_algorithms_that_are_not_emitted(cookbook, name):
    """An algorithm of the cookbook that is not ours is refused by name, with those that are."""
    algorithm = json.loads((cookbook / name).read_text())["input"]["alg"]
    assert FILES[name] == f"{algorithm} is not emitted"

    for key in keys_of(cookbook, name):
        with pytest.raises(Stalled, match=algorithm) as caught:
            signing_key(Secret(json.dumps(key)), algorithm)
        assert caught.value.code == "SYN441"


@pytest.mark.parametrize("name", files("a key"))
def test_keys_of_the_cookbook(cookbook, name):
    """Its private keys are read, each of its type and with the number that makes it private."""
    (key,) = keys_of(cookbook, name)
    found = jwk(Secret(json.dumps(key)))

    assert (found.key_type, found.is_private) == (key["kty"], True)
    secret = key["k"] if key["kty"] == "oct" else key["d"]
    assert found.as_dict(private=True)["k" if key["kty"] == "oct" else "d"] == secret


@pytest.mark.parametrize("name", files("a key for encryption"))
def test_a_key_for_encryption_signs_nothing(cookbook, name):
    """A key whose `use` is encryption is refused for tokens and for requests alike, without being shown."""
    for key in keys_of(cookbook, name):
        secret = Secret(json.dumps(key))
        with pytest.raises(Stalled, match="its use is 'enc'") as request:
            private_key(secret)
        with pytest.raises(Stalled, match="its use is 'enc'") as token:
            signing_key(secret, "HS256" if key["kty"] == "oct" else "RS256")
        assert (request.value.code, token.value.code) == ("SYN401", "SYN401")


@pytest.mark.parametrize("name", files("a public key"))
def test_a_public_key_signs_nothing(cookbook, name):
    """A public key is refused by name, as is a key for something else."""
    (key,) = keys_of(cookbook, name)
    public = Secret(json.dumps(key))
    for use in (lambda: private_key(public), lambda: signing_key(public, "RS256" if key["kty"] == "RSA" else "ES256")):
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
