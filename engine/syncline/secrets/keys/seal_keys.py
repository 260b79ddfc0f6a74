"""The keys that seal for a tenant, one after the other by age: each is wrapped by the tenant's data key.

    keys/seals/NAME/20261126T165000Z.key     made then; the newest seals, and all of them open what they sealed

Replacing the key-encryption key has nothing to do with them, hashes stay comparable, and whoever destroys the data key
destroys all of them. A tenant without one seals with its data key.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Final

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file
from syncline.secrets.keys.envelope import derive

_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_MAGIC: Final = b"SYL1"
_NONCE: Final = 12


class SealKeys:
    """The sealing keys of one tenant. `key` is its data key."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key

    def read(self) -> list[bytes]:
        """All of them, oldest first; `Stalled` (SYN805) for one that is damaged."""
        return [self._unwrap(path) for path in sorted(self._folder.glob("*.key"))]

    def age(self, now: dt.datetime) -> dt.timedelta | None:
        """How long the newest has been there; None where there is none."""
        names = sorted(path.stem for path in self._folder.glob("*.key"))
        made = dt.datetime.strptime(names[-1], _FORMAT).replace(tzinfo=dt.UTC) if names else None
        return now - made if made is not None else None

    def make(self, now: dt.datetime) -> None:
        """Makes the one that seals from now on; whole and on disk when this returns, or not at all."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = now.strftime(_FORMAT)
        nonce = os.urandom(_NONCE)
        wrapped = AESGCM(derive(self._key, b"seals")).encrypt(nonce, os.urandom(32), _MAGIC + name.encode())
        key_file.create(self._folder / f"{name}.key", _MAGIC + nonce + wrapped)

    def _unwrap(self, path: Path) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        data = key_file.read(path) or b""
        nonce, wrapped = data[len(_MAGIC) :][:_NONCE], data[len(_MAGIC) + _NONCE :]
        try:
            if not data.startswith(_MAGIC):
                raise InvalidTag
            return AESGCM(derive(self._key, b"seals")).decrypt(nonce, wrapped, _MAGIC + path.stem.encode())
        except (InvalidTag, ValueError):
            raise Stalled(
                f"the sealing key {path} is damaged, or is another tenant's",
                code="SYN805",
                help="Restore the key folder as a whole from a backup.",
            ) from None
