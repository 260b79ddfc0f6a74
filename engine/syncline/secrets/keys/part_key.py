"""Data keys of parts of what a tenant keeps, wrapped by its own data key, so that a rotation has no work with them.

A part, such as the rejects of one run, is erased by destroying its key: copies of it in backups can't be read any more,
while other parts can. A file is `SYP2`, the ID of its cover (8 bytes, see `cover.py`), a nonce (12), and the key,
encrypted by the tenant's data key and the cover together. Its name is a keyed hash of the part's, and is bound to what
it holds. `SYP1` is the form before covers, without one.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file
from syncline.secrets.keys.envelope import DESTROYED, NONCE_SIZE, derive
from syncline.secrets.keys.folder import alone

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from syncline.secrets.keys.cover import Covers

_FORMER: Final = b"SYP1"
_MAGIC: Final = b"SYP2"
_ID: Final = 8


@dataclass(frozen=True, slots=True)
class PartKeys:
    """The keys of one tenant's parts, in a folder."""

    folder: Path
    tenant_key: bytes = field(repr=False)
    covers: Covers = field(repr=False)

    def path(self, part: str) -> Path:
        """The file of a part's key."""
        name = hmac.digest(derive(self.tenant_key, b"part name"), part.encode(), "sha256").hex()
        return self.folder / f"{name}.key"

    def key(self, part: str) -> bytes:
        """
        A part's key, made when there is none; `Stalled` (SYN805) for one that was changed or moved, (SYN823) for one
        whose cover was destroyed.
        """
        path = self.path(part)
        data = key_file.read(path)
        if data is None:
            with alone(self.covers.where.folder):  # else a cover that is about to go might wrap it
                id_, cover = self.covers.newest()
                data = key_file.create(path, self._wrapped(path, os.urandom(32), id_, cover))
        return self._opened(path, data)

    def renew(self) -> tuple[str, ...]:
        """
        A new cover wraps the keys of all parts, and the former ones are destroyed: what remains of that for a person to
        do. After a kill anywhere all parts open, and another call ends it. The folder's lock is held.
        """
        former = list(self.covers)
        if not former and not any(self.folder.glob("*.key")):
            return ()
        made = self.covers.make()
        cover = self.covers.key(made.id)
        for path in sorted(self.folder.glob("*.key")):
            data = key_file.read(path) or b""
            try:
                key = self._opened(path, data)
            except Stalled as error:
                if error.code != DESTROYED:
                    raise
                continue  # nobody can open it any more
            key_file.replace(path, self._wrapped(path, key, made.id, cover))
        remains = [self.covers.destroy(old) for old in former]
        self.covers.sweep()
        for draft in self.folder.glob(".*"):  # of keys that a kill left half-way
            key_file.destroy(draft)
        return tuple(filter(None, remains))

    def _wrapped(self, path: Path, key: bytes, id_: str, cover: bytes) -> bytes:
        nonce, head = os.urandom(NONCE_SIZE), _MAGIC + bytes.fromhex(id_)
        return head + nonce + self._cipher(cover).encrypt(nonce, key, head + path.stem.encode())

    def _opened(self, path: Path, data: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        for _ in range(10):
            former = data[: len(_FORMER)] == _FORMER
            at = len(_MAGIC) + (0 if former else _ID)
            try:
                if not former and data[: len(_MAGIC)] != _MAGIC:
                    raise InvalidTag
                cover = b"" if former else self.covers.key(data[len(_MAGIC) : at].hex())
                head, nonce, sealed = data[:at], data[at:][:NONCE_SIZE], data[at + NONCE_SIZE :]
                return self._cipher(cover).decrypt(nonce, sealed, head + path.stem.encode())
            except (InvalidTag, ValueError):
                raise _damaged(path) from None
            except (KeyError, Stalled) as error:
                again = key_file.read(path)  # another process may have put another cover over it
                if again is None or again == data:
                    raise error if isinstance(error, Stalled) else self._uncovered(path, data) from None
                data = again
        raise _damaged(path)

    def _uncovered(self, path: Path, data: bytes) -> Stalled:
        if not self.covers.was_destroyed(data[len(_MAGIC) : len(_MAGIC) + _ID].hex()):
            return _damaged(path)
        return Stalled(
            f"the data key {path} can't be opened: its cover was destroyed when somebody was erased",
            code=DESTROYED,
            help="It comes from a copy that was made before. What it sealed can't be read any more.",
        )

    def _cipher(self, cover: bytes) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(derive(self.tenant_key + cover, b"part wrap"))


def _damaged(path: Path) -> Stalled:
    return Stalled(f"the data key {path} is damaged", code="SYN805", help="Restore the key folder from a backup.")
