"""A data key as its file has it: `SYK2`, the ID of the key-encryption key (8 bytes), and what that key made of it.

`SYK1` is the form before key rings, wrapped by the key in the file `kek`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from syncline.secrets.keys.ring_file import FIRST_ID

if TYPE_CHECKING:
    from syncline.secrets.keys.kek import Kek

_FORMER: Final = b"SYK1"
_MAGIC: Final = b"SYK2"
_ID_SIZE: Final = 8
_KEY_SIZE: Final = 32


class Wrapped(Struct, frozen=True):
    """A wrapped data key. `header` and the owner's name are bound to it."""

    kek: str
    header: bytes
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Wrapped | None:
        """What a key's file holds; None for anything else."""
        if data[:4] == _FORMER:
            return cls(FIRST_ID, data[:4], data[4:])
        at = len(_MAGIC) + _ID_SIZE
        if data[:4] == _MAGIC and len(data) > at:
            return cls(data[4:at].hex(), data[:at], data[at:])
        return None

    @staticmethod
    def of(key: bytes, id: str, owner: str, kek: Kek) -> bytes:  # noqa: A002 - the field's word
        """The content of a key's file: the key of an owner, wrapped by the key-encryption key of that ID."""
        header = _MAGIC + bytes.fromhex(id)
        return header + kek.wrap(key, header + owner.encode())

    def unwrap(self, owner: str, kek: Kek) -> bytes:
        """The key; ValueError where it was changed, is another owner's, or was wrapped by another."""
        key = kek.unwrap(self.body, self.header + owner.encode())
        if len(key) != _KEY_SIZE:
            raise ValueError("it is no data key")
        return key
