"""The log's signing key in an HSM (PKCS#11): Ed25519 or ECDSA P-256, made in the token, never outside of it.

A file beside the other keys says which token and key it is, and has the public half. Whoever can't use the token can't
sign: the file holds no secret.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from syncline import hsm
from syncline.audit.key_file import place_key, read_key_file
from syncline.audit.malformed import Malformed
from syncline.audit.note import EcdsaKey, VerifierKey, read_verifier
from syncline.model.errors import Invalid, Stalled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pkcs11

#: OIDs of the curves, as PKCS#11 parameters.
_ED25519: Final = "1.3.101.112"
_P256: Final = "secp256r1"
ALGORITHMS: Final = ("ed25519", "p256")


@dataclass(frozen=True, slots=True)
class HsmSigner:
    """A key in a token. It is found anew for each signature, so that a token may be pulled out and put back."""

    verifier: VerifierKey
    token: hsm.Token = field(compare=False)
    label: str

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`; `Stalled` (SYN821) when the token can't be used, or its key is another."""
        signature = self.token.use(lambda session: self._sign(session, message))
        if not self.verifier.verifies(message, signature):
            raise Stalled(
                f"the key {self.label} of the HSM token {self.token.label!r} isn't the one that this log is signed by",
                code="SYN821",
                help="Use the token that has it.",
            )
        return signature

    def _sign(self, session: pkcs11.Session, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from pkcs11 import Mechanism, ObjectClass

        key: Any = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self.label)
        if not isinstance(self.verifier, EcdsaKey):
            return bytes(key.sign(message, mechanism=Mechanism.EDDSA))
        raw = bytes(key.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA))
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    @classmethod
    def create(cls, path: Path, place: str, name: str, environ: Mapping[str, str]) -> HsmSigner:
        """Makes a key for a log of this name in `pkcs11:TOKEN/ed25519` or `pkcs11:TOKEN/p256`, and the file of it."""
        label, algorithm = _place(place)
        token, key = hsm.token(label, environ), f"syncline-audit-{secrets.token_hex(8)}"
        verifier = token.use(lambda session: _generate(session, key, algorithm, name))
        made = {"token": label, "key": key, "verifier": str(verifier)}
        place_key(path, (json.dumps(made, indent=2) + "\n").encode())
        return cls.load(path, environ)

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str]) -> HsmSigner:
        """The key that a file names. The token is asked for a signature, so that what can't be signed isn't begun."""
        verifier, token, key = _read(path)
        signer = cls(verifier, hsm.token(token, environ), key)
        signer.sign(b"syncline: may this key be used?\n")
        return signer


def verifier_in(path: Path) -> VerifierKey:
    """The public half that a key's file has. The token isn't needed to verify."""
    return _read(path)[0]


def place_in(path: Path) -> str:
    """Where another key would be made like the one that a file names."""
    verifier, token, _ = _read(path)
    return f"pkcs11:{token}/{'p256' if isinstance(verifier, EcdsaKey) else 'ed25519'}"


def destroy_key(path: Path, environ: Mapping[str, str]) -> None:
    """
    Destroys the key that a file names, in its token; `Stalled` (SYN821) where the token can't be used. A file that is
    damaged names none.
    """
    try:
        _, token, label = _read(path)
    except Stalled:
        return

    def destroy(session: pkcs11.Session) -> None:
        from pkcs11 import Attribute

        for found in hsm.present(session.get_objects({Attribute.LABEL: label})):
            found.destroy()

    with suppress(hsm.Absent):
        hsm.token(token, environ).use(destroy)


def _read(path: Path) -> tuple[VerifierKey, str, str]:
    try:
        found = json.loads(read_key_file(path))
        return read_verifier(found["verifier"]), str(found["token"]), str(found["key"])
    except (ValueError, KeyError, TypeError):
        raise Stalled(f"{path} is damaged", code="SYN901", help="Restore it from a backup.") from None


def _place(text: str) -> tuple[str, str]:
    kind, _, at = text.partition(":")
    token, _, algorithm = at.partition("/")
    if kind != "pkcs11" or not token or (algorithm or ALGORITHMS[0]) not in ALGORITHMS:
        raise Invalid(
            f"{text!r} is no place for the key that signs the log",
            code="SYN830",
            help="Give pkcs11:TOKEN/ed25519 or pkcs11:TOKEN/p256.",
        )
    return token, algorithm or ALGORITHMS[0]


def _generate(session: pkcs11.Session, label: str, algorithm: str, name: str) -> VerifierKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from pkcs11 import Attribute, KeyType, Mechanism
    from pkcs11.util.ec import encode_named_curve_parameters

    ed = algorithm == "ed25519"
    kind = KeyType.EC_EDWARDS if ed else KeyType.EC
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(_ED25519 if ed else _P256)}
    parameters: Any = session.create_domain_parameters(kind, curve, local=True)
    public, _ = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if ed else Mechanism.EC_KEY_PAIR_GEN,
        store=True,
        label=label,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    point = _octets(bytes(public[Attribute.EC_POINT]))
    if ed:
        return VerifierKey(name, point)
    found = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return EcdsaKey(
        name, found.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _octets(data: bytes) -> bytes:
    """A point, which tokens give as it is or as a DER octet string."""
    if len(data) in {32, 65}:  # first: such a point may begin as an octet string does
        return data
    if data[:1] == b"\x04" and len(data) > 2 and data[1] == len(data) - 2:
        return data[2:]
    raise Malformed("the token gave no point of a known form")
