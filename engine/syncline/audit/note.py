"""Signed notes (C2SP signed-note): text, a blank line, and lines of signatures.

Pure: no files. Reading is strict, so that a note has exactly one form and no byte of it can change unnoticed. Only
Ed25519 signatures (type 0x01) are made and checked; those of unknown keys are kept and ignored, as the format wants.

Ed25519 is checked as OpenSSL does (no cofactor, R compared as bytes). Public keys of low order, under which anyone can
sign, and keys that are not in canonical form are refused when they are read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Protocol, Self

from msgspec import Struct

from syncline.audit.malformed import Malformed

ED25519: Final = 0x01
ECDSA: Final = 0x02
MAX_NOTE: Final = 1_000_000
"""Longest note that is read, in bytes."""

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES: Final = re.compile(r"[+\s\x00-\x1f]")
_P: Final = 2**255 - 19
_LOW_ORDER_Y: Final = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)
"""The y coordinates of the eight points of small order on edwards25519."""


class Signer(Protocol):
    """Who signs: a key in a file, or in an HSM."""

    @property
    def verifier(self) -> VerifierKey:
        """The public half, with the name that signature lines carry."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`; raises Stalled when the key cannot be used."""
        ...


class VerifierKey(Struct, frozen=True):
    """A public key with its name; as text `name+8 hex digits+base64(type || key)`.

    `KIND` is the type of its signatures: 0x01, Ed25519 of the text. Other types are subclasses.
    """

    KIND: ClassVar[int] = ED25519

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise Malformed(f"{self.name!r} is not a key name: it must have no spaces, controls or plus signs")
        y = int.from_bytes(self.public, "little") & ((1 << 255) - 1)
        if len(self.public) != 32 or y >= _P:
            raise Malformed("not an Ed25519 public key of 32 bytes in canonical form")
        if y in _LOW_ORDER_Y:
            raise Malformed("this Ed25519 public key has a low order: anyone could sign for it")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.KIND]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode(bytes([self.KIND]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; `Malformed` for any other, or when its key ID does not belong to its key."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = decode(encoded)
        if data[:1] != bytes([cls.KIND]):
            raise Malformed(f"only verifier keys of type {cls.KIND} (Ed25519) are supported here")
        key = cls(name, data[1:])
        if str(key) != text:
            raise Malformed(f"the key ID {key_id!r} of verifier key {name!r} does not belong to its key")
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's signature of `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class EcdsaKey(VerifierKey, frozen=True):
    """A public key on P-256, as its DER (SPKI). A signature of it is ECDSA of the text's SHA-256, in DER.

    HSMs have it more often than Ed25519. Its key ID is that of the key alone, as the format says.
    """

    KIND: ClassVar[int] = ECDSA

    def __post_init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

        if not is_key_name(self.name):
            raise Malformed(f"{self.name!r} is not a key name: it must have no spaces, controls or plus signs")
        try:
            key = load_der_public_key(self.public)
        except ValueError:
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise Malformed("not a public key on P-256 in DER")
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != self.public:
            raise Malformed("not a public key on P-256 in canonical form")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(key)."""
        return hashlib.sha256(self.public).digest()[:4]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's signature of `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        key = load_der_public_key(self.public)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature, message, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


def read_verifier(text: str) -> VerifierKey:
    """A log's public key in its text form, Ed25519 or ECDSA; `Malformed` for any other."""
    kind = decode(text.partition("+")[2].partition("+")[2])[:1]
    return EcdsaKey.parse(text) if kind == bytes([ECDSA]) else VerifierKey.parse(text)


class Signature(Struct, frozen=True):
    """One signature line: who says they signed, the ID of the key, and the bytes."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"— {self.name} {encode(self.key_id + self.value)}\n"


class Note(Struct, frozen=True):
    """A parsed note. Its text means nothing until `verify` has returned it."""

    text: str
    signatures: tuple[Signature, ...]


def sign(text: str, signers: Iterable[Signer]) -> bytes:
    """Return the note over `text` (which ends in a newline) with one signature line a signer."""
    _check_text(text)
    message = text.encode()
    lines = [Signature(signer.verifier.name, signer.verifier.key_id, signer.sign(message)).line for signer in signers]
    return (text + "\n" + "".join(lines)).encode()


def parse(data: bytes, most: int = MAX_NOTE) -> Note:
    """Read a note of at most so many bytes strictly, without verifying anything."""
    if len(data) > most:
        raise Malformed(f"a note of {len(data)} bytes is longer than {most}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"a note must be UTF-8: {error.reason} at byte {error.start}") from None
    text, blank, block = whole.rpartition("\n\n")
    if not blank or not block.endswith("\n"):
        raise Malformed("a note needs a text, a blank line and lines of signatures")
    text += "\n"
    _check_text(text)
    return Note(text, tuple(signature_of(line) for line in block[:-1].split("\n")))


def verify(data: bytes, keys: Sequence[VerifierKey], most: int = MAX_NOTE) -> Note:
    """Return the note when a trusted key signed it; `Malformed` otherwise, or when a trusted key's line is wrong."""
    note = parse(data, most)
    message = note.text.encode()
    trusted = 0
    for line in note.signatures:
        for key in keys:
            if (key.name, key.key_id) != (line.name, line.key_id):
                continue
            if not key.verifies(message, line.value):
                raise Malformed(f"the signature of {key.name} does not verify")
            trusted += 1
    if not trusted:
        raise Malformed(f"no signature by {' or '.join(key.name for key in keys) or 'a trusted key'}")
    return note


def is_key_name(name: str) -> bool:
    """Whether a name may stand in a signature line."""
    return bool(name) and not _NOT_IN_NAMES.search(name)


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Malformed("the text of a note must end in a newline and hold no control characters")


def signature_of(line: str) -> Signature:
    """Read one signature line, without its newline."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not is_key_name(name):
        raise Malformed(f"{line[:80]!r} is not a signature line")
    data = decode(encoded)
    if len(data) < 5:
        raise Malformed(f"the signature of {name} is too short")
    return Signature(name, data[:4], data[4:])


def encode(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Decode base64 in canonical form only: Python alone would accept stray bits in the last character."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{text[:80]!r} is not base64") from None
    if encode(data) != text:
        raise Malformed(f"{text[:80]!r} is not base64 in canonical form")
    return data
