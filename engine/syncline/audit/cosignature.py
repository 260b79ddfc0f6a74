"""Cosignatures of witnesses (C2SP tlog-cosignature, `cosignature/v1`): at this time, this was the largest tree seen.

Pure. A cosignature is one more signature line of a checkpoint's note; what is signed has the time in it, which the line
carries before the 64 bytes of Ed25519.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from msgspec import Struct

from syncline.audit import note
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signature, Signer, VerifierKey

COSIGNATURE: Final = 0x04
_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**63 - 1


class CosignerKey(VerifierKey, frozen=True):
    """A witness's public key. A signature of it is eight bytes of POSIX time, then 64 of Ed25519."""

    KIND: ClassVar[int] = COSIGNATURE

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this witness's, of the checkpoint `message`, at the time in it."""
        time, value = int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]
        # Not super(): a slotted dataclass is another class than the one that this method was written in.
        return time <= _MAX_TIME and VerifierKey.verifies(self, _signed(message, time), value)


class Cosignature(Struct, frozen=True):
    """A witness's verified statement: it saw a checkpoint, and none larger, at a POSIX time in seconds."""

    key: CosignerKey
    time: int


def cosigner(signer: Signer) -> CosignerKey:
    """The key under which a signer's cosignatures are known; its other signatures have another key ID."""
    return CosignerKey(signer.verifier.name, signer.verifier.public)


def cosign(text: str, signer: Signer, time: int) -> Signature:
    """The cosignature of a checkpoint's text at a POSIX time in seconds."""
    key = cosigner(signer)
    value = time.to_bytes(_TIME_BYTES, "big") + signer.sign(_signed(text.encode(), time))
    return Signature(key.name, key.key_id, value)


def cosignatures(found: note.Note, keys: Sequence[CosignerKey]) -> tuple[Cosignature, ...]:
    """The cosignatures of a note by these keys, of each key the latest; `Malformed` where one doesn't verify."""
    message = found.text.encode()
    latest: dict[CosignerKey, int] = {}
    for line in found.signatures:
        for key in keys:
            if (key.name, key.key_id) != (line.name, line.key_id):
                continue
            if not key.verifies(message, line.value):
                raise Malformed(f"the cosignature of {key.name} does not verify")
            latest[key] = max(latest.get(key, 0), int.from_bytes(line.value[:_TIME_BYTES], "big"))
    return tuple(Cosignature(key, time) for key, time in latest.items())


def _signed(message: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + message
