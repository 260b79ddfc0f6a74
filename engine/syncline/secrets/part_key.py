"""Data keys of parts of what a tenant keeps, wrapped by its own data key, so that a rotation has no work with them.

A part, such as the rejects of one run, is erased by destroying its key: copies of it in backups can't be read any more,
while other parts can. A file is `SYP1`, a nonce (12), and the key, encrypted. Its name is a keyed hash of the part's,
and is bound to what it holds.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Stalled
from syncline.secrets import key_file
from syncline.secrets.envelope import NONCE_SIZE, derive

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC: Final = b"SYP1"


@dataclass(frozen=True, slots=True)
class PartKeys:
    """The keys of one tenant's parts, in a folder."""

    folder: Path
    tenant_key: bytes = field(repr=False)

    def path(self, part: str) -> Path:
        """The file of a part's key."""
        name = hmac.digest(derive(self.tenant_key, b"part name"), part.encode(), "sha256").hex()
        return self.folder / f"{name}.key"

    def key(self, part: str) -> bytes:
        """A part's key, made when there is none; `Stalled` (SYN805) for one that was changed or moved."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = self.path(part)
        cipher, about = AESGCM(derive(self.tenant_key, b"part wrap")), _MAGIC + path.stem.encode()
        data = key_file.read(path)
        if data is None:
            nonce = os.urandom(NONCE_SIZE)
            data = key_file.create(path, _MAGIC + nonce + cipher.encrypt(nonce, os.urandom(32), about))
        at = len(_MAGIC) + NONCE_SIZE
        try:
            if data[: len(_MAGIC)] != _MAGIC:
                raise InvalidTag
            return cipher.decrypt(data[len(_MAGIC) : at], data[at:], about)
        except (InvalidTag, ValueError):
            raise Stalled(
                f"the data key {path} is damaged", code="SYN805", help="Restore the key folder from a backup."
            ) from None
