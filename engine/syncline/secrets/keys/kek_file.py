"""A key-encryption key in a file of the key folder: 32 random bytes, mode 0600, AES-256-GCM."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from syncline.secrets.keys.kek_where import Where

_NONCE: Final = 12
KEY_SIZE: Final = 32
LOST: Final = "Restore it from a backup. Without one, `syncline keys lost` says what went with it, and goes on."
#: The first key's file. Later ones are in a folder, each under its ID.
FIRST: Final = "kek"
_LATER: Final = "keks"


@dataclass(frozen=True, slots=True)
class FileKek:
    """`file:kek`, `file:keks/ID`."""

    name: ClassVar[str] = "file"
    _cipher: AESGCM = field(repr=False)

    def wrap(self, key: bytes, about: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, about)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], about)
        except InvalidTag:
            raise ValueError("it was changed, or was wrapped by another key") from None

    def close(self) -> None:
        """There is no login to a file."""

    @classmethod
    def open(cls, where: Where, at: str) -> Self:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = where.folder / at
        key = key_file.read(path)
        if key is None:
            raise Stalled(f"{path} is missing", code="SYN805", help=LOST)
        if len(key) != KEY_SIZE:
            raise Stalled(f"{path} is damaged", code="SYN805", help=LOST)
        return cls(AESGCM(key))

    @classmethod
    def make(cls, where: Where, wanted: str, id: str) -> str:  # noqa: A002 - the field's word
        del wanted
        key_file.create(where.folder / _LATER / id, os.urandom(32))
        return f"{_LATER}/{id}"

    @classmethod
    def make_beside(cls, where: Where, at: str, file: str, id: str) -> str:  # noqa: A002 - the field's word
        del at, id
        key_file.create(where.folder / file, os.urandom(KEY_SIZE))
        return file

    @classmethod
    def has(cls, where: Where, at: str) -> bool:
        return (where.folder / at).exists()

    @classmethod
    def shred(cls, where: Where, at: str) -> str:
        return cls.destroy(where, at)

    @classmethod
    def destroy(cls, where: Where, at: str) -> str:
        path = where.folder / at
        if path.exists():
            key_file.destroy(path)
        return ""
