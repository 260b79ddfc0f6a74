"""DSSE envelopes (github.com/secure-systems-lab/dsse, v1): a payload with its type, signed together, as JSON.

Pure. Envelopes are written as canonical JSON (RFC 8785) and read in that form only, so that each has one form and
no byte of it can change unnoticed, the unsigned key ID included.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from syncline.audit import canonical_json
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signer, VerifierKey

MAX_ENVELOPE: Final = 8 * 1024 * 1024
"""Longest envelope that is read, in bytes."""


class Envelope(Struct, frozen=True):
    """A payload of a media type, with signatures by key ID."""

    kind: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            "payload": _encode(self.payload),
            "payloadType": self.kind,
            "signatures": [{"keyid": key, "sig": _encode(value)} for key, value in self.signatures],
        }

    def encode(self) -> bytes:
        """It as canonical JSON."""
        return canonical_json.dumps(self.to_json())

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Read an envelope in the one form that `encode` gives; `Malformed` for any other."""
        if len(data) > MAX_ENVELOPE:
            raise Malformed(f"an envelope of {len(data)} bytes is longer than {MAX_ENVELOPE}")
        try:
            found = json.loads(data)
            envelope = cls(
                found["payloadType"],
                base64.b64decode(found["payload"], validate=True),
                tuple((one["keyid"], base64.b64decode(one["sig"], validate=True)) for one in found["signatures"]),
            )
            same = envelope.encode() == data
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
            raise Malformed(f"this is no DSSE envelope: {type(error).__name__}") from None
        if not same:
            raise Malformed("this DSSE envelope is not in canonical form")
        return envelope


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed: lengths, type and payload (PAE of the specification)."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def sign(kind: str, payload: bytes, signer: Signer) -> Envelope:
    """The envelope of a payload, with one signature."""
    signature = signer.sign(pre_authentication(kind, payload))
    return Envelope(kind, payload, ((key_id(signer.verifier), signature),))


def verify(envelope: Envelope, kind: str, keys: Sequence[VerifierKey]) -> bytes:
    """The payload when it is of the type and each signature is by a trusted key; `Malformed` says what is wrong."""
    if envelope.kind != kind:
        raise Malformed(f"the envelope holds {envelope.kind[:80]!r}, not {kind!r}")
    message = pre_authentication(envelope.kind, envelope.payload)
    if not envelope.signatures:
        raise Malformed("the envelope has no signature")
    for name, value in envelope.signatures:
        known = [key for key in keys if key_id(key) == name]
        if not known:
            raise Malformed(f"the envelope is signed by the key {name[:80]!r}, which isn't trusted")
        if not any(key.verifies(message, value) for key in known):
            raise Malformed("the signature of the envelope does not verify")
    return envelope.payload


def key_id(key: VerifierKey) -> str:
    """The ID by which envelopes name a key: its name and note key ID, as its verifier key begins."""
    return f"{key.name}+{key.key_id.hex()}"


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
