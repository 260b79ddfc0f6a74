"""Encryption at rest: a key-encryption key wraps one data key a tenant, which seals values (AES-256-GCM throughout).

    keys/kek                     the first key-encryption key; `ring_file.py` tells of those that follow it
    keys/tenants/NAME.key        the tenant's data key, wrapped; destroying it makes what was sealed with it unreadable
    keys/parts/NAME/….key        data keys of parts (a run's rejects), wrapped by the tenant's, under keyed hashes
    keys/covers/NAME/….key       what wraps these as well, and goes when somebody is erased (`cover.py`)
    keys/seals/NAME/….key        keys that seal in its place, by age (`seal_keys.py`), wrapped by it
    keys/destroyed/ID            when the data key of that ID was destroyed

A sealed blob is `SYE1`, the data key's ID (8 bytes), a nonce (12), ciphertext and tag. What it belongs to (a path such
as `runs/42/rejects/0`) is associated data: a blob that was moved elsewhere does not open. Nonces are random, so one
data key is good for 2**32 blobs; seal a batch at a time, not a record.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"SYE1"
ID_SIZE: Final = 8
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
#: The code of what can't be opened since its key was destroyed.
DESTROYED: Final = "SYN823"
_NOT_HERE: Final = "Restore the key folder from a backup. Without one, see `syncline keys lost`."
_HEADER: Final = len(MAGIC) + ID_SIZE + NONCE_SIZE


@dataclass(frozen=True, slots=True)
class Envelope:
    """Seals and opens for one tenant, or for one part of what it keeps."""

    tenant: str
    id: bytes = field(repr=False)
    _cipher: AESGCM = field(repr=False, compare=False)
    _destroyed: Callable[[bytes], str] = field(repr=False, compare=False)
    _former: Mapping[bytes, AESGCM] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, tenant: str, key: bytes, destroyed: Callable[[bytes], str], former: Sequence[bytes] = ()) -> Envelope:
        """
        The envelope of a key, which seals; it opens what `former` keys sealed as well. `destroyed` says when the key of
        an ID was, '' where it wasn't.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        opening = {key_id(old): AESGCM(derive(old, b"seal")) for old in former}
        return cls(tenant, key_id(key), AESGCM(derive(key, b"seal")), destroyed, opening)

    def knows(self, id: bytes) -> bool:  # noqa: A002 - the field's word
        """Whether it opens what the key of an ID sealed."""
        return id == self.id or id in self._former

    def seal(self, plaintext: bytes, aad: str) -> bytes:
        """Encrypt, bound to `aad`: what the data is and where it belongs."""
        header = MAGIC + self.id + os.urandom(NONCE_SIZE)
        sealed = self._cipher.encrypt(header[-NONCE_SIZE:], plaintext, _associated(header, aad))
        return b"".join((header, sealed))

    def open(self, blob: bytes, aad: str) -> bytes:
        """Decrypt what `seal` gave for the same `aad`; Stalled says whether it was changed or its key is gone."""
        from cryptography.exceptions import InvalidTag

        header = bytes(blob[:_HEADER])
        if len(blob) < _HEADER + TAG_SIZE or header[: len(MAGIC)] != MAGIC:
            raise self._unreadable(aad, "it is not sealed data of this version, or was cut")
        sealer = header[len(MAGIC) : -NONCE_SIZE]
        cipher = self._cipher if sealer == self.id else self._former.get(sealer)
        if cipher is None:
            if when := self._destroyed(sealer):
                raise self._unreadable(aad, f"the data key that sealed it was destroyed on {when}", code=DESTROYED)
            raise self._unreadable(
                aad, "the data key that sealed it is not here: it was destroyed or replaced", help_=_NOT_HERE
            )
        try:
            return cipher.decrypt(header[-NONCE_SIZE:], memoryview(blob)[_HEADER:], _associated(header, aad))
        except InvalidTag:
            raise self._unreadable(aad, "it was changed, or belongs elsewhere") from None

    def _unreadable(self, aad: str, reason: str, code: str = "SYN806", help_: str = "") -> Stalled:
        whose = f"of {self.tenant}" if self.tenant else "that is shared"
        return Stalled(f"sealed data {whose} ({aad}) cannot be opened: {reason}", code=code, help=help_)


def sealer_of(blob: bytes) -> bytes:
    """The ID of the key that sealed a blob; empty where it is none."""
    return bytes(blob[len(MAGIC) : len(MAGIC) + ID_SIZE]) if blob[: len(MAGIC)] == MAGIC else b""


def derive(secret: bytes, purpose: bytes) -> bytes:
    """Derive a key for one purpose (HKDF-SHA256), so that no key is used for two."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=b"syncline/v1/" + purpose).derive(secret)


def key_id(key: bytes) -> bytes:
    """The ID of a data key, which its blobs carry."""
    return derive(key, b"id")[:ID_SIZE]


def _associated(header: bytes, aad: str) -> bytes:
    return header + aad.encode()
