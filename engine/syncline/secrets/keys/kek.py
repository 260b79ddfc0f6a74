"""Key-encryption keys: where they are kept, and the list of such places.

A key-encryption key wraps data keys and nothing else, so that replacing it touches a few small files.
"""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

from syncline.model.errors import Invalid
from syncline.secrets.keys.kek_file import FileKek
from syncline.secrets.keys.kek_pkcs11 import Pkcs11Kek
from syncline.secrets.keys.kek_vault import VaultKek
from syncline.secrets.keys.kek_where import Where


class Kek(Protocol):
    """A key-encryption key, in use."""

    def wrap(self, key: bytes, about: bytes) -> bytes:
        """The key, encrypted and bound to what it is about."""
        ...

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """The key again; ValueError where it was changed, is about something else, or was wrapped by another."""
        ...

    def close(self) -> None:
        """Ends the login to where it is, if there is one; the next use logs in again."""
        ...


class KekPlace(Protocol):
    """Where key-encryption keys can be. What can't be reached is `Again`, what a person must mend is `Stalled`."""

    name: ClassVar[str]

    @classmethod
    def open(cls, where: Where, at: str) -> Kek:
        """The key at this place; it has to be there."""
        ...

    @classmethod
    def make(cls, where: Where, wanted: str, id: str) -> str:  # noqa: A002 - the field's word
        """Makes the new key of this ID, and returns where it is. Made again after a kill, it does no harm."""
        ...

    @classmethod
    def destroy(cls, where: Where, at: str) -> str:
        """Destroys a key that wraps nothing any more; what remains for a person to do, '' for nothing."""
        ...

    @classmethod
    def make_beside(cls, where: Where, at: str, file: str, id: str) -> str:  # noqa: A002 - the field's word
        """
        Makes another key that is nobody else's, with this ID, beside the one at a place; where it is. A place that
        keeps keys in the folder takes the path `file`.
        """
        ...

    @classmethod
    def has(cls, where: Where, at: str) -> bool:
        """Whether a key is there. What can't be asked raises, and is no answer."""
        ...

    @classmethod
    def shred(cls, where: Where, at: str) -> str:
        """Destroys one that `make_beside` made, so that nobody can use it again; what remains to do, '' for nothing."""
        ...


PLACES: Final[tuple[type[KekPlace], ...]] = (FileKek, VaultKek, Pkcs11Kek)


def place_of(text: str) -> tuple[type[KekPlace], str]:
    """A place as it is written, `file`, `vault:transit/syncline`, `pkcs11:TOKEN`, and what is behind the colon."""
    name, _, at = text.partition(":")
    for place in PLACES:
        if place.name == name:
            return place, at
    known = ", ".join(place.name for place in PLACES)
    raise Invalid(
        f"{name!r} is no place for a key-encryption key",
        code="SYN824",
        help=f"Places are {known}: file, vault:MOUNT/KEY, pkcs11:TOKEN.",
    )
