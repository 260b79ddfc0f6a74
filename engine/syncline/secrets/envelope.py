"""Encryption at rest: a key-encryption key wraps one data key a tenant, which seals values (AES-256-GCM throughout).

    keys/kek                the key-encryption key: move it to an HSM or another disk and copies of the rest are useless
    keys/tenants/NAME.key   the tenant's data key, wrapped; destroying it makes everything sealed with it unreadable

A sealed blob is `SYE1`, the data key's ID (8 bytes), a nonce (12), ciphertext and tag. What it belongs to (a path such
as `runs/42/rejects/0`) is associated data: a blob that was moved elsewhere does not open. Nonces are random, so one
data key is good for 2**32 blobs; seal a batch at a time, not a record.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Invalid, Stalled
from syncline.secrets import key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"SYE1"
_WRAPPED: Final = b"SYK1"
_ID_SIZE: Final = 8
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_HEADER: Final = len(MAGIC) + _ID_SIZE + _NONCE_SIZE
_SHARED: Final = "_shared"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Seals and opens for one tenant."""

    tenant: str
    _id: bytes = field(repr=False)
    _cipher: AESGCM = field(repr=False, compare=False)

    def seal(self, plaintext: bytes, aad: str) -> bytes:
        """Encrypt, bound to `aad`: what the data is and where it belongs."""
        header = MAGIC + self._id + os.urandom(_NONCE_SIZE)
        sealed = self._cipher.encrypt(header[-_NONCE_SIZE:], plaintext, _associated(header, aad))
        return b"".join((header, sealed))

    def open(self, blob: bytes, aad: str) -> bytes:
        """Decrypt what `seal` gave for the same `aad`; Stalled says whether it was changed or its key is gone."""
        from cryptography.exceptions import InvalidTag

        header = bytes(blob[:_HEADER])
        if len(blob) < _HEADER + _TAG_SIZE or header[: len(MAGIC)] != MAGIC:
            raise _unreadable(self.tenant, aad, "it is not sealed data of this version, or was cut")
        if header[len(MAGIC) : -_NONCE_SIZE] != self._id:
            raise _unreadable(self.tenant, aad, "the data key that sealed it is not here: it was destroyed or replaced")
        try:
            return self._cipher.decrypt(header[-_NONCE_SIZE:], memoryview(blob)[_HEADER:], _associated(header, aad))
        except InvalidTag:
            raise _unreadable(self.tenant, aad, "it was changed, or belongs elsewhere") from None


class KeyRing:
    """The keys in a folder. Keys are made when they are first needed; processes may share the folder."""

    def __init__(self, directory: Path, kek: AESGCM) -> None:
        self._directory = directory
        self._kek = kek

    @classmethod
    def open(cls, directory: Path) -> KeyRing:
        """Open the folder (`.syncline/keys`), making the key-encryption key when there is none.

        Raises Stalled when a key is damaged or open to others, and when there are wrapped keys but nothing to unwrap
        them with: a new key would hide that the old one was lost.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = directory / "kek"
        key = key_file.read(path)
        if key is None:
            if any(directory.glob("tenants/*.key")):
                raise Stalled(f"{path} is missing", code="SYN805", help="Restore it from a backup.")
            key = key_file.create(path, os.urandom(32))
        if len(key) != 32:
            raise Stalled(f"{path} is damaged", code="SYN805", help="Restore it from a backup.")
        return cls(directory, AESGCM(key))

    def envelope(self, tenant: str = "") -> Envelope:
        """The tenant's envelope (that of what is shared for an empty name); a data key is made when there is none."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        secret = self._data_key(tenant)
        return Envelope(tenant, _derive(secret, b"id")[:_ID_SIZE], AESGCM(_derive(secret, b"seal")))

    def seal(self, tenant: str, plaintext: bytes, aad: str) -> bytes:
        """Seal for a tenant; for many blobs keep its `envelope`."""
        return self.envelope(tenant).seal(plaintext, aad)

    def unseal(self, tenant: str, blob: bytes, aad: str) -> bytes:
        """Open what was sealed for a tenant."""
        return self.envelope(tenant).open(blob, aad)

    def tenant_hash_key(self, tenant: str = "") -> bytes:
        """The tenant's 32-byte key for keyed hashes (`protect: {hash: tenant}`): stable, destroyed with its data key.

        The same value hashes alike for one tenant and differently for each other, so hashes cannot be joined across
        tenants, nor guessed by someone without the key.
        """
        return _derive(self._data_key(tenant), b"hash")

    def credential_key(self, tenant: str = "") -> bytes:
        """The tenant's 32-byte key for digests of its credentials, which tell whether one was replaced."""
        return _derive(self._data_key(tenant), b"credentials")

    def exists(self, tenant: str = "") -> bool:
        """Whether the tenant has a data key."""
        return self._path(tenant).exists()

    def destroy(self, tenant: str) -> bool:
        """Destroy a tenant's data key for good: what it sealed is erased, and its hashes can't be made again.

        Returns whether there was one. A key that is made for the name later is another key.
        """
        path = self._path(tenant)
        if not path.exists():
            return False
        key_file.destroy(path)
        return True

    def _path(self, tenant: str) -> Path:
        if tenant and not _NAME.fullmatch(tenant):
            raise Invalid(f"{tenant!r} is not a name that a key can have", code="SYN805")
        return self._directory / "tenants" / f"{tenant or _SHARED}.key"

    def _data_key(self, tenant: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        path = self._path(tenant)
        about = _WRAPPED + (tenant or _SHARED).encode()
        data = key_file.read(path)
        if data is None:
            nonce = os.urandom(_NONCE_SIZE)
            data = key_file.create(path, _WRAPPED + nonce + self._kek.encrypt(nonce, os.urandom(32), about))
        at = len(_WRAPPED) + _NONCE_SIZE
        try:
            if data[: len(_WRAPPED)] != _WRAPPED or len(data) != at + 32 + _TAG_SIZE:
                raise InvalidTag
            return self._kek.decrypt(data[len(_WRAPPED) : at], data[at:], about)
        except InvalidTag:
            raise Stalled(
                f"the data key {path} is damaged, or was wrapped by another key-encryption key",
                code="SYN805",
                help="Restore the key folder as a whole from a backup.",
            ) from None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """Derive a key for one purpose (HKDF-SHA256), so that no key is used for two."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=b"syncline/v1/" + purpose).derive(secret)


def _associated(header: bytes, aad: str) -> bytes:
    return header + aad.encode()


def _unreadable(tenant: str, aad: str, reason: str) -> Stalled:
    whose = f"of {tenant}" if tenant else "that is shared"
    return Stalled(f"sealed data {whose} ({aad}) cannot be opened: {reason}", code="SYN806")
